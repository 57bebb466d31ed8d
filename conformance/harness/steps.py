"""The client steps that are not traffic on a connection: they act on the upstreams and on the proxy's process."""

import asyncio
import re
import signal

from . import asked, bootstrap, command, pieces, until
from .discovered import STEPS
from .load import Load


class Steps:
    """Does the steps of one case. `record` is what they observed, in order."""

    def __init__(self, case, proxy, upstreams, values, ports, discovered=None):
        self._timeout = case.get("timeout", 6.0)
        self._proxy = proxy
        self._upstreams = upstreams
        self._values = values
        self._ports = ports
        self._files = ports.files if ports else None
        self._discovered = discovered
        self._load = None
        self.record = []

    async def run(self, step):
        """False if what is awaited did not come; the case goes no further then."""
        if "admin" in step:
            self.record.append(await asked.page(self._proxy, step["admin"], self._values))
        if "upstream" in step:
            for name, change in step["upstream"].items():
                self._upstreams[name].change(change)
        for name, other in (step.get("rename") or {}).items():
            self._files.path(name).rename(self._files.path(other))
        for name in _names(step.get("kill")):
            await self._upstreams[name].kill()
        for name in _names(step.get("restart")):
            await self._upstreams[name].restart()
        if STEPS & set(step):
            await self._discovered.run(step)
        if "run" in step:
            self.record.append(await command.run(step["run"], self._filled))
        if "signal" in step:
            self._proxy.signal(getattr(signal, f"SIG{step['signal']}"))
        if "load" in step:
            self.record.append({"load": await self._loaded(step["load"]).run()})
        if "start_load" in step:
            load = self._loaded(step["start_load"])
            self._load = (load, asyncio.ensure_future(load.run()))
        if "end_load" in step:
            self._load[0].end()
            self.record.append({"load": await self._load[1]})
        return await self._waits(step)

    async def _waits(self, step):
        if "wait_exit" in step:
            if not await self._until(lambda: not self._proxy.alive(), "the process did not end", step["wait_exit"]):
                return False
            self.record.append({"exit": self._proxy.exit_code})
        if "wait_stat" in step:
            for wanted in _names(step["wait_stat"]):
                if not await self._until(lambda: self._holds(wanted), f"not {wanted}"):
                    return False
        if "wait_file" in step:
            for name, pattern in step["wait_file"].items():
                if not await self._until(lambda: self._written(name, pattern), f"no {pattern} in {name}"):
                    return False
        if "wait_received" in step:
            for name, pattern in step["wait_received"].items():
                if not await self._until(lambda: self._received(name, pattern), f"{name} did not receive {pattern}"):
                    return False
        if "wait_xds" in step and not await self._wait_xds(step["wait_xds"]):
            return False
        if "until" in step:
            last = await until.reached(self._named(step["until"]), self._ports, self._timeout)
            if last is not None:
                self.record.append(f"timeout: not {step['until']}, but {last}")
                return False
        for name, count in (step.get("wait_ended") or {}).items():
            if not await self._until(lambda: self._upstreams[name].ended() >= count, f"{name}: fewer than {count} ended"):
                return False
        return True

    async def _wait_xds(self, spec):
        for condition, complaint in self._discovered.waits(spec):
            if not await self._until(condition, complaint):
                return False
        for kind, pattern in (spec.get("nack") or {}).items():
            refused = []
            if not await self._until(lambda: self._refusal(kind, refused), f"no refusal of {kind}"):
                return False
            self.record.append({"refused": kind, "words": self._discovered.told(refused[0], pattern)})
        return True

    def _refusal(self, kind, found):
        found.extend(event for event in [self._discovered.refusal(kind)] if event)
        return bool(found)

    def _named(self, value):
        if isinstance(value, dict):
            return {key: self._named(inner) for key, inner in value.items()}
        return self._filled(value) if isinstance(value, str) else value

    def _filled(self, text):
        text = bootstrap.certificates(text)
        for key, value in self._values.items():
            text = text.replace(key, value)
        return text

    def _loaded(self, spec):
        return Load(spec, int(self._values["{listener_port}"]))

    async def _holds(self, wanted):
        return await asked.holds(self._proxy, wanted, self._values)

    def _written(self, name, pattern):
        return any(re.search(pattern, line) for line in self._files.lines(name))

    def _received(self, name, pattern):
        return re.search(pieces.to_bytes(pattern), self._upstreams[name].received())

    async def _until(self, condition, complaint, timeout=None):
        end = asyncio.get_running_loop().time() + (timeout or self._timeout)
        while True:
            result = condition()
            if await result if asyncio.iscoroutine(result) else result:
                return True
            if asyncio.get_running_loop().time() > end:
                self.record.append(f"timeout: {complaint}")
                return False
            await asyncio.sleep(0.02)


def _names(value):
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
