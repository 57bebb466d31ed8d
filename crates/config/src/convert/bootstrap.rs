//! The whole configuration.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use prost::Message;

use super::{
    Context, access_log, address, bootstrap_extensions::bootstrap_extensions, cluster::cluster, config_source,
    dns_resolver, listener::listener, overload, runtime::layered_runtime, stats::stats_sink, tls, wasm_limits,
};
use crate::{
    diagnostics::Severity,
    model::{Admin, Bootstrap, Cluster, LayeredRuntime, Listener, Node, NodeLocality, StatsConfig},
    proto::envoy::{
        config::{
            bootstrap::v3 as proto,
            core::v3::{self as core, node::UserAgentVersionType},
        },
        r#type::v3::SemanticVersion,
    },
};

/// Converts the root. What it makes is only of use if nothing was reported as an error.
pub(crate) fn bootstrap(context: &mut Context<'_>, bootstrap: proto::Bootstrap) -> Bootstrap {
    let proto::Bootstrap {
        node,
        static_resources,
        dynamic_resources,
        admin,
        layered_runtime: runtime,
        stats_flush_interval,
        stats_flush,
        stats_config,
        stats_sinks,
        stats_server_version_override,
        cluster_manager,
        bootstrap_extensions: extensions,
        typed_dns_resolver_config,
        overload_manager,
    } = bootstrap;
    let resources = static_resources.unwrap_or_default();
    let node = make_node(context, node.unwrap_or_default());
    context.surroundings.has_node = !node.id.is_empty() && !node.cluster.is_empty();
    context.surroundings.primary_clusters = Arc::new(config_source::primary_clusters(&resources.clusters));
    let dynamic = dynamic_resources.unwrap_or_default();
    context.surroundings.has_ads = dynamic.ads_config.is_some();
    context.dns_resolver = context
        .field("typed_dns_resolver_config", |context| dns_resolver::dns_resolver(context, typed_dns_resolver_config?));
    let (clusters, listeners) = context.field("static_resources", |context| {
        let count = resources.secrets.len();
        let secrets = tls::static_secrets(context, resources.secrets);
        context.surroundings.secrets_failed = secrets.len() < count;
        context.surroundings.secrets = Arc::new(secrets);
        let clusters = context.list("clusters", resources.clusters, cluster);
        check_clusters(context, &clusters);
        let names: HashSet<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
        let listeners =
            context.list("listeners", resources.listeners, |context, message| listener(context, message, &names));
        (clusters, check_listeners(context, listeners))
    });
    let dynamic_resources =
        context.field("dynamic_resources", |context| config_source::dynamic_resources(context, dynamic));
    let stats_flush_on_admin = matches!(stats_flush, Some(proto::bootstrap::StatsFlush::StatsFlushOnAdmin(true)));
    if stats_flush_on_admin && stats_flush_interval.is_some() {
        context.error("Only one of stats_flush_interval or stats_flush_on_admin should be set!");
    }
    let stats_flush_interval = context.duration("stats_flush_interval", stats_flush_interval);
    let names: HashSet<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let extensions = bootstrap_extensions(context, extensions);
    let stats_sinks =
        context.list("stats_sinks", stats_sinks, |context, message| stats_sink(context, message, &names, &node));
    let cluster_manager = cluster_manager.unwrap_or_default();
    let local_cluster_name = Some(cluster_manager.local_cluster_name).filter(|name| !name.is_empty());
    context.field("cluster_manager", |context| {
        if let Some(name) = local_cluster_name.as_ref().filter(|name| !names.contains(*name)) {
            context.error_at("local_cluster_name", format!("local cluster '{name}' must be defined"));
        }
    });
    let max_downstream_connections =
        context.field("overload_manager", |context| overload::max_downstream_connections(context, overload_manager?));
    let bootstrap = Bootstrap {
        max_downstream_connections,
        serialized: bytes::Bytes::new(),
        node,
        admin: admin.and_then(|admin| context.field("admin", |context| make_admin(context, admin))),
        listeners,
        clusters,
        secrets: Arc::clone(&context.surroundings.secrets),
        unsupported: context.options.unsupported,
        dynamic_resources,
        local_cluster_name,
        outlier_event_log_path: cluster_manager
            .outlier_detection
            .map(|outlier| outlier.event_log_path)
            .filter(|path| !path.is_empty()),
        layered_runtime: runtime.map_or_else(LayeredRuntime::default, |runtime| {
            context.field("layered_runtime", |context| layered_runtime(context, runtime))
        }),
        stats_flush_interval: stats_flush_interval.unwrap_or(Duration::from_secs(5)),
        stats_flush_on_admin,
        stats_config: stats_config.map_or_else(StatsConfig::default, |message| {
            context.field("stats_config", |context| super::stats::stats_config(context, message))
        }),
        stats_sinks,
        stats_server_version_override,
        dns_resolver: context.dns_resolver.clone(),
        services: extensions.services,
        wasm_limits: extensions.limits,
        wasm_plugins: extensions.plugins,
    };
    wasm_limits::settings_without_plugins(context, &bootstrap.wasm_plugins);
    bootstrap
}

fn make_node(context: &Context<'_>, mut node: core::Node) -> Node {
    let or = |value: &mut String, default: &String| {
        if value.is_empty() {
            value.clone_from(default);
        }
    };
    or(&mut node.id, &context.options.service_node);
    or(&mut node.cluster, &context.options.service_cluster);
    or(&mut node.user_agent_name, &"sandgate".to_owned());
    node.user_agent_version_type.get_or_insert_with(own_version);
    let serialized = node.encode_to_vec().into();
    let locality =
        node.locality.map(|core::Locality { region, zone, sub_zone }| NodeLocality { region, zone, sub_zone });
    Node { id: node.id, cluster: node.cluster, locality, serialized }
}

/// What this program is, in the place where Envoy tells its own version.
fn own_version() -> UserAgentVersionType {
    let number = |text: &str| text.parse().unwrap_or_default();
    UserAgentVersionType::UserAgentBuildVersion(core::BuildVersion {
        version: Some(SemanticVersion {
            major_number: number(env!("CARGO_PKG_VERSION_MAJOR")),
            minor_number: number(env!("CARGO_PKG_VERSION_MINOR")),
            patch: number(env!("CARGO_PKG_VERSION_PATCH")),
        }),
        metadata: None,
    })
}

fn make_admin(context: &mut Context<'_>, admin: proto::Admin) -> Option<Admin> {
    let Some(address) = admin.address else {
        context.warning_at("address", "the admin interface has no address, so there is none");
        return None;
    };
    let origin = context.origin();
    let mut access_logs = access_log::access_logs(context, "access_log", admin.access_log);
    if !admin.access_log_path.is_empty() {
        let path = admin.access_log_path;
        access_logs.extend(context.field("access_log_path", |context| access_log::default_file(context, path)));
    }
    let (address, _) = context.field("address", |context| address::bind_address(context, address))?;
    let allow_paths = context.list("allow_paths", admin.allow_paths, super::matcher::string);
    let ignore_global_conn_limit = admin.ignore_global_conn_limit;
    Some(Admin { address, allow_paths, access_logs, ignore_global_conn_limit, origin })
}

fn check_clusters(context: &mut Context<'_>, clusters: &[Cluster]) {
    let mut names = HashSet::new();
    for cluster in clusters {
        if !names.insert(&cluster.name) {
            context.report.error(&cluster.origin.path, format!("duplicate cluster '{}'", cluster.name));
        }
    }
}

/// Two listeners cannot have one address. Of two with one name the last counts, as in Envoy, where it updates the first.
fn check_listeners(context: &mut Context<'_>, listeners: Vec<Listener>) -> Vec<Listener> {
    let mut kept: Vec<Listener> = Vec::new();
    let mut names = HashMap::new();
    for listener in listeners {
        let index = *names.entry(listener.name.clone()).or_insert(kept.len());
        match kept.get_mut(index) {
            Some(old) => {
                let message = format!("listener '{}' replaces the one of the same name before it", listener.name);
                context.report.add(Severity::Warning, &listener.origin.path, message);
                *old = listener;
            }
            None => kept.push(listener),
        }
    }
    let mut addresses = HashMap::new();
    for listener in &kept {
        if listener.address.port() == 0 {
            continue;
        }
        if let Some(other) = addresses.insert(listener.address, &listener.name) {
            let message = format!("'{}' has the address {} as '{other}' has", listener.name, listener.address);
            context.report.error(&listener.origin.path, message);
        }
    }
    kept
}
