"""A proxy under load while a control plane changes its listeners, plugins, routes, clusters and endpoints, well and badly."""

import argparse
import asyncio
import json
import re
import tempfile
from pathlib import Path

from . import bootstrap, environment, planes
from .case import MAIN, PLANE, Case
from .discovered import Discovered
from .files import Files
from .load import Load
from .process import Proxy, free_port

_RDS = {"route_config_name": "local", "config_source": "{xds.route}"}
# A drain counts whole seconds: one of a second ends before it has told any connection.
_ARGUMENTS = ["--drain-time-s", "2", "--component-log-level", "wasm:warning", "--concurrency", "2"]
_LAST_WAIT = 30.0
# What is measured of memory comes after so many of all updates: by then caches and pools are full.
_WARM = 0.3
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def main(arguments):
    """Runs; the exit code: 1 if a request failed, an update was lost or something was left behind."""
    parser = argparse.ArgumentParser(
        prog="conformance/updates",
        description="Pushes updates under load: no request may fail, all updates are answered, and no VM is left behind.",
    )
    parser.add_argument("--count", type=int, default=1000, help="of updates (default: 1000)")
    parser.add_argument("--rate", type=float, default=10.0, help="of updates in a second (default: 10)")
    parser.add_argument("--connections", type=int, default=8, help="that send requests all the time (default: 8)")
    parser.add_argument("--delta", action="store_true", help="the incremental protocol")
    parser.add_argument("--control-plane", choices=planes.NAMES, help="one that others wrote, in place of the harness")
    parser.add_argument("--sandgate", metavar="PATH", help="the binary (default: $SANDGATE, or the newer in target/)")
    parser.add_argument("--envoy", action="store_true", help="Envoy in place of Sandgate")
    options = parser.parse_args(arguments)
    command = environment.envoy() if options.envoy else environment.sandgate(options.sandgate)
    found = asyncio.run(_run(command, options))
    print(json.dumps(found, indent=1))
    return 1 if found["problems"] else 0


class _Upstream:
    """Answers every request at once, and keeps nothing."""

    def __init__(self):
        self._server = None
        self.port = 0

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def stop(self):
        self._server.close()


def _script(version):
    return f'on response_headers:\n quiet add_header_map_value(2, "x-version", "{version}")'


def _case(delta):
    config = {"hcm": {"route_config": None, "rds": _RDS}}
    first = {"cluster": [{"eds": {}}], "endpoint": [{}], "listener": [{"script": _script("first")}], "route": [_routes("first")]}
    xds = {"first": first, "protocol": "delta" if delta else "sotw"}
    return Case("updates/run", {"title": "updates", "config": config, "upstreams": {"b": {}}, "ports": ["b"], "xds": xds})


def _routes(version):
    added = [{"header": {"key": "x-routes", "value": version}}]
    return {"routes": [{"match": {"prefix": "/"}, "route": {"cluster": "{cluster}"}, "response_headers_to_add": added}]}


def update(number):
    """What the update changes: all resources of its kinds."""
    turn, step = divmod(number, 10)
    version = f"{number}"
    plugin = {"guest": "probe" if turn % 2 else "probe/probe-0.2.0", "script": _script(version)}
    second = {"name": "b", "script": _script("b"), "address": {"socket_address": {"port_value": "{listener_port.b}"}}}
    endpoints = {"endpoints": [["main"], ["b"], ["main", "b"]][turn % 3]}
    # A cluster that changes waits for its endpoints, which a control plane therefore sends again.
    cluster = {"eds": {}, "connect_timeout": f"{2 + turn % 7}s"}
    return [
        {"listener": [{"script": _script(version)}]},
        {"route": [_routes(version)]},
        {"endpoint": [endpoints]},
        {"listener": [{"plugins": [{"guest": "configure-false"}]}]},
        {"cluster": [cluster], "endpoint": [endpoints], "again": True},
        {"route": [{"routes": [{"match": {"safe_regex": {"regex": "("}}, "direct_response": {"status": 200}}]}]},
        {"listener": [{"plugins": [plugin]}, *([second] if turn % 2 else [])]},
        {"endpoint": [{"endpoints": [{"upstream": "main", "endpoint": {"address": {"socket_address": {"address": "1.2.3.4.5"}}}}]}]},
        {"cluster": [cluster, {"name": "more", "endpoints": ["b"]}]},
        {"cluster": [cluster, {"name": "wrong", "type": "STATIC", "lb_policy": "CLUSTER_PROVIDED"}]},
    ][step]


class _Clients(Load):
    """Counts what the answers were, and keeps none."""

    def __init__(self, port):
        super().__init__({"requests": 1 << 62}, port)
        self.requests = 0
        self.failed = {}

    def start(self, connections):
        """Sends requests until `end`."""
        return [asyncio.ensure_future(self._one()) for _ in range(connections)]

    async def _ask(self, peer):
        answer, last = await super()._ask(peer)
        peer.received.clear()
        self._answers.clear()
        self.requests += 1
        if answer != "200 ok":
            self.failed[answer] = self.failed.get(answer, 0) + 1
        return answer, last


async def _run(command, options):
    case = _case(options.delta)
    with tempfile.TemporaryDirectory(prefix="updates-") as name:
        folder, admin = Path(name), free_port()
        plane = planes.Planes(options.control_plane).of(case.get("xds"))
        upstreams = {MAIN: _Upstream(), "b": _Upstream(), PLANE: plane}
        for upstream in upstreams.values():
            await upstream.start()
        at = {name: upstream.port for name, upstream in upstreams.items()}
        ports = bootstrap.Ports(free_port(), at, Files(folder, case), {"b": free_port()})
        discovered = Discovered(case, upstreams, ports, admin, folder)
        discovered.begin()
        config = folder / "bootstrap.yaml"
        config.write_text(bootstrap.of_group([case], {case.id: ports}, admin, folder))
        proxy = Proxy(command, folder, admin, _ARGUMENTS)
        try:
            await proxy.start(["-c", str(config)])
            return await _Run(proxy, discovered, plane, ports.listener, options).run()
        finally:
            await proxy.stop()
            for upstream in upstreams.values():
                await upstream.stop()


class _Run:
    def __init__(self, proxy, discovered, plane, port, options):
        self._proxy = proxy
        self._discovered = discovered
        self._plane = plane
        self._port = port
        self._options = options

    async def run(self):
        """The figures, and under `problems` what should not be."""
        clients = _Clients(self._port)
        late = await self._holds("first")
        vms = await self._vms()
        tasks = clients.start(self._options.connections)
        warm, peaks = None, []
        begun = asyncio.get_running_loop().time()
        for number in range(self._options.count):
            await asyncio.sleep(max(0.0, begun + number / self._options.rate - asyncio.get_running_loop().time()))
            await self._push(number, update(number))
            if number == int(self._options.count * _WARM):
                warm = self._memory()
            peaks.append(self._memory())
        seconds = asyncio.get_running_loop().time() - begun
        late += await self._last(number + 1)
        clients.end()
        await asyncio.gather(*tasks)
        left = await self._left(vms)
        told = [] if self._options.envoy else await self._proxy.statuses()
        wrong = [f"status of a resource: {status}" for status in told if not status.endswith(" ACKED")]
        problems = [*([f"{clients.failed} of the answers"] if clients.failed else []), *late, *left, *wrong]
        stats = await self._proxy.stats()
        counted = ("lds.update_success", "lds.update_rejected", "cds.update_success", "cds.update_rejected")
        return {
            "updates": self._options.count,
            "seconds": round(seconds, 1),
            "requests": clients.requests,
            **{key: next((v for n, v in stats.items() if n.endswith(key)), None) for key in counted},
            "memory_kib": {"warm": warm, "most": max(peaks), "end": self._memory()},
            "vms": {"start": vms, "end": await self._vms()},
            "resources": len(told),
            "problems": problems,
        }

    async def _push(self, number, resources):
        await self._discovered.run({"push": {"version": f"u{number}", **resources}})

    async def _last(self, number):
        """Puts all back to what there was at the start, under a name of its own, and waits until it holds."""
        good = {"listener": [{"script": _script("last")}], "route": [_routes("last")]}
        await self._push(number, {"cluster": [{"eds": {}}], "endpoint": [{}], "again": True, **good})
        return await self._holds("last")

    async def _holds(self, version):
        """Waits until plugin and routes are of that version."""
        end = asyncio.get_running_loop().time() + _LAST_WAIT
        while asyncio.get_running_loop().time() < end:
            head = await self._head()
            if f"x-version: {version}\r\n" in head and f"x-routes: {version}\r\n" in head:
                return []
            await asyncio.sleep(0.05)
        return [f"the {version} update does not hold"]

    async def _head(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            return (await reader.read()).partition(b"\r\n\r\n")[0].decode("latin-1") + "\r\n"
        finally:
            writer.close()

    async def _left(self, vms):
        """What is still there of what has been replaced, after a while."""
        end = asyncio.get_running_loop().time() + _LAST_WAIT
        while True:
            stats = await self._proxy.stats()
            draining = {name: n for name, n in stats.items() if re.search(r"total_\w+_draining$", name) and n}
            if not draining and await self._vms() == vms:
                return []
            if asyncio.get_running_loop().time() > end:
                return [f"left behind: {draining or ''} {await self._vms()} VMs, {vms} at the start"]
            await asyncio.sleep(0.1)

    async def _vms(self):
        stats = await self._proxy.stats()
        return sum(n for name, n in stats.items() if re.fullmatch(r"wasm\..*\.active", name))

    def _memory(self):
        return self._proxy.resident()
