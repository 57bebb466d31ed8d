"""Makes one bootstrap configuration for a group of cases: a listener and a cluster for each."""

import hashlib
import json
import re

from . import pieces, sources, tls
from .case import MAIN, guest_path, merge

_TYPE = "type.googleapis.com/"
_NETWORK = "envoy.extensions.filters.network."
_HCM = _NETWORK + "http_connection_manager.v3.HttpConnectionManager"
_TCP_PROXY = _NETWORK + "tcp_proxy.v3.TcpProxy"
_WASM = "envoy.extensions.filters.http.wasm.v3.Wasm"
_NETWORK_WASM = _NETWORK + "wasm.v3.Wasm"
_SERVICE = "envoy.extensions.wasm.v3.WasmService"
_ACCESS_LOG = "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog"
_STATS_SINK = "envoy.extensions.stat_sinks.wasm.v3.Wasm"
_CARES = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_TLS = "envoy.extensions.transport_sockets.tls.v3."
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_CODEC = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"
_MAIN_CLUSTER = "{cluster}"

# Laid under the clusters of a case whose upstream side speaks HTTP/2.
_HTTP2_CLUSTER = {
    "typed_extension_protocol_options": {
        _HTTP_OPTIONS: {"@type": _TYPE + _HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
    }
}


class Ports:
    """The ports of one case, `upstreams` and more `listeners` by name, and its files."""

    def __init__(self, listener, upstreams, files=None, listeners=None):
        self.listener = listener
        self.listeners = listeners or {}
        self.upstreams = upstreams
        self.files = files

    @property
    def upstream(self):
        """The port of the main upstream."""
        return self.upstreams[MAIN]


def of_group(cases, ports, admin_port, folder):
    """The bootstrap, as text, of `cases`. `ports`: by case id. `folder`: where guests made on the fly are put."""
    if len(cases) == 1 and cases[0].get("text") is not None:
        return substitute(cases[0], cases[0].get("text"), ports[cases[0].id], admin_port)
    bootstrap = {
        "node": {"id": "conformance", "cluster": "conformance"},
        "admin": {"address": _address(admin_port)},
        "static_resources": {"listeners": [], "clusters": []},
    }
    for case in cases:
        resources = bootstrap["static_resources"]
        at = ports[case.id]
        if not sources.discovers(case, "listener"):
            resources["listeners"].append(named(case, listener(case, at, folder), at, admin_port))
        for made in [*_clusters(case, at, folder), *sources.clusters(case, at)]:
            resources["clusters"].append(named(case, made, at, admin_port))
        for service in _services(case, folder):
            bootstrap.setdefault("bootstrap_extensions", []).append(named(case, service, at, admin_port))
        for sink in _stats_sinks(case, folder):
            bootstrap.setdefault("stats_sinks", []).append(named(case, sink, at, admin_port))
        for log in _access_logs(case, "admin_log", folder).get("access_log", []):
            bootstrap["admin"].setdefault("access_log", []).append(named(case, log, at, admin_port))
    if cases[0].get("resolver"):
        bootstrap["typed_dns_resolver_config"] = _resolver(ports[cases[0].id].upstreams[cases[0].get("resolver")])
    if any(case.get("histograms") for case in cases):
        bootstrap["stats_flush_interval"] = "0.5s"
    if len(cases) == 1:
        bootstrap.update(named(cases[0], sources.bootstrap(cases[0]), ports[cases[0].id], admin_port))
        extra = (cases[0].get("config") or {}).get("bootstrap")
        if extra:
            bootstrap = merge(bootstrap, named(cases[0], extra, ports[cases[0].id], admin_port))
    return json.dumps(bootstrap, indent=1)


def listener(case, ports, folder):
    """The listener of a case."""
    config = case.get("config") or {}
    made = {"name": case.slug, "address": _address(ports.listener), **_access_logs(case, "listener_log", folder)}
    made["filter_chains"] = [_chain(case, chain, folder) for chain in config.get("chains", [{}])]
    if "default_chain" in config:
        made["default_filter_chain"] = _chain(case, config["default_chain"], folder)
    return merge(made, config.get("listener", {}))


def _chain(case, over, folder):
    """A filter chain: `over` laid on one of the filters that the case names."""
    config = case.get("config") or {}
    over = dict(over)
    tls_context = over.pop("downstream_tls", config.get("downstream_tls"))
    chain = {"filters": _network_filters(case, over.pop("filters", config.get("network")), folder)}
    if tls_context is not None:
        chain["transport_socket"] = _transport_socket("DownstreamTlsContext", tls_context)
    return merge(chain, over)


def _network_filters(case, named, folder):
    """The filters of a chain. Without `named`: the plugins `at` network, then tcp_proxy in a case of bytes, else the
    HTTP connection manager."""
    plugins = {plugin["name"]: plugin for plugin in case.plugins if plugin["at"] == "network"}
    if named is None:
        named = [{"plugin": name} for name in plugins] + [{"tcp_proxy" if case.get("tcp") else "hcm": {}}]
    made = []
    for item in named:
        if set(item) == {"plugin"}:
            made.append(wasm_filter(case, plugins[item["plugin"]], folder))
        elif set(item) == {"tcp_proxy"}:
            proxy = {"@type": _TYPE + _TCP_PROXY, "stat_prefix": case.slug, "cluster": _MAIN_CLUSTER}
            proxy.update(_access_logs(case, "access_log", folder))
            made.append(_filter("tcp_proxy", merge(proxy, item["tcp_proxy"])))
        elif set(item) == {"hcm"}:
            made.append(_filter("http_connection_manager", merge(_manager(case, folder), item["hcm"])))
        else:
            made.append(network_filter(item))
    return made


def _filter(name, config):
    return {"name": f"envoy.filters.network.{name}", "typed_config": config}


def network_filter(item):
    """A network filter, whose name and @type may be left out after `envoy.extensions.filters.network.`: {rbac.v3.RBAC: {…}}."""
    if "name" in item or len(item) != 1:
        return item
    message, config = next(iter(item.items()))
    return _filter(message.split(".")[0], {"@type": _TYPE + _NETWORK + message, **config})


def http_filter(item):
    """An HTTP filter, whose name and @type may be left out after `envoy.extensions.filters.http.`: {rbac.v3.RBAC: {…}}."""
    if "name" in item or len(item) != 1:
        return item
    message, config = next(iter(item.items()))
    return {"name": message.split(".")[0], "typed_config": {"@type": f"{_TYPE}envoy.extensions.filters.http.{message}", **config}}


def _manager(case, folder):
    config = case.get("config") or {}
    filters = [http_filter(item) for item in config.get("filters", [])]
    filters += [wasm_filter(case, plugin, folder) for plugin in case.plugins if plugin["at"] == "downstream"]
    router = {"@type": _TYPE + _ROUTER}
    upstream_filters = _upstream_filters(case, "router", folder)
    if upstream_filters:
        router["upstream_http_filters"] = upstream_filters
    filters.append({"name": "envoy.filters.http.router", "typed_config": merge(router, config.get("router", {}))})
    manager = {
        "@type": _TYPE + _HCM,
        "stat_prefix": case.slug,
        "codec_type": "AUTO",
        "route_config": {"name": "local", "virtual_hosts": virtual_hosts(config), **sources.of_routes(case)},
        "http_filters": filters,
        **_access_logs(case, "access_log", folder),
    }
    return merge(manager, config.get("hcm", {}))


def _resolver(port):
    config = {"@type": _TYPE + _CARES, "resolvers": [_address(port)]}
    return {"name": "envoy.network.dns_resolver.cares", "typed_config": config}


def _transport_socket(message, spec):
    """A TLS context: the message itself, in which `cert` (names of committed certificates), `ca` and `alpn` stand for what
    they come to in its common_tls_context."""
    spec = dict(spec)
    common = {}
    if "cert" in spec:
        names = spec.pop("cert")
        common["tls_certificates"] = [certificate(n) for n in (names if isinstance(names, list) else [names])]
    if "ca" in spec:
        common["validation_context"] = {"trusted_ca": {"filename": f"{{cert.{spec.pop('ca')}}}"}}
    if "alpn" in spec:
        common["alpn_protocols"] = spec.pop("alpn")
    context = merge({"@type": _TYPE + _TLS + message, **({"common_tls_context": common} if common else {})}, spec)
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def certificate(name):
    """The files of a committed certificate as a TlsCertificate."""
    return {"certificate_chain": {"filename": f"{{cert.{name}}}"}, "private_key": {"filename": f"{{key.{name}}}"}}


def virtual_hosts(config):
    """Those that a configuration names, or one with its routes."""
    if "virtual_hosts" in config:
        return config["virtual_hosts"]
    routes = config.get("routes") or [{"match": {"prefix": "/"}, "route": {"cluster": "{cluster}"}}]
    return [{"name": "local", "domains": ["*"], "routes": routes}]


def _clusters(case, ports, folder):
    config = case.get("config") or {}
    main = [] if sources.discovers(case, "cluster") else [{"name": _MAIN_CLUSTER, **config.get("cluster", {})}]
    specs = [*main, *config.get("clusters", [])]
    return [cluster(case, spec, ports, folder) for spec in specs]


def cluster(case, spec, ports, folder):
    """A cluster of a case, with the plugins that are `at` it, in the version of HTTP of its upstreams."""
    spec = _with_filters(case, spec, folder)
    return _cluster(_over_http2(spec) if case.http2("upstream") else spec, ports)


def _with_filters(case, spec, folder):
    """A cluster with the plugins that are `at` it as upstream filters."""
    at = "upstream" if spec["name"] == _MAIN_CLUSTER else spec["name"]
    filters = _upstream_filters(case, at, folder)
    if not filters:
        return spec
    options = {"@type": _TYPE + _HTTP_OPTIONS, "http_filters": filters}
    spec = merge({"typed_extension_protocol_options": {_HTTP_OPTIONS: options}}, spec)
    if not any(key.endswith("_config") for key in spec["typed_extension_protocol_options"][_HTTP_OPTIONS]):
        protocol = {"explicit_http_config": {"http_protocol_options": {}}}
        return merge(spec, {"typed_extension_protocol_options": {_HTTP_OPTIONS: protocol}})
    return spec


def _upstream_filters(case, at, folder):
    """The plugins `at` that place and what ends every chain there; nothing without plugins."""
    filters = [wasm_filter(case, plugin, folder) for plugin in case.plugins if plugin["at"] == at]
    if filters:
        filters.append({"name": "envoy.filters.http.upstream_codec", "typed_config": {"@type": _TYPE + _CODEC}})
    return filters


def _over_http2(spec):
    """A cluster that speaks HTTP/2 unless it says otherwise; options of HTTP/1 alone, as a variant has them, give way."""
    spec = merge(_HTTP2_CLUSTER, spec)
    explicit = spec["typed_extension_protocol_options"][_HTTP_OPTIONS].get("explicit_http_config") or {}
    if len(explicit) > 1:
        explicit.pop("http_protocol_options", None)
    return spec


def _cluster(over, ports):
    """A cluster: `over` laid on one of the main upstream, or of those that its `endpoints` names."""
    over = dict(over)
    if "upstream_tls" in over:
        over["transport_socket"] = _transport_socket("UpstreamTlsContext", over.pop("upstream_tls"))
    groups = over.pop("endpoints", [MAIN])
    made = {
        "name": over["name"],
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": over["name"], "endpoints": localities(groups, ports)},
    }
    return merge(made, over)


def localities(groups, ports):
    """The endpoints of a ClusterLoadAssignment: a list of upstreams, or a list of those by priority."""
    groups = groups if any(isinstance(group, list) for group in groups) else [groups]
    return [
        {**({"priority": priority} if priority else {}), "lb_endpoints": [_endpoint(item, ports) for item in group]}
        for priority, group in enumerate(groups)
    ]


def _endpoint(item, ports):
    """An upstream's name, or {upstream: NAME} with more of the LbEndpoint message."""
    over = {"upstream": item} if isinstance(item, str) else dict(item)
    address = _address(ports.upstreams[over.pop("upstream")])
    return merge({"endpoint": {"address": address}}, over)


def _services(case, folder):
    """The plugins that run beside the listeners, on every thread or on the main thread alone."""
    for plugin in case.plugins:
        if plugin["at"] in ("service", "singleton"):
            config = {"@type": _TYPE + _SERVICE, "config": _plugin(case, plugin, folder)}
            if plugin["at"] == "singleton":
                config["singleton"] = True
            yield {"name": plugin.get("filter_name", "envoy.bootstrap.wasm"), "typed_config": config}


def _access_logs(case, at, folder):
    """The field `access_log` with the plugins `at` that place, if there are any."""
    logs = []
    for plugin in case.plugins:
        if plugin["at"] == at:
            config = {"@type": _TYPE + _ACCESS_LOG, "config": _plugin(case, plugin, folder)}
            log = {"name": plugin.get("filter_name", "envoy.access_loggers.wasm"), "typed_config": config}
            logs.append({**log, **({"filter": plugin["log_filter"]} if "log_filter" in plugin else {})})
    return {"access_log": logs} if logs else {}


def _stats_sinks(case, folder):
    for plugin in case.plugins:
        if plugin["at"] == "stats_sink":
            config = {"@type": _TYPE + _STATS_SINK, "config": _plugin(case, plugin, folder)}
            yield {"name": plugin.get("filter_name", "envoy.stat_sinks.wasm"), "typed_config": config}


def wasm_filter(case, plugin, folder):
    """A plugin as a filter."""
    network = plugin["at"] == "network"
    return {
        "name": plugin.get("filter_name", "envoy.filters.network.wasm" if network else "envoy.filters.http.wasm"),
        "typed_config": {
            "@type": _TYPE + (_NETWORK_WASM if network else _WASM),
            "config": _plugin(case, plugin, folder),
        },
    }


def _plugin(case, plugin, folder):
    """A PluginConfig."""
    vm = {
        "vm_id": plugin.get("vm_id", case.id),
        "code": {"local": _code(case, plugin, folder)},
    }
    if "vm_configuration" in plugin:
        vm["configuration"] = _string(plugin["vm_configuration"])
    config = {"name": plugin["name"], "root_id": plugin["root_id"], "vm_config": merge(vm, plugin.get("vm", {}))}
    script = plugin.get("script")
    if script is not None:
        config["configuration"] = _string(script)
    return merge(config, plugin.get("config", {}))


def _code(case, plugin, folder):
    guest = plugin["guest"]
    if isinstance(guest, str):
        return {"filename": str(guest_path(guest))}
    data = pieces.to_bytes(guest["bytes"])
    path = folder / f"{case.slug}-{hashlib.sha256(data).hexdigest()[:8]}.wasm"
    path.write_bytes(data)
    return {"filename": str(path)}


def _string(value):
    return {"@type": _TYPE + "google.protobuf.StringValue", "value": value}


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def named(case, value, ports, admin_port):
    """`value` with the placeholders in its strings, keys of mappings too, filled in."""
    if isinstance(value, dict):
        return {substitute(case, k, ports, admin_port): named(case, v, ports, admin_port) for k, v in value.items()}
    if isinstance(value, list):
        return [named(case, v, ports, admin_port) for v in value]
    if isinstance(value, str):
        source = sources.placeholder(case, value)
        if source is not None:
            return named(case, source, ports, admin_port)
        text = substitute(case, value, ports, admin_port)
        return int(text) if text != value and text.isdigit() else text
    return value


def substitute(case, text, ports, admin_port):
    """`text` with its placeholders filled in."""
    if ports.files is not None:
        text = re.sub(r"\{file\.([\w.-]+)\}", lambda found: str(ports.files.path(found[1])), text)
        text = text.replace("{folder}", str(ports.files.folder))
    text = certificates(text)
    for key, value in placeholders(case, ports, admin_port).items():
        text = text.replace(key, value)
    return text


def certificates(text):
    """`text` with the paths of the committed files in place of {cert.NAME}, {key.NAME} and {crl.NAME}."""
    endings = {"cert": "pem", "key": "key", "crl": "crl"}
    return re.sub(
        r"\{(cert|key|crl)\.([\w-]+)\}", lambda found: str(tls.CERTIFICATES / f"{found[2]}.{endings[found[1]]}"), text
    )


def placeholders(case, ports, admin_port):
    """What the placeholders in a case's strings stand for."""
    return {
        "{cluster}": f"up_{case.slug}",
        "{stat}": case.slug,
        "{id}": case.id,
        "{listener_port}": str(ports.listener),
        **{f"{{listener_port.{name}}}": str(port) for name, port in ports.listeners.items()},
        "{upstream_port}": str(ports.upstream),
        **{f"{{port.{name}}}": str(port) for name, port in ports.upstreams.items()},
        "{admin_port}": str(admin_port),
        "{probe}": str(guest_path("probe")),
    }
