"""One HTTP/2 connection from the proxy to an upstream: each stream is answered by a task of its own."""

import asyncio
import re

from . import frames, http2, pieces, wire
from .case import is_steps


class Request:
    """A request on a stream, with what `Upstream` asks of a message."""

    def __init__(self, stream):
        self._stream = stream
        self.body = stream.body

    @property
    def start(self):
        """The request line, had it been HTTP/1."""
        fields = dict(self._stream.fields)
        return f"{fields.get(':method')} {fields.get(':path')} HTTP/2"

    @property
    def complete(self):
        """Whether it has come to its end."""
        return self._stream.ended

    def record(self):
        """The request as data, fields in order; but pseudo-fields, the order of which means nothing, by their names."""
        pseudo = sorted(f for f in self._stream.fields if f[0].startswith(":"))
        others = [f for f in self._stream.fields if not f[0].startswith(":")]
        item = {"stream": self._stream.number, "head": [f"{n}: {v}" for n, v in pseudo + others]}
        if self._stream.body:
            item["body"] = bytes(self._stream.body)
        if self._stream.trailers:
            item["trailers"] = self._stream.trailers
        if not self._stream.ended:
            item["incomplete"] = True
        if self._stream.reset is not None and not self._stream.local_ended:
            item["reset"] = self._stream.reset
        return item


class Http2Server:
    """`choose(request)` gives the answer to a request, None for silence, and whether to answer before it is complete."""

    def __init__(self, peer, choose, wait_log, options):
        self._peer = peer
        self._choose = choose
        self._wait_log = wait_log
        self._http2 = http2.Http2(peer, False, options)
        self._http2.on_stream(self._accept)
        self._tasks = set()

    async def run(self):
        """Until the connection ends."""
        await self._http2.start()
        try:
            await self._http2.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def notes(self):
        """What came beside requests: GOAWAY."""
        return self._http2.notes

    def _accept(self, stream):
        task = asyncio.ensure_future(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream):
        answer, early = self._choose(Request(stream))
        if answer is None:
            return
        if not early:
            await self._until(stream.over)
        if is_steps(answer):
            for step in answer:
                await self._step(stream, step)
            return
        spec = answer if isinstance(answer, dict) else {"body": answer}
        await self._respond(stream, {k: v for k, v in spec.items() if k not in ("close", "reset", "reason")})
        self._cut(spec)

    async def _respond(self, stream, spec):
        await self._http2.send(http2.response(spec), stream.number)

    def _cut(self, spec):
        if spec.get("close"):
            self._peer.close()
        if spec.get("reset"):
            self._peer.reset()

    async def _until(self, condition):
        while not condition() and not self._http2.ended:
            await asyncio.sleep(0.003)
        if not condition():
            raise wire.Gone

    async def _step(self, stream, step):
        if "send" in step:
            await self._send(stream, step["send"])
        if "respond" in step:
            await self._respond(stream, step["respond"])
        if "pause" in step:
            await asyncio.sleep(step["pause"])
        if "wait_log" in step:
            await self._wait_log(step["wait_log"])
        if "wait_request" in step:
            pattern = step["wait_request"]
            if pattern is True:
                await self._until(stream.over)
            else:
                await self._until(lambda: re.search(pieces.to_bytes(pattern), self._peer.received))
        if "wait_close" in step:
            while not (self._http2.ended or stream.reset):
                await asyncio.sleep(0.003)
        self._cut(step)

    async def _send(self, stream, spec):
        for item in spec if isinstance(spec, list) else [spec]:
            if isinstance(item, dict) and frames.is_frame(item):
                await self._http2.send([item], stream.number)
            else:
                await self._peer.send(pieces.to_bytes(item))
