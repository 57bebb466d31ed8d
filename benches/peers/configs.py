"""The same proxy in each one's language."""

import json
from dataclasses import dataclass

from .process import free_port

WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
NETWORK_WASM = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm"
TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

NGINX = """
worker_processes {workers}; daemon off; pid {dir}/nginx.pid; error_log {dir}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {dir}/nginx-body; proxy_temp_path {dir}/nginx-proxy;
  fastcgi_temp_path {dir}/nginx-f; uwsgi_temp_path {dir}/nginx-u; scgi_temp_path {dir}/nginx-s;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096{listen};
    http2_max_concurrent_streams 128; {tls}
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread {workers}
  maxconn 8192
  tune.ssl.cachesize {sessions}
defaults
  {mode}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend main
  bind 127.0.0.1:{port}{listen}
  default_backend up
backend up
  server one 127.0.0.1:{upstream}
"""


@dataclass(frozen=True)
class Wire:
    """What is spoken to a proxy, and by it."""

    http2: bool = False
    tls: bool = False
    http2_upstream: bool = False
    # Clients get tickets and sessions to resume.
    resumes: bool = True
    # The proxy passes on what comes on a connection, whatever it is.
    tcp: bool = False

    @property
    def scheme(self):
        return "https" if self.tls else "http"


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def wasm_filter(name, runtime, path, configuration, wire):
    plugin = {"name": name, "root_id": name, "vm_config": {"vm_id": name, "runtime": runtime, "code": {"local": {"filename": str(path)}}}}
    if configuration:
        plugin["configuration"] = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration}
    return {"name": name, "typed_config": {"@type": NETWORK_WASM if wire.tcp else WASM, "config": plugin}}


def envoy(port, admin, upstream, filters, wire, directory):
    """A bootstrap, as Envoy and Sandgate take it; room for the largest body."""
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}
    routes = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}]}
    manager = {"@type": HCM, "stat_prefix": "bench", "route_config": routes, "http_filters": [*filters, router]}
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    if wire.tcp:
        end = {"name": "envoy.filters.network.tcp_proxy", "typed_config": {"@type": TCP_PROXY, "stat_prefix": "bench", "cluster": "up"}}
        chain = {"filters": [*filters, end]}
    if wire.tls:
        files = [{"certificate_chain": {"filename": str(directory / "cert.pem")}, "private_key": {"filename": str(directory / "key.pem")}}]
        context = {"@type": TLS, "common_tls_context": {"tls_certificates": files, "alpn_protocols": ["h2", "http/1.1"]}}
        if not wire.resumes:
            context |= {"disable_stateless_session_resumption": True, "disable_stateful_session_resumption": True}
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    limit = 4 * 1024 * 1024
    listener = {"name": "main", "address": address(port), "per_connection_buffer_limit_bytes": limit, "filter_chains": [chain]}
    endpoints = {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}
    cluster = {"name": "up", "type": "STATIC", "per_connection_buffer_limit_bytes": limit, "load_assignment": endpoints}
    if wire.http2_upstream:
        options = {"@type": OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
        cluster["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    return {"admin": {"address": address(admin)}, "static_resources": {"listeners": [listener], "clusters": [cluster]}}


def listening(proxy, wire, directory):
    """What nginx or haproxy adds to the place where it listens, and what nginx says of TLS."""
    if proxy == "nginx":
        pair = f"ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;" if wire.tls else ""
        if wire.tls and not wire.resumes:
            pair += " ssl_session_tickets off; ssl_session_cache off;"
        return (" ssl" if wire.tls else "") + (" http2" if wire.http2 else ""), pair
    if wire.tls:
        return f" ssl crt {directory}/both.pem alpn h2,http/1.1" + ("" if wire.resumes else " no-tls-tickets"), ""
    return " proto h2" if wire.http2 else "", ""


def isolation(plugins):
    """Sandgate's own extension that gives each stream an instance of these plugins."""
    settings = [{"name": name, "isolation": "STREAM"} for name, _, _ in plugins]
    return {"name": "plugins", "typed_config": {"@type": "type.googleapis.com/sandgate.v1.WasmPlugins", "plugins": settings}}


def command(proxy, binary, directory, upstream, workers, plugins, wire=Wire(), cache="modules", isolated=False):
    """The command line of a proxy, the port that it serves, and where it says that it is ready. `cache` is Sandgate's directory of compiled
    modules."""
    port = free_port()
    if proxy in ("nginx", "haproxy"):
        template = NGINX if proxy == "nginx" else HAPROXY
        path = directory / f"{proxy}-{port}.conf"
        listen, tls = listening(proxy, wire, directory)
        path.write_text(
            template.format(
                dir=directory, port=port, upstream=upstream.port, workers=workers, listen=listen, tls=tls,
                sessions=20000 if wire.resumes else 0, mode="mode tcp" if wire.tcp else "mode http\n  http-reuse always",
            )
        )
        line = [binary, "-c", str(path), "-p", str(directory)] if proxy == "nginx" else [binary, "-f", str(path), "-db"]
        return line, port, None
    admin = free_port()
    runtime = "envoy.wasm.runtime.v8" if proxy == "envoy" else "envoy.wasm.runtime.wasmtime"
    filters = [wasm_filter(name, runtime, path, configuration, wire) for name, path, configuration in plugins]
    path = directory / f"{proxy}-{port}.json"
    target = upstream.http2_port if wire.http2_upstream else upstream.port
    bootstrap = envoy(port, admin, target, filters, wire, directory)
    if isolated:
        bootstrap["bootstrap_extensions"] = [isolation(plugins)]
    path.write_text(json.dumps(bootstrap))
    line = [binary] if proxy == "envoy" else [binary, "run"]
    line += ["-c", str(path), "--concurrency", str(workers), "-l", "error", "--base-id", str(port)]
    if proxy == "sandgate":
        line += ["--wasm-cache", str(directory / cache)]
    return line, port, (admin, "/ready")
