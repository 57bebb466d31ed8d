"""One TCP connection seen from the outside: reads HTTP/1 messages as they are on the wire and never corrects them."""

import asyncio
import socket
import struct


class Gone(Exception):
    """The peer closed (or reset) the connection before what was awaited arrived."""


class Malformed(Exception):
    """What the peer sent is not an HTTP/1 message."""


class Peer:
    """A connection with a read buffer."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self.buffer = bytearray()
        self.received = bytearray()
        self.keep = True
        self.ended = False
        self.alert = None
        self.was_reset = False
        self.left = None
        self.port = (writer.get_extra_info("peername") or (None, 0))[1] if writer else 0

    async def fill(self):
        """Reads once. Raises `Gone` at the end of the stream."""
        if self.ended:
            raise Gone
        try:
            data = await self._reader.read(1 << 18)
        except OSError:
            data = b""
            self.was_reset = True
        if not data:
            self.ended = True
            raise Gone
        self.buffer += data
        if self.keep:
            self.received += data

    async def send(self, data):
        """Writes all of it; a peer that is gone is not an error."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            pass

    def shut_write(self):
        """Sends FIN, goes on reading."""
        try:
            self._writer.write_eof()
        except OSError:
            pass

    def close(self):
        """Closes both directions."""
        self._leave("closed by this side")
        self._writer.close()

    def _leave(self, how):
        """What this side did, if it was the first to end the connection."""
        if not self.ended:
            self.left = self.left or how

    def how_ended(self):
        """`closed`, and the alert that said why."""
        return f"closed, {self.alert}" if self.alert else "closed"

    def reset(self):
        """Closes with RST."""
        self._leave("reset by this side")
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        self._writer.transport.abort()

    async def starts_with(self, mark):
        """Whether the next bytes are `mark`; none of them is taken."""
        while mark.startswith(self.buffer) and len(self.buffer) < len(mark):
            await self.fill()
        return self.buffer.startswith(mark)

    async def take(self, count):
        """Exactly `count` bytes."""
        while len(self.buffer) < count:
            await self.fill()
        return self._cut(count)

    async def take_until(self, mark):
        """Everything up to and including `mark`."""
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark) + 1)
            await self.fill()
        return self._cut(at + len(mark))

    def _cut(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    async def head(self):
        """A message head, its blank line included."""
        return await self.take_until(b"\r\n\r\n")

    async def body(self, message, headers, kind):
        """Reads the body into `message`. `kind`: request, response, or none (HEAD, 1xx, 204, 304)."""
        lengths = [v for n, v in headers if n.lower() == "content-length"]
        codings = [v for n, v in headers if n.lower() == "transfer-encoding"]
        if kind == "none":
            return
        if codings:
            await self._chunked(message)
        elif lengths:
            await self._counted(message, _number(lengths[0], 10))
        elif kind == "response":
            message.framing = "until close"
            await self._rest(message)

    async def _counted(self, message, length):
        while len(message.body) < length:
            if not self.buffer:
                await self.fill()
            message.body += self._cut(min(len(self.buffer), length - len(message.body)))

    async def _rest(self, message):
        try:
            while True:
                message.body += self._cut(len(self.buffer))
                await self.fill()
        except Gone:
            return

    async def _chunked(self, message):
        while True:
            line = await self.take_until(b"\r\n")
            size = _number(line.split(b";")[0].strip().decode("latin-1"), 16)
            if size == 0:
                break
            message.body += await self.take(size)
            if await self.take(2) != b"\r\n":
                raise Malformed("a chunk does not end with CRLF")
        while (line := await self.take_until(b"\r\n")) != b"\r\n":
            message.trailers.append(line[:-2].decode("latin-1"))


class Message:
    """A request or a response as far as it has been received."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.headers = [_header(line) for line in lines[1:] if line]
        self.body = bytearray()
        self.trailers = []
        self.framing = None
        self.complete = False

    def record(self):
        """The message as data."""
        item = {"head": [self.start, *(f"{n}: {v}" for n, v in self.headers)]}
        if self.body:
            item["body"] = bytes(self.body)
        if self.trailers:
            item["trailers"] = self.trailers
        if not self.complete:
            item["incomplete"] = True
        return item

    def status(self):
        """The status code of a response, 0 if there is none."""
        parts = self.start.split(" ")
        return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


def _header(line):
    name, separator, value = line.partition(":")
    return (name, value.removeprefix(" ")) if separator else (line, "")


def _number(text, base):
    try:
        return int(text, base)
    except ValueError:
        raise Malformed(f"bad length {text!r}") from None


async def listen(serve, address="127.0.0.1", port=0, shared=False):
    """A loopback server, by default on a free port; `serve(reader, writer)` per connection. `shared`: another socket
    holds the port."""
    return await asyncio.start_server(serve, address, port, limit=1 << 20, reuse_port=shared or None)
