"""An upstream that is not asked for anything: it collects the lines that a stats sink sends, over UDP or TCP."""

import asyncio
import re

_MODES = {"datagrams", "lines"}


def is_sink(spec):
    """Whether an upstream is to be a `Sink`."""
    return spec.get("mode") in _MODES


class Sink:
    """What is compared is the set of lines that match `only`: how often each comes depends on the time."""

    def __init__(self, spec, name):
        self.name = name
        self._mode = spec["mode"]
        self._only = re.compile(spec.get("only", ""))
        self._received = bytearray()
        self._open = None
        self._writers = []
        self.requests = []
        self.port = 0

    async def start(self):
        """Binds a port of loopback."""
        if self._mode == "datagrams":
            loop = asyncio.get_running_loop()
            self._open, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), ("127.0.0.1", 0))
            self.port = self._open.get_extra_info("sockname")[1]
        else:
            self._open = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._open.sockets[0].getsockname()[1]

    async def stop(self):
        """Closes it."""
        if self._open:
            self._open.close()
        for writer in self._writers:
            writer.close()

    def take(self, data):
        """More bytes; a datagram ends its last line."""
        self._received += data

    def received(self):
        """All bytes received so far."""
        return bytes(self._received)

    def record(self):
        """The different lines, in order of their text."""
        lines = self._received.decode("latin-1").splitlines()
        return sorted({line for line in lines if line and self._only.search(line)})

    async def settle(self):
        """Nothing is told of its connections."""

    def proxy_ports(self):
        """None are told apart."""
        return []

    def use_log(self, wait_log):
        """A sink does not wait."""

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        try:
            while data := await reader.read(1 << 16):
                self.take(data)
        except OSError:
            pass


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, sink):
        self._sink = sink

    def datagram_received(self, data, addr):
        self._sink.take(data if data.endswith(b"\n") else data + b"\n")
