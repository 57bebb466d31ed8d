//! The pages there are, with what Envoy's help says of them.

use super::{AdminContext, AdminResponse};
use super::{
    certs, clusters, config_dump, drain, health_check, help, listeners, logging, runtime, server, stats, wasm,
};

pub(super) type Parameters = [(String, String)];

/// One page.
pub(super) struct Page {
    pub(super) path: &'static str,
    pub(super) help: &'static str,
    /// Names, and what they are for.
    pub(super) parameters: &'static [(&'static str, &'static str)],
    pub(super) mutates: bool,
    pub(super) handler: fn(&AdminContext, &Parameters) -> AdminResponse,
}

pub(super) fn find(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path)
}

/// The first value of a parameter.
pub(super) fn value<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Every page, by path.
#[rustfmt::skip]
pub(super) const PAGES: &[Page] = &[
    Page {
        path: "/",
        help: "Admin home page",
        parameters: &[],
        mutates: false,
        handler: help::home,
    },
    Page {
        path: "/allocprofiler",
        help: "enable/disable the allocation profiler (if supported)",
        parameters: &[
            ("enable", "enable/disable the allocation profiler; One of (y, n)"),
        ],
        mutates: true,
        handler: server::no_profiler,
    },
    Page {
        path: "/certs",
        help: "print certs on machine",
        parameters: &[],
        mutates: false,
        handler: certs::certs,
    },
    Page {
        path: "/clusters",
        help: "upstream cluster status",
        parameters: &[
            ("filter", "Regular expression (Google re2) for filtering clusters by name"),
        ],
        mutates: false,
        handler: clusters::clusters,
    },
    Page {
        path: "/config_dump",
        help: "dump current Envoy configs",
        parameters: &[
            ("resource", "The resource to dump"),
            ("mask", "The mask to apply. When both resource and mask are specified, the mask is applied to every element in the desired repeated field so that only a subset of fields are returned. The mask is parsed as a Protobuf::FieldMask"),
            ("name_regex", "Dump only the currently loaded configurations whose names match the specified regex. Can be used with both resource and mask query parameters."),
            ("include_eds", "Dump currently loaded configuration including EDS. See the response definition for more information"),
        ],
        mutates: false,
        handler: config_dump::config_dump,
    },
    Page {
        path: "/contention",
        help: "dump current Envoy mutex contention stats (if enabled)",
        parameters: &[],
        mutates: false,
        handler: server::contention,
    },
    Page {
        path: "/cpuprofiler",
        help: "enable/disable the CPU profiler",
        parameters: &[
            ("enable", "enables the CPU profiler; One of (y, n)"),
        ],
        mutates: true,
        handler: server::no_profiler,
    },
    Page {
        path: "/drain_listeners",
        help: "drain listeners",
        parameters: &[
            ("graceful", "When draining listeners, enter a graceful drain period prior to closing listeners. This behaviour and duration is configurable via server options or CLI"),
            ("skip_exit", "When draining listeners, drain the connections but never stop the listeners. The graceful parameter has no effect when this is set, since the drain period only delays stopping the listeners"),
            ("inboundonly", "Drains all inbound listeners. traffic_direction field in envoy_v3_api_msg_config.listener.v3.Listener is used to determine whether a listener is inbound or outbound."),
        ],
        mutates: true,
        handler: drain::drain_listeners,
    },
    Page {
        path: "/healthcheck/fail",
        help: "cause the server to fail health checks",
        parameters: &[],
        mutates: true,
        handler: health_check::fail,
    },
    Page {
        path: "/healthcheck/ok",
        help: "cause the server to pass health checks",
        parameters: &[],
        mutates: true,
        handler: health_check::ok,
    },
    Page {
        path: "/heap_dump",
        help: "dump current Envoy heap (if supported)",
        parameters: &[],
        mutates: false,
        handler: server::no_profiler,
    },
    Page {
        path: "/heapprofiler",
        help: "enable/disable the heap profiler",
        parameters: &[
            ("enable", "enable/disable the heap profiler; One of (y, n)"),
        ],
        mutates: true,
        handler: server::no_profiler,
    },
    Page {
        path: "/help",
        help: "print out list of admin commands",
        parameters: &[],
        mutates: false,
        handler: help::help,
    },
    Page {
        path: "/hot_restart_version",
        help: "print the hot restart compatibility version",
        parameters: &[],
        mutates: false,
        handler: server::hot_restart_version,
    },
    Page {
        path: "/init_dump",
        help: "dump current Envoy init manager information (experimental)",
        parameters: &[
            ("mask", "The desired component to dump unready targets. The mask is parsed as a Protobuf::FieldMask. For example, get the unready targets of all listeners with /init_dump?mask=listener`"),
        ],
        mutates: false,
        handler: server::init_dump,
    },
    Page {
        path: "/listeners",
        help: "print listener info",
        parameters: &[
            ("format", "File format to use; One of (text, json)"),
        ],
        mutates: false,
        handler: listeners::listeners,
    },
    Page {
        path: "/logging",
        help: "query/change logging levels",
        parameters: &[
            ("paths", "Change multiple logging levels by setting to <logger_name1>:<desired_level1>,<logger_name2>:<desired_level2>. If fine grain logging is enabled, use __FILE__ or a glob experision as the logger name. For example, source/common*:warning"),
            ("group", "Change given logger group to desired level, set to <logger_group_name>:<desired_level>. logger_group_name must be a logger name."),
            ("level", "desired logging level, this will change all loggers's level; One of (, trace, debug, info, warning, error, critical, off)"),
        ],
        mutates: true,
        handler: logging::logging,
    },
    Page {
        path: "/memory",
        help: "print current allocation/heap usage",
        parameters: &[],
        mutates: false,
        handler: server::memory,
    },
    Page {
        path: "/memory/tcmalloc",
        help: "print TCMalloc stats",
        parameters: &[],
        mutates: false,
        handler: server::no_profiler,
    },
    Page {
        path: "/peak_heap_dump",
        help: "dump peak Envoy heap (if supported)",
        parameters: &[],
        mutates: false,
        handler: server::no_profiler,
    },
    Page {
        path: "/quitquitquit",
        help: "exit the server",
        parameters: &[],
        mutates: true,
        handler: server::quit,
    },
    Page {
        path: "/ready",
        help: "print server state, return 200 if LIVE, otherwise return 503",
        parameters: &[],
        mutates: false,
        handler: health_check::ready,
    },
    Page {
        path: "/reopen_logs",
        help: "reopen access logs",
        parameters: &[],
        mutates: true,
        handler: server::reopen_logs,
    },
    Page {
        path: "/reset_counters",
        help: "reset all counters to zero",
        parameters: &[],
        mutates: true,
        handler: stats::reset_counters,
    },
    Page {
        path: "/runtime",
        help: "print runtime values",
        parameters: &[],
        mutates: false,
        handler: runtime::runtime,
    },
    Page {
        path: "/runtime_modify",
        help: "Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty string as the value. Note that deletion only applies to overrides added via this endpoint; values loaded from disk can be modified via override but not deleted. E.g. ?key1=value1&key2=value2...",
        parameters: &[],
        mutates: true,
        handler: runtime::modify,
    },
    Page {
        path: "/server_info",
        help: "print server version/status information",
        parameters: &[],
        mutates: false,
        handler: server::server_info,
    },
    Page {
        path: "/stats",
        help: "print server stats",
        parameters: &[
            ("usedonly", "Only include stats that have been written by system since restart"),
            ("filter", "Regular expression (Google re2) for filtering stats"),
            ("invert_filter", "Invert the filter regex"),
            ("format", "Format to use; One of (html, active-html, text, json)"),
            ("type", "Stat types to include.; One of (All, Counters, Histograms, Gauges, TextReadouts)"),
            ("histogram_buckets", "Histogram bucket display mode; One of (cumulative, disjoint, detailed, summary)"),
        ],
        mutates: false,
        handler: stats::stats,
    },
    Page {
        path: "/stats/prometheus",
        help: "print server stats in prometheus format",
        parameters: &[
            ("usedonly", "Only include stats that have been written by system since restart"),
            ("text_readouts", "Render text_readouts as new gaugues with value 0 (increases Prometheus data size)"),
            ("filter", "Regular expression (Google re2) for filtering stats"),
            ("invert_filter", "Invert the filter regex"),
            ("histogram_buckets", "Histogram bucket display mode; One of (cumulative, summary)"),
        ],
        mutates: false,
        handler: stats::prometheus,
    },
    Page {
        path: "/wasm",
        help: "print what Wasm plugins do",
        parameters: &[("format", "Format to use; One of (html, json, prometheus)")],
        mutates: false,
        handler: wasm::wasm,
    },
    Page {
        path: "/wasm/explain",
        help: "explain hostcalls of Wasm plugins that fail, in the log and on /wasm",
        parameters: &[("enable", "Whether to explain; One of (y, n)")],
        mutates: true,
        handler: wasm::explain,
    },
];
