"""What is discovered: the kinds of resources, and each resource of a case in short or in full as a message."""

import copy

from . import bootstrap, messages
from .case import Case, merge
from .pieces import to_bytes

_TYPE = "type.googleapis.com/"


class Kind:
    """One type of resource. `key`: the field that holds a resource's name. `service`: the one that serves it alone."""

    def __init__(self, message, service, methods, key="name"):
        self.type_url = _TYPE + message
        self.paths = {f"/{service}/{method}" for method in (f"Stream{methods}", f"Delta{methods}")}
        self.key = key


KINDS = {
    "cluster": Kind("envoy.config.cluster.v3.Cluster", "envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters"),
    "endpoint": Kind(
        "envoy.config.endpoint.v3.ClusterLoadAssignment",
        "envoy.service.endpoint.v3.EndpointDiscoveryService",
        "Endpoints",
        "cluster_name",
    ),
    "listener": Kind("envoy.config.listener.v3.Listener", "envoy.service.listener.v3.ListenerDiscoveryService", "Listeners"),
    "route": Kind("envoy.config.route.v3.RouteConfiguration", "envoy.service.route.v3.RouteDiscoveryService", "Routes"),
    "secret": Kind(
        "envoy.extensions.transport_sockets.tls.v3.Secret", "envoy.service.secret.v3.SecretDiscoveryService", "Secrets"
    ),
    "extension": Kind(
        "envoy.config.core.v3.TypedExtensionConfig",
        "envoy.service.extension.v3.ExtensionConfigDiscoveryService",
        "ExtensionConfigs",
    ),
    "runtime": Kind("envoy.service.runtime.v3.Runtime", "envoy.service.runtime.v3.RuntimeDiscoveryService", "Runtime"),
}
# Kinds of which all are meant where no name is.
WILDCARDS = {"cluster", "listener"}


def kind_of(type_url):
    """The kind of a type URL, or the URL itself."""
    return next((name for name, kind in KINDS.items() if kind.type_url == type_url), type_url)


class Resource:
    """A resource: `name`, the `body`, an Any, and what else of the message Resource the case gives it in `wrapper`. `raw`: it is
    sent whatever is asked for. `version` is that since which it is so."""

    def __init__(self, name, body, wrapper=None, raw=False):
        self.name = name
        self.body = body
        self.wrapper = wrapper
        self.raw = raw
        self.version = ""


class Maker:
    """Makes the resources of one case. `folder`: where guests made on the fly are put."""

    def __init__(self, case, ports, admin_port, folder):
        self._case = case
        self._ports = ports
        self._admin = admin_port
        self._folder = folder

    def resource(self, kind, spec):
        """A resource as a case describes it: short (README.md), in full with @type, `any: {type_url, bytes}`, and with `wrapped`,
        {ttl, version, name, …}, of the message Resource."""
        spec = dict(spec)
        wrapper = spec.pop("wrapped", None)
        if "any" in spec:
            body = messages.packed({"type_url": spec["any"]["type_url"], "value": to_bytes(spec["any"].get("bytes"))})
            return Resource(spec["any"].get("name", ""), body, wrapper, True)
        data = self.data(kind, spec)
        return Resource(data.get(KINDS[kind].key, ""), messages.packed(data), wrapper)

    def filled(self, value):
        """Text, a list or a mapping with placeholders filled in."""
        return bootstrap.named(self._case, value, self._ports, self._admin)

    def data(self, kind, spec):
        """The resource as data with its @type, placeholders filled in."""
        if "@type" not in spec:
            made = getattr(self, f"_{kind}")(copy.deepcopy(spec))
            spec = {"@type": KINDS[kind].type_url, **made}
        return self.filled(spec)

    def _listener(self, spec):
        case = self._with(spec)
        return merge(bootstrap.listener(case, self._ports, self._folder), spec)

    def _with(self, spec):
        """The case with the keys `config`, `script` and `plugins` of a resource laid over its own; they are taken out of it."""
        data = dict(self._case.data)
        own = {key: spec.pop(key) for key in ("script", "plugins") if key in spec}
        if own:
            data = {key: value for key, value in data.items() if key not in ("script", "plugins")} | own
        data["config"] = merge(data.get("config") or {}, {**_said(spec), **spec.pop("config", {})})
        return Case(self._case.id, data)

    def _cluster(self, spec):
        case = self._with(spec) if "script" in spec or "plugins" in spec else self._case
        if "padding" in spec:
            spec = merge(spec, {"metadata": {"filter_metadata": {"padding": {"of": "x" * spec.pop("padding")}}}})
        main = {"name": "{cluster}", **((self._case.get("config") or {}).get("cluster") or {})}
        spec = merge(main, spec) if spec.get("name", "{cluster}") == "{cluster}" else spec
        if "eds" in spec:
            discovered = {"eds_config": "{xds.endpoint}", **(spec.pop("eds") or {})}
            spec = {"type": "EDS", "load_assignment": None, "eds_cluster_config": discovered, **spec}
        return bootstrap.cluster(case, spec, self._ports, self._folder)

    def _endpoint(self, spec):
        groups = spec.pop("endpoints", ["main"])
        return {"cluster_name": "{cluster}", "endpoints": bootstrap.localities(groups, self._ports), **spec}

    def _route(self, spec):
        hosts = _said(spec) | {key: spec.pop(key) for key in ("routes", "virtual_hosts") if key in spec}
        return {"name": "local", "virtual_hosts": bootstrap.virtual_hosts(hosts), **spec}

    def _secret(self, spec):
        made = {}
        if "cert" in spec:
            made["tls_certificate"] = bootstrap.certificate(spec.pop("cert"))
        if "ca" in spec:
            made["validation_context"] = {"trusted_ca": {"filename": f"{{cert.{spec.pop('ca')}}}"}}
        return {"name": "server", **made, **spec}

    def _extension(self, spec):
        """`filter`: {rbac.v3.RBAC: {…}}, `network_filter`: the same; or a plugin: the keys of one of `plugins`."""
        name = spec.pop("name", "extension")
        if "typed_config" in spec:
            return {"name": name, **spec}
        if "filter" in spec:
            return {"name": name, "typed_config": bootstrap.http_filter(spec["filter"])["typed_config"]}
        if "network_filter" in spec:
            return {"name": name, "typed_config": bootstrap.network_filter(spec["network_filter"])["typed_config"]}
        plugin = {"name": "p", "root_id": "r", "guest": "probe", "at": "downstream", **spec}
        return {"name": name, "typed_config": bootstrap.wasm_filter(self._case, plugin, self._folder)["typed_config"]}

    def _runtime(self, spec):
        return {"name": "runtime", **spec}


def _said(spec):
    """`says: TEXT`, taken out of a listener or a route configuration: the only route answers with the text."""
    if "says" not in spec:
        return {}
    return {"routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": spec.pop("says")}}}]}
