"""One HTTP/2 connection seen from the outside, as client or as server: sends what it is told, also what is forbidden,
and notes what comes. It acknowledges settings and pings and gives windows back, unless told not to."""

import asyncio

import hpack

from . import frames, pieces, wire

_WINDOW = 1 << 24
_SETTINGS = {
    "client": {"ENABLE_PUSH": 0, "INITIAL_WINDOW_SIZE": _WINDOW},
    "server": {"MAX_CONCURRENT_STREAMS": 1024, "INITIAL_WINDOW_SIZE": _WINDOW},
}


class Stream:
    """What the peer has sent on one stream."""

    def __init__(self, number):
        self.number = number
        self.interim = []
        self.fields = None
        self.body = bytearray()
        self.trailers = []
        self.ended = False
        self.reset = None
        self.local_ended = False
        self.window = 0
        self.kinds = []

    def over(self):
        """Whether nothing more will come."""
        return self.ended or self.reset is not None

    def status(self):
        """The status code of a response, 0 before there is one."""
        return next((int(v) for n, v in self.fields or () if n == ":status" and v.isdigit()), 0)

    def take_fields(self, fields, is_client):
        """A header block: an interim response's, the head, or trailers."""
        if self.fields is not None:
            self.trailers += [f"{n}: {v}" for n, v in fields]
        elif is_client and fields[:1] and fields[0][0] == ":status" and fields[0][1].startswith("1"):
            self.interim.append(fields)
        else:
            self.fields = fields

    def note(self, frame):
        """Which frames came, runs of DATA as one."""
        name = "DATA" if frame.kind == frames.DATA else "HEADERS"
        if name != "DATA" or self.kinds[-1:] != ["DATA"]:
            self.kinds.append(name)
        if frame.ends_stream:
            self.kinds[-1] += " END_STREAM"


class Http2:
    """A connection. `run` reads until its end and is to be a task of its own; `options` are those of a case's
    `connection` or upstream: `settings`, `credit`, `preface`, `acknowledge`."""

    def __init__(self, peer, is_client, options=None):
        self.peer = peer
        self.streams = {}
        self.notes = []
        self.settings = []
        self.pongs = []
        self.ended = False
        self.goaway = False
        self.last = 0
        self._is_client = is_client
        self._options = options or {}
        self._decoder = hpack.Decoder(max_header_list_size=1 << 26)
        self._block = None
        self._unsent = bytearray()
        self._window = 65535
        self._initial = 65535
        self._changed = asyncio.Event()
        self._on_stream = None

    def on_stream(self, handler):
        """`handler(stream)` is called for every stream that the peer opens, when its head is complete."""
        self._on_stream = handler

    async def start(self):
        """Sends the preface."""
        role = "client" if self._is_client else "server"
        settings = {**_SETTINGS[role], **self._options.get("settings", {})}
        first = frames.PREFACE if self._is_client else b""
        if self._options.get("preface", True):
            first += frames.to_bytes({"settings": settings}, 0)
            if self._options.get("credit", True):
                first += frames.to_bytes({"window": _WINDOW}, 0)
        await self.peer.send(first)

    async def run(self):
        """Takes frames until the connection ends."""
        self.peer.keep = False
        try:
            while True:
                await self._take(await frames.read(self.peer))
                self._wake()
        except wire.Gone:
            pass
        except hpack.HPACKError as error:
            self.notes.append(f"malformed: {error}")
        self.ended = True
        self._wake()

    async def until(self, condition, timeout):
        """Whether `condition()` came to hold in time."""
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self):
        self._changed.set()
        self._changed = asyncio.Event()

    def open_stream(self):
        """The number of a new stream of this side."""
        self.last = self.last + 2 if self.last else (1 if self._is_client else 2)
        self._stream(self.last)
        return self.last

    def _stream(self, number):
        if number not in self.streams:
            self.streams[number] = Stream(number)
            self.streams[number].window = self._initial
        return self.streams[number]

    async def send(self, specs, stream):
        """Frames of a case, in one write if the windows allow it, so that what the peer makes of them does not depend on
        the time between them."""
        for spec in specs:
            await self._write(spec, stream)
        await self._flush()

    async def _write(self, spec, stream):
        """Data goes out as the windows allow and in frames of the usual size, unless `exact`."""
        number = spec.get("stream", stream)
        if "data" in spec and not (spec.get("exact") or "pad" in spec):
            await self._write_data(number, pieces.to_bytes(spec["data"]), spec.get("end", False))
        else:
            self._unsent += frames.to_bytes(spec, stream)
        if number in self.streams and (spec.get("end") or "trailers" in spec or "rst" in spec):
            self.streams[number].local_ended = True

    async def _flush(self):
        unsent, self._unsent = bytes(self._unsent), bytearray()
        if unsent:
            await self.peer.send(unsent)

    async def _write_data(self, number, data, end):
        stream = self._stream(number)
        data = memoryview(data)
        while data or end:
            size = min(len(data), self._window, stream.window, frames.MAX_PAYLOAD)
            if data and size <= 0:
                if self.ended or stream.reset is not None:
                    return
                # The windows may grow while this is written.
                changed = self._changed
                await self._flush()
                await changed.wait()
                continue
            part, data = bytes(data[:size]), data[size:]
            self._window -= size
            stream.window -= size
            last = end and not data
            self._unsent += frames.frame(frames.DATA, frames.END_STREAM if last else 0, number, part)
            if last:
                return

    async def _take(self, frame):
        if frame.kind in (frames.HEADERS, frames.CONTINUATION):
            await self._take_block(frame)
        elif frame.kind == frames.DATA:
            await self._take_data(frame)
        elif frame.kind == frames.RST_STREAM:
            self._stream(frame.stream).reset = frames.error_name(frame.numbers()[0])
        elif frame.kind == frames.SETTINGS:
            await self._take_settings(frame)
        elif frame.kind == frames.PING:
            if frame.flags & frames.ACK:
                self.pongs.append(frame.payload)
            elif self._options.get("acknowledge", True):
                await self.peer.send(frames.frame(frames.PING, frames.ACK, 0, frame.payload))
        elif frame.kind == frames.GOAWAY:
            self.goaway = True
            last, code = frame.numbers()[:2]
            last = "all" if last == 0x7FFFFFFF else last
            debug = frame.payload[8:].decode("latin-1")
            self.notes.append({"goaway": frames.error_name(code), "last": last, **({"debug": debug} if debug else {})})
        elif frame.kind == frames.WINDOW_UPDATE:
            if frame.stream:
                self._stream(frame.stream).window += frame.numbers()[0]
            else:
                self._window += frame.numbers()[0]

    async def _take_block(self, frame):
        if frame.kind == frames.HEADERS:
            self._block = [frame, bytearray()]
        if self._block is None:
            self.notes.append("malformed: CONTINUATION without HEADERS")
            return
        first, block = self._block
        block += frame.payload
        if not frame.flags & frames.END_HEADERS:
            return
        self._block = None
        decoded = self._decoder.decode(bytes(block), raw=True)
        fields = [(bytes(n).decode("latin-1"), bytes(v).decode("latin-1")) for n, v in decoded]
        stream = self._stream(first.stream)
        is_head = stream.fields is None
        stream.take_fields(fields, self._is_client)
        stream.note(first)
        self.peer.received += "".join(f"{n}: {v}\r\n" for n, v in fields).encode("latin-1")
        stream.ended |= first.ends_stream
        if is_head and stream.fields is not None and self._on_stream:
            self._on_stream(stream)

    async def _take_data(self, frame):
        stream = self._stream(frame.stream)
        stream.body += frame.payload
        stream.note(frame)
        stream.ended |= frame.ends_stream
        self.peer.received += frame.payload
        if frame.size and self._options.get("credit", True):
            given = frames.to_bytes({"window": frame.size}, 0)
            if not stream.over():
                given += frames.to_bytes({"window": frame.size}, frame.stream)
            await self.peer.send(given)

    async def _take_settings(self, frame):
        if frame.flags & frames.ACK:
            return
        for key, value in frame.settings():
            if key == frames.SETTING["INITIAL_WINDOW_SIZE"]:
                for stream in self.streams.values():
                    stream.window += value - self._initial
                self._initial = value
        names = {number: name for name, number in frames.SETTING.items()}
        self.settings.append([[names.get(key, str(key)), value] for key, value in frame.settings()])
        if self._options.get("acknowledge", True):
            await self.peer.send(frames.to_bytes({"settings": "ack"}, 0))


def request(spec, scheme="http"):
    """The frames of a request as cases describe it: {method, path, scheme, host, headers, body | chunked, trailers}, or
    {fields, …} with all fields as they are to be sent. `open`: the stream is not ended."""
    fields = spec.get("fields")
    if fields is None:
        host = spec.get("host", "example")
        pseudo = [(":method", spec.get("method", "GET")), (":scheme", spec.get("scheme", scheme)), (":path", spec.get("path", "/"))]
        fields = [(n, v) for n, v in (*pseudo, (":authority", host)) if v is not None] + _fields(spec.get("headers"))
    return _message(fields, spec)


def response(spec):
    """The frames of a response: {status, headers, body | chunked, trailers}, or {fields, …}. `open`, `rst`."""
    fields = spec.get("fields")
    if fields is None:
        fields = [(":status", str(spec.get("status", 200))), *_fields(spec.get("headers"))]
        if "chunked" not in spec and "body" not in spec and "trailers" not in spec:
            fields.append(("content-length", "0"))
    found = _message(fields, spec)
    if "rst" in spec:
        found.append({"rst": spec["rst"]})
    return found


def _fields(headers):
    items = headers.items() if isinstance(headers, dict) else headers or []
    return [(n.lower() if isinstance(n, str) else n, v) for n, v in items]


def _message(fields, spec):
    parts = []
    if "chunked" in spec:
        chunked = spec["chunked"]
        parts = [{"data": part} for part in (chunked if isinstance(chunked, list) else [chunked])]
    elif "body" in spec:
        body = pieces.to_bytes(spec["body"])
        if "fields" not in spec:
            fields = [*fields, ("content-length", str(len(body)))]
        parts = [{"data": body}] if body else []
    if spec.get("trailers"):
        parts.append({"trailers": _fields(spec["trailers"]), "end": not spec.get("open")})
    found = [{"head": fields}, *parts]
    if not spec.get("open"):
        found[-1] = {**found[-1], "end": True}
    return found
