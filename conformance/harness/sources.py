"""What the bootstrap of a case with `xds` says of where resources come from."""

import re

from .case import PLANE, merge

_CLUSTER = "control_plane"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_PLACEHOLDER = re.compile(r"^\{xds\.(\w+)\}$")
# What a bootstrap asks for by itself; all else is asked for by what names it.
_ROOTS = {"cluster": "cds_config", "listener": "lds_config"}


def roots(case):
    """Which of clusters and listeners the proxy asks for: `asks`, or those of the first resources."""
    xds = case.get("xds") or {}
    return [kind for kind in _ROOTS if kind in xds.get("asks", xds.get("first") or {})]


def discovers(case, kind):
    """Whether clusters, or listeners, are taken from a control plane or from a file."""
    return kind in roots(case)


def placeholder(case, text):
    """What stands for `{xds.KIND}`: the ConfigSource of a kind of resources; None of other text."""
    found = _PLACEHOLDER.match(text)
    return _source(case, found[1]) if found and case.get("xds") else None


def _source(case, kind):
    xds = case.get("xds")
    how = xds.get("streams", "ads")
    if how == "files":
        made = {"path_config_source": {"path": f"{{file.{kind}.json}}"}}
    elif how == "own":
        made = {"resource_api_version": "V3", "api_config_source": _api(xds)}
    else:
        made = {"resource_api_version": "V3", "ads": {}}
    return merge(made, (xds.get("sources") or {}).get(kind, {}))


def _api(xds):
    api = {
        "api_type": "DELTA_GRPC" if xds.get("protocol") == "delta" else "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": _CLUSTER}}],
    }
    return merge(api, xds.get("api", {}))


def of_routes(case):
    """More of a route configuration: its clusters need not be known where they may come later."""
    return {"validate_clusters": False} if case.get("xds") else {}


def clusters(case, ports):
    """The cluster of the control plane, if there is one."""
    if PLANE not in ports.upstreams:
        return []
    xds = case.get("xds")
    address = {"socket_address": {"address": "127.0.0.1", "port_value": ports.upstreams[PLANE]}}
    made = {
        "name": _CLUSTER,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": _CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": "type.googleapis.com/" + _HTTP_OPTIONS,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
    return [merge(made, xds.get("cluster", {}))]


def bootstrap(case):
    """The bootstrap's `dynamic_resources`."""
    xds = case.get("xds")
    if not xds:
        return {}
    made = {_ROOTS[kind]: _source(case, kind) for kind in roots(case)}
    if xds.get("streams", "ads") == "ads":
        made["ads_config"] = _api(xds)
    return {"dynamic_resources": made} if made else {}
