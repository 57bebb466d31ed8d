"""A gRPC server as far as a control plane needs one: it takes streams over HTTP/2 and sends on them what it is told, right or wrong."""

import asyncio
import socket
import struct

from . import http2, tls, wire

_FOREVER = 3600.0


class Call:
    """One stream that the proxy has opened."""

    def __init__(self, connection, peer, stream):
        self._connection = connection
        self._peer = peer
        self._stream = stream
        self._taken = 0
        self._answered = False

    @property
    def path(self):
        """`/SERVICE/METHOD`."""
        return dict(self._stream.fields).get(":path", "")

    def over(self):
        """Whether nothing more comes from the proxy, or goes to it."""
        return self._stream.over() or self._connection.ended or self._stream.local_ended

    async def messages(self):
        """The messages of the proxy, as they come, until it ends the stream."""
        while True:
            if not await self._connection.until(lambda: self._complete() or self.over(), _FOREVER) or not self._complete():
                return
            start = self._taken + 5
            self._taken = start + self._length()
            yield bytes(self._stream.body[start : self._taken])

    def _length(self):
        return struct.unpack_from(">I", self._stream.body, self._taken + 1)[0]

    def _complete(self):
        have = len(self._stream.body) - self._taken
        return have >= 5 and have >= 5 + self._length()

    async def send(self, message):
        """A message."""
        await self.send_bytes(struct.pack(">BI", 0, len(message)) + message)

    async def send_bytes(self, data):
        """Bytes in DATA frames, whether they are a message or not."""
        if not self.over():
            await self._connection.send([*self._head(), {"data": data}], self._stream.number)

    async def end(self, status, message=""):
        """Ends the stream with a gRPC status."""
        trailers = [("grpc-status", str(status)), *([("grpc-message", message)] if message else [])]
        if not self.over():
            await self._connection.send([*self._head(), {"trailers": trailers}], self._stream.number)

    async def reset(self):
        """Ends the stream with RST_STREAM."""
        if not self.over():
            await self._connection.send([*self._head(), {"rst": "CANCEL"}], self._stream.number)

    def close(self):
        """Closes the connection that the stream is on."""
        self._peer.close()

    def _head(self):
        head = [] if self._answered else [{"head": [(":status", "200"), ("content-type", "application/grpc")]}]
        self._answered = True
        return head


class GrpcServer:
    """Listens at one port from `start` or `restart` to `kill`. `serve(call)` is awaited for each stream. `secure`: as `tls` of an upstream."""

    def __init__(self, serve, secure=None):
        self._serve = serve
        self._secure = secure
        self._server = None
        self._reserved = socket.socket()
        self._tasks = set()
        self._peers = []
        self._open = set()
        self.handshakes = []
        self.port = 0

    async def start(self, listening=True):
        """Binds and listens. The port stays reserved while nobody does."""
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        if listening:
            await self.restart()

    async def restart(self):
        """Listens, if it does not, at the port that it had."""
        if self._server is None:
            self._server = await wire.listen(self._accept, "127.0.0.1", self.port, shared=True)

    async def kill(self):
        """What the end of its process does: nobody listens, and all connections are closed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self._open:
            peer.close()
        self._open.clear()

    async def stop(self):
        """Gives the port back."""
        await self.kill()
        self._reserved.close()

    def proxy_ports(self):
        """The ports from which the proxy has connected."""
        return [peer.port for peer in self._peers]

    async def _accept(self, reader, writer):
        self._track(asyncio.current_task())
        context = tls.server_context(self._secure) if self._secure else None
        peer = tls.TlsPeer(reader, writer, context, True) if context else wire.Peer(reader, writer)
        self._peers.append(peer)
        self._open.add(peer)
        if context and not await self._handshake(peer):
            return
        connection = http2.Http2(peer, False)
        connection.on_stream(lambda stream: self._track(asyncio.ensure_future(self._call(connection, peer, stream))))
        try:
            await connection.start()
            await peer.take_until(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            await connection.run()
        except (wire.Gone, asyncio.CancelledError):
            pass

    async def _handshake(self, peer):
        """Notes each different outcome; how often it is tried depends on the time."""
        try:
            await peer.handshake()
            found = peer.facts()
        except tls.Failed as error:
            found = str(error)
        if found not in self.handshakes:
            self.handshakes.append(found)
        return isinstance(found, dict)

    async def _call(self, connection, peer, stream):
        await self._serve(Call(connection, peer, stream))

    def _track(self, task):
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
