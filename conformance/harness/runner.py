"""Runs cases against one proxy binary: groups them into processes, collects what each case observed."""

import asyncio
import re
import tempfile
from pathlib import Path

from . import bootstrap, normalise
from .client import Client
from .process import Proxy, StartFailed, free_port
from .upstream import Upstream

_GROUP = 40
_AT_ONCE = 10
_CASE_WAIT = 45.0


async def run(command, cases, jobs):
    """What each case observed, by case id, normalised. `jobs`: processes at once."""
    results = {}
    slots = asyncio.Semaphore(jobs)

    async def one(group):
        async with slots:
            results.update(await _Group(command, group).run())

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
    def __init__(self, command, cases):
        self._command = command
        self._cases = cases
        self._upstreams = {}
        self._ports = {}
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
                await asyncio.gather(*(u.stop() for u in self._upstreams.values()))
        middle = len(self._cases) // 2
        halves = [_Group(self._command, part) for part in (self._cases[:middle], self._cases[middle:])]
        results = {}
        for half in halves:
            results.update(await half.run())
        return results

    async def _run(self, folder):
        await self._reserve()
        config = folder / "bootstrap.yaml"
        config.write_text(bootstrap.of_group(self._cases, self._ports, self._admin, folder))
        first = self._cases[0]
        proxy = Proxy(
            self._command,
            folder,
            self._admin,
            self._substituted(first.get("arguments", [])) if first.alone else (),
            first.get("environment") if first.alone else None,
        )
        try:
            try:
                await proxy.start(config)
            except StartFailed as error:
                return self._not_started(error, proxy, folder)
            return await self._traffic(proxy, folder)
        finally:
            await proxy.stop()

    def _substituted(self, arguments):
        values = bootstrap.placeholders(self._cases[0], self._ports[self._cases[0].id], self._admin)
        return [_filled(argument, values) for argument in arguments]

    async def _reserve(self):
        for case in self._cases:
            upstream = Upstream(case)
            self._upstreams[case.id] = upstream
            await upstream.start()
            self._ports[case.id] = bootstrap.Ports(free_port(), upstream.port)

    def _not_started(self, error, proxy, folder):
        if len(self._cases) > 1:
            raise _Halve
        case = self._cases[0]
        result = {"exit": {"code": error.code}, "output": error.text}
        if case.plugins:
            found = proxy.log.of_case(case, True, host=False)
            result["log"] = {"main": found["main"] + found["worker"], "worker": []}
        return {case.id: normalise.result(case, result, self._known(case, folder, ()))}

    async def _traffic(self, proxy, folder):
        slots = asyncio.Semaphore(_AT_ONCE)
        clients, results = {}, {}

        async def one(case):
            async with slots:
                clients[case.id] = await self._client(case, proxy)

        await asyncio.gather(*(one(case) for case in self._cases))
        if proxy.alive():
            await proxy.settle()
        if not proxy.alive() and len(self._cases) > 1:
            raise _Halve
        for case in self._cases:
            results[case.id] = {"client": clients[case.id][0], "upstream": self._upstreams[case.id].record()}
            await self._asked(case, proxy, results[case.id])
        died = not proxy.alive()
        if any(case.get("stop") for case in self._cases):
            await proxy.stop()
        proxy.log.poll()
        for case in self._cases:
            result = results[case.id]
            if case.plugins or case.get("text"):
                result["log"] = proxy.log.of_case(case, case.alone)
            if died:
                result["exit"] = {"code": proxy.exit_code}
            known = self._known(case, folder, clients[case.id][1])
            results[case.id] = normalise.result(case, result, known)
        return results

    async def _client(self, case, proxy):
        async def wait_log(pattern):
            await _line(proxy, case, pattern)

        upstream = self._upstreams[case.id]
        upstream.use_log(wait_log)
        client = Client(case, self._ports[case.id].listener, upstream, wait_log)
        try:
            async with asyncio.timeout(_CASE_WAIT):
                record = await client.run()
        except TimeoutError:
            record = {"error": ["the case did not end"]}
        except OSError as error:
            record = {"error": [f"no connection: {error.strerror}"]}
        return record, client.local_ports

    async def _asked(self, case, proxy, result):
        """The stats and admin pages that the case names."""
        values = bootstrap.placeholders(case, self._ports[case.id], self._admin)
        if case.get("stats") and proxy.alive():
            now = await proxy.stats()
            result["stats"] = {name: now.get(_filled(name, values), "absent") for name in case.get("stats")}
        if case.get("pages") and proxy.alive():
            result["pages"] = {}
            for page in case.get("pages"):
                method, _, path = _filled(page, values).rpartition(" ")
                status, body = await proxy.admin(path, method or "GET")
                result["pages"][page] = {"status": status, "body": body}

    def _known(self, case, folder, client_ports):
        ports = self._ports[case.id]
        known = {str(ports.listener): "<listener port>", str(ports.upstream): "<upstream port>"}
        known |= {str(self._admin): "<admin port>"}
        known |= {str(port): "<client port>" for port in client_ports}
        return normalise.Known(known, folder)


def _filled(text, values):
    for key, value in values.items():
        text = text.replace(key, value)
    return text


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
