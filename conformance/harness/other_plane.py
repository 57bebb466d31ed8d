"""A control plane in a program of its own, which is given snapshots and tells what the proxy says, both as lines of JSON."""

import asyncio
import base64
import json

from .discovery import KINDS, kind_of
from .plane import Plane

_START_WAIT = 20.0
_LONGEST_LINE = 1 << 26


class OtherPlane(Plane):
    """Runs the program; `kill` ends it, and `restart` starts it again at its port, with what it had."""

    def __init__(self, spec, program):
        super().__init__(spec)
        self._program = program
        self._process = None
        self._reading = None
        self._streams = {}
        self._sent = {}
        self._open = set()
        self._last = {}
        self._asked = set()
        self._events = asyncio.Event()
        self._set = 0
        self._failed = None
        self.port = 0

    async def start(self):
        """Starts the program, which says at what port it listens."""
        await self._run()
        if self._spec.get("absent"):
            await self.kill()

    async def _run(self):
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            f"127.0.0.1:{self.port}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        line = await asyncio.wait_for(self._process.stdout.readline(), _START_WAIT)
        self.port = json.loads(line)["port"]
        self._streams, self._sent, self._open = {}, {}, set()
        self._reading = asyncio.ensure_future(self._read(self._process.stdout))

    def use(self, maker):
        """Gives the program the first resources of the case."""
        super().use(maker)
        self._write()

    async def push(self, snapshot):
        """More resources, or other ones: of each kind that is named all that there are now."""
        await self._answered()
        self._lay(snapshot)
        if self._process is None:
            return
        before = self._set
        self._write()
        await self._process.stdin.drain()
        async with asyncio.timeout(_START_WAIT):
            while self._set == before and not self._failed:
                self._events.clear()
                await self._events.wait()
        if self._failed:
            raise RuntimeError(f"{self._program}: {self._failed}")

    def _write(self):
        if self._process is None:
            return
        snapshot = {
            KINDS[kind].type_url: {
                "version": state.version,
                "bodies": [base64.b64encode(resource.body.value).decode() for resource in state.resources],
            }
            for kind, state in self.state.items()
        }
        self._process.stdin.write(json.dumps(snapshot).encode() + b"\n")

    async def _read(self, lines):
        async for line in lines:
            self._take(json.loads(line))
            self._events.set()

    def _take(self, event):
        kind, what = kind_of(event.get("type_url", "")), event["event"]
        nonce = (event.get("stream"), event.get("nonce"))
        if what == "set":
            self._set += 1
        elif what == "failed":
            self._failed = event["message"]
        elif what == "response":
            self._sent[nonce] = event["version"]
            self._open.add(nonce)
        elif what == "closed":
            self._open = {opened for opened in self._open if opened[0] != event["stream"]}
        else:
            begins = kind not in self._streams.setdefault(event["stream"], set())
            said = {"stream": "again"} if begins and kind in self._asked else {}
            self._streams[event["stream"]].add(kind)
            self._asked.add(kind)
            self._open.discard(nonce)
            said |= self._said(event, nonce)
            # What is refused may be sent again at once and for ever; how often depends on the time.
            if self._last.get(kind) != said:
                self._last[kind] = said
                self.note(kind, said, event.get("node"))

    def _said(self, event, nonce):
        if event["event"] == "request":
            said = {"names": sorted(event.get("names", [])), "version": event.get("version", "")}
        else:
            lists = {key: sorted(event.get(key, [])) for key in ("subscribe", "unsubscribe", "initial")}
            said = {key: names for key, names in lists.items() if names}
        if nonce[1]:
            said["answers"] = self._sent.get(nonce, "unknown")
        if "error" in event:
            said |= {"error": event["error"]["message"], "code": event["error"]["code"]}
        return said

    def _awaits(self):
        return bool(self._open)

    def streams(self):
        """How many streams there have been since the program was started."""
        return len(self._streams)

    async def kill(self):
        """Ends the program."""
        await self._answered()
        await self.stop()

    async def restart(self):
        """Starts it again."""
        if self._process is None:
            await self._run()
            self._write()

    async def stop(self):
        """Ends the program, if it runs."""
        if self._process is not None:
            self._reading.cancel()
            self._process.kill()
            await self._process.wait()
            self._process = None

    def proxy_ports(self):
        """Not known here."""
        return []
