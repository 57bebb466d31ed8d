"""A connection of a case's client that speaks HTTP/2, and its record: a message for each stream, then the rest."""

import asyncio
import re

from . import frames, http2, pieces

_CLOSE_WAIT = 4.0
_OPEN_WAIT = 0.12


class Http2Connection:
    """Has the methods of HTTP/1's connection in `client`."""

    def __init__(self, peer, options, scheme):
        self.peer = peer
        self.notes = []
        self._http2 = http2.Http2(peer, True, options)
        self._scheme = scheme
        self._frames = options.get("frames", False)
        self._secured = []
        self._end = None
        self._answered = 0
        self._task = None

    def secured(self, facts):
        """The TLS handshake is done."""
        self._secured.append({"tls": facts})

    def failed(self, reason):
        """There is no TLS connection, and no more than this to tell."""
        self._secured.append({"tls": reason})
        self._http2.ended = True
        self.peer.close()

    async def start(self):
        """Sends the preface, begins to read."""
        await self._http2.start()
        self._task = asyncio.ensure_future(self._http2.run())

    @property
    def ended(self):
        """Whether the connection is at its end, from the case's side or the peer's."""
        return self._end is not None or self._http2.ended

    @property
    def spent(self):
        """Whether the next request needs another connection."""
        return self.ended or self._http2.goaway

    @property
    def events(self):
        """What came: streams in order, then notes, then how it ended."""
        streams = [self._event(s) for _, s in sorted(self._http2.streams.items()) if self._is_told(s)]
        return [*self._secured, *streams, *self._http2.notes, *self.notes, *([self._end] if self._end else [])]

    def end(self, how):
        """The case itself ended it."""
        self._end = how

    async def request(self, spec, timeout):
        """Sends a request and awaits its end."""
        opened = await self.send(spec)
        return await self.receive({"stream": opened[-1]} if opened else 1, timeout)

    async def send(self, spec):
        """Sends messages and frames; the numbers of the streams that were opened."""
        opened = []
        if self._task is None:
            return opened
        made = []
        for item in spec if _is_list(spec) else [spec]:
            if not isinstance(item, dict) or pieces.is_bytes(item):
                made.append({"bytes": item})
            elif frames.is_frame(item):
                made.append({"stream": self._http2.last, **item} if not _of_connection(item) else item)
            else:
                opened.append(self._http2.open_stream())
                made += [{"stream": opened[-1], **frame} for frame in http2.request(item, self._scheme)]
        await self._http2.send(made, 0)
        return opened

    async def receive(self, spec, timeout):
        """Awaits the ends of as many streams, or what the mapping names. False if it did not come."""
        if isinstance(spec, int):
            self._answered += spec
            wanted = self._answered
            met = lambda: sum(s.over() for s in self._http2.streams.values()) >= wanted  # noqa: E731
        else:
            if not spec.keys() - {"stream"}:
                self._answered += 1
            met = lambda: self._holds(spec)  # noqa: E731
        if not await self._http2.until(lambda: met() or self._http2.ended, timeout):
            self.notes.append("timeout")
            return False
        if "settings" in spec if isinstance(spec, dict) else False:
            self.notes.append({"settings": self._http2.settings[-1] if self._http2.settings else []})
        if not self._http2.ended:
            return True
        return bool(met())

    def _holds(self, spec):
        made = self._http2
        if "goaway" in spec:
            return made.goaway
        if "pong" in spec:
            return len(made.pongs) >= spec["pong"]
        if "settings" in spec:
            return len(made.settings) >= spec["settings"]
        stream = made.streams.get(spec.get("stream", made.last))
        if stream is None:
            return False
        if "data" in spec:
            return re.search(pieces.to_bytes(spec["data"]), stream.body) or stream.over()
        if "head" in spec:
            return stream.fields is not None or stream.over()
        if "interim" in spec:
            return len(stream.interim) >= spec["interim"] or stream.over()
        return stream.over()

    async def await_close(self, wait):
        """Waits for the peer's end of the connection."""
        if self._end is None and self._task is not None:
            closed = await self._http2.until(lambda: self._http2.ended, wait)
            self._end = self.peer.how_ended() if closed else "open"

    async def settle(self):
        """How the connection stands after the last step."""
        if self._task is None:
            return
        if self._end is None:
            await self.await_close(_CLOSE_WAIT if self._http2.goaway and "timeout" not in self.notes else _OPEN_WAIT)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _is_told(self, stream):
        return stream.number and (stream.fields is not None or stream.interim or stream.reset or stream.number % 2)

    def _event(self, stream):
        fields = stream.fields or []
        status = [v for n, v in fields if n == ":status"]
        event = {"stream": stream.number}
        if stream.interim:
            event["interim"] = [[list(f) for f in fields] for fields in stream.interim]
        if stream.fields is not None:
            event["status"] = f"HTTP/2 {', '.join(status)}"
            event["headers"] = [list(f) for f in fields if f[0] != ":status"]
        if stream.body:
            event["body"] = bytes(stream.body)
        if stream.trailers:
            event["trailers"] = stream.trailers
        if not stream.ended:
            event["incomplete"] = True
        if stream.reset is not None:
            event["reset"] = stream.reset
        if self._frames:
            event["frames"] = stream.kinds
        return event


def _of_connection(item):
    """Whether a frame is of stream 0 unless the case says otherwise."""
    return bool({"settings", "ping", "goaway", "bytes"} & set(item))


def _is_list(spec):
    """Whether what is to be sent is a list of messages and frames, and not of pieces of bytes."""
    return isinstance(spec, list) and all(isinstance(s, dict) and not pieces.is_bytes(s) for s in spec)
