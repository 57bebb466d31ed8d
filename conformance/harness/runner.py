"""Runs cases against one proxy binary: groups them into processes, collects what each case observed."""

import asyncio
import re
import tempfile
from pathlib import Path

from . import asked, bootstrap, normalise, unsteady
from .client import Client
from .engine import Engine
from .files import Files
from .case import MAIN, PLANE
from .discovered import Discovered
from .nameserver import NameServer, is_name_server
from .planes import Planes
from .process import Proxy, StartFailed, free_port
from .sink import Sink, is_sink
from .steps import Steps
from .upstream import Upstream

_GROUP = 40
_AT_ONCE = 10
_CASE_WAIT = 45.0


async def run(command, cases, jobs, engine=Engine(), planes=Planes()):
    """What each case observed, by case id, normalised. `jobs`: processes at once. `engine`: that plugins run on."""
    results = {}
    slots = asyncio.Semaphore(jobs)

    async def one(group):
        async with slots:
            results.update(await _Group(command, group, engine, planes).run())

    await asyncio.gather(*(one(group) for group in _groups(cases)))
    return results


def _groups(cases):
    """Cases that need a process of their own first (they are the slow ones), then the others in groups."""
    groups = [[case] for case in cases if case.alone]
    together = [case for case in cases if not case.alone]
    count = max(1, -(-len(together) // _GROUP))
    groups += [together[i::count] for i in range(count)]
    return [group for group in groups if group]


class _Group:
    def __init__(self, command, cases, engine, planes):
        self._command = command
        self._engine = engine
        self._planes = planes
        self._cases = cases
        self._upstreams = {}
        self._ports = {}
        self._discovered = {}
        self._admin = free_port()

    async def run(self):
        """The results; a group that does not start or does not survive is halved until the culprit is alone."""
        with tempfile.TemporaryDirectory(prefix="conformance-") as name:
            folder = Path(name)
            try:
                return await self._run(folder)
            except _Halve:
                pass
            finally:
                await asyncio.gather(*(u.stop() for by_name in self._upstreams.values() for u in by_name.values()))
        middle = len(self._cases) // 2
        halves = [_Group(self._command, part, self._engine, self._planes) for part in (self._cases[:middle], self._cases[middle:])]
        results = {}
        for half in halves:
            results.update(await half.run())
        return results

    async def _run(self, folder):
        await self._reserve(folder)
        for case in self._cases:
            made = Discovered(case, self._upstreams[case.id], self._ports[case.id], self._admin, folder)
            made.begin()
            self._discovered[case.id] = made
        text = self._engine.configured(bootstrap.of_group(self._cases, self._ports, self._admin, folder))
        config = folder / "bootstrap.yaml"
        config.write_text(text)
        launch = self._cases[0].get("launch", "file")
        first = self._cases[0]
        proxy = Proxy(
            self._resolving(first, folder),
            folder,
            self._admin,
            self._arguments(first) if first.alone else (),
            first.get("environment") if first.alone else None,
        )
        try:
            try:
                await proxy.start({"file": ["-c", str(config)], "yaml": ["--config-yaml", text], "none": []}[launch], _is_ready(first))
            except StartFailed as error:
                return self._not_started(error, proxy, folder)
            return await self._traffic(proxy, folder)
        finally:
            await proxy.stop()

    def _resolving(self, case, folder):
        """The command, which sees a resolv.conf that names the case's `resolver`, if it is Envoy, whose plugins ask nobody else."""
        if not case.get("resolver") or not self._command[0].endswith("envoy"):
            return self._command
        path = folder / "resolv.conf"
        path.write_text(f"nameserver 127.0.0.1:{self._ports[case.id].upstreams[case.get('resolver')]}\n")
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(path), *self._command]

    def _arguments(self, case):
        ports = self._ports[case.id]
        return [bootstrap.substitute(case, argument, ports, self._admin) for argument in case.get("arguments", [])]

    async def _reserve(self, folder):
        for case in self._cases:
            made = {name: self._upstream(spec, name, case) for name, spec in case.upstreams.items()}
            self._upstreams[case.id] = made
            for upstream in made.values():
                await upstream.start()
            ports = {name: upstream.port for name, upstream in made.items()}
            listeners = {name: free_port() for name in case.get("ports", [])}
            self._ports[case.id] = bootstrap.Ports(free_port(), ports, Files(folder, case), listeners)

    def _not_started(self, error, proxy, folder):
        if len(self._cases) > 1:
            raise _Halve
        case = self._cases[0]
        result = {"exit": {"code": error.code}, "output": error.text}
        if case.plugins:
            found = proxy.log.of_case(case, True, host=False)
            result["log"] = {"main": found["main"] + found["worker"], "worker": []}
        self._add_files(case, result)
        return {case.id: normalise.result(case, result, self._known(case, folder, ()))}

    async def _traffic(self, proxy, folder):
        slots = asyncio.Semaphore(_AT_ONCE)
        clients, results = {}, {}

        async def one(case):
            async with slots:
                clients[case.id] = await self._client(case, proxy)

        await asyncio.gather(*(one(case) for case in self._cases))
        if proxy.alive():
            await proxy.settle(any(case.get("tcp") for case in self._cases))
        if not proxy.alive() and len(self._cases) > 1:
            raise _Halve
        for case in self._cases:
            record, client, steps = clients[case.id]
            results[case.id] = {"client": record, **self._received(case)}
            if steps.record:
                results[case.id]["steps"] = steps.record
            try:
                await self._asked(case, proxy, results[case.id])
            except TimeoutError:
                results[case.id]["client"] = {"error": ["the admin interface did not answer"]}
            proxy.log.poll()
        died = not proxy.alive()
        logs = {case.id: proxy.log.of_case(case, case.alone) for case in self._cases if not case.get("stop")}
        if any(case.get("stop") or case.get("exit") or case.get("files") for case in self._cases):
            await proxy.stop()
        proxy.log.poll()
        for case in self._cases:
            result = results[case.id]
            if _tells_log(case):
                result["log"] = logs.get(case.id) or proxy.log.of_case(case, case.alone)
            if died or case.get("exit"):
                result["exit"] = {"code": proxy.exit_code}
            self._add_files(case, result)
            known = self._known(case, folder, clients[case.id][1].local_ports)
            results[case.id] = normalise.result(case, result, known)
        return results

    def _received(self, case):
        made = self._upstreams[case.id]
        others = {name: upstream.record() for name, upstream in made.items() if name != MAIN}
        return {"upstream": made[MAIN].record(), **({"upstreams": others} if others else {})}

    def _add_files(self, case, result):
        if case.get("files"):
            result["files"] = self._ports[case.id].files.record(case.get("files"))

    async def _client(self, case, proxy):
        async def wait_log(pattern):
            await _line(proxy, case, pattern)

        made = self._upstreams[case.id]
        for upstream in made.values():
            upstream.use_log(wait_log)
        ports = self._ports[case.id]
        values = bootstrap.placeholders(case, ports, self._admin)
        steps = Steps(case, proxy, made, values, ports, self._discovered[case.id])
        client = Client(case, ports, made[MAIN], wait_log, steps)
        try:
            async with asyncio.timeout(_CASE_WAIT):
                record = await client.run()
                await asyncio.gather(*(upstream.settle() for upstream in made.values()))
        except TimeoutError:
            record = {"error": ["the case did not end"]}
        except OSError as error:
            record = {"error": [f"no connection: {error.strerror}"]}
        return record, client, steps

    async def _asked(self, case, proxy, result):
        """The stats and admin pages that the case names."""
        if not proxy.alive():
            return
        values = bootstrap.placeholders(case, self._ports[case.id], self._admin)
        if case.get("histograms"):
            result["histograms"] = await asked.histograms(proxy, case.get("histograms"), values)
        if case.get("stats"):
            result["stats"] = await asked.stats(proxy, case.get("stats"), values)
        if case.get("stats_of"):
            excepted = case.get("stats_except", [])
            result["stats_of"] = await asked.scopes(proxy, case.get("stats_of"), excepted, unsteady.is_unsteady, values)
        if case.get("pages"):
            pages = [await asked.page(proxy, page, values) for page in case.get("pages")]
            result["pages"] = {page.pop("page"): page for page in pages}

    def _upstream(self, spec, name, case):
        return self._planes.of(spec["xds"]) if name == PLANE else _upstream(spec, name, case)

    def _known(self, case, folder, client_ports):
        ports = self._ports[case.id]
        known = {str(ports.listener): "<listener port>", str(ports.upstream): "<upstream port>"}
        known |= {str(port): f"<{name} port>" for name, port in ports.upstreams.items() if name != MAIN}
        known |= {str(port): f"<listener port {name}>" for name, port in ports.listeners.items()}
        known |= {str(self._admin): "<admin port>"}
        for upstream in self._upstreams[case.id].values():
            known |= {str(port): "<proxy port>" for port in upstream.proxy_ports()}
        known |= {str(port): "<client port>" for port in client_ports}
        return normalise.Known(known, folder, self._engine.names())


def _upstream(spec, name, case):
    if is_sink(spec):
        return Sink(spec, name)
    if is_name_server(spec):
        return NameServer(spec, name)
    return Upstream(spec, name, case.restarts, any("until" in step for step in case.steps))


def _is_ready(case):
    """Whether the traffic of a case waits until the proxy says that it is ready."""
    return (case.get("xds") or {}).get("ready", True)


def _tells_log(case):
    """Of a case with discovered resources, whose requests may be repeated, the log is told if a line of it is awaited."""
    awaited = case.get("xds") and any("wait_log" in step for step in case.steps)
    return awaited or (not case.get("xds") and bool(case.plugins or case.get("text")))


class _Halve(Exception):
    """The group must be run in two parts."""


async def _line(proxy, case, pattern):
    """Waits for a line of the case's log."""
    wanted = re.compile(pattern)
    while proxy.alive():
        proxy.log.poll()
        found = proxy.log.of_case(case, case.alone)
        if any(wanted.search(line) for line in found["main"] + found["worker"]):
            return
        await asyncio.sleep(0.01)
