"""The client of one case: raw bytes over loopback connections, and a record of everything that came back."""

import asyncio
import re

from . import pieces, tcp, tls, wire
from .case import PROCESS_STEPS
from .http2_client import Http2Connection

# After the last step: how long a connection may take to be closed by the peer when its last response announced
# it or was incomplete, and how long it must stay open to be called open.
_CLOSE_WAIT = 4.0
_OPEN_WAIT = 0.12


class Client:
    """Runs the steps of a case against its ports."""

    def __init__(self, case, ports, upstream, wait_log, steps):
        self._case = case
        self._ports = ports
        self._upstream = upstream
        self._wait_log = wait_log
        self._steps = steps
        self._may_be_refused = case.get("tcp") or any(PROCESS_STEPS & set(step) for step in case.steps)
        self._timeout = case.get("timeout", 6.0)
        self._connections = {}
        self._refused = []
        self._current = "a"
        self._options = {}
        self.local_ports = []

    async def run(self):
        """All steps, then the end of every connection. The record is returned, also after a timeout."""
        fresh = "client" not in self._case.data
        for step in self._case.steps:
            if fresh and self._connection_spent():
                self._current = chr(ord(self._current) + 1)
            if not await self._step(step):
                break
        for connection in self._connections.values():
            await connection.settle()
            connection.peer.close()
        events = {name: connection.events for name, connection in self._connections.items()}
        for name in self._refused:
            events.setdefault(name, []).append("refused")
        return events

    def _connection_spent(self):
        connection = self._connections.get(self._current)
        return connection is not None and connection.spent

    async def _step(self, step):
        if "connection" in step:
            self._choose(step["connection"])
            return True
        if PROCESS_STEPS & set(step):
            return await self._steps.run(step)
        if "pause" in step and set(step) == {"pause"} and not self._connections:
            await asyncio.sleep(step["pause"])
            return True
        if set(step) == {"wait_log"} and self._case.get("xds") and not self._connections:
            await self._wait_log(step["wait_log"])
            return True
        try:
            connection = await self._open()
        except ConnectionRefusedError:
            if not self._may_be_refused:
                raise
            self._refused.append(self._current)
            return True
        if "request" in step:
            started = asyncio.get_running_loop().time()
            answered = await connection.request(step["request"], self._timeout)
            if "took" in step:
                connection.notes.append(_took(step["took"], asyncio.get_running_loop().time() - started))
            return answered
        if "send" in step:
            await connection.send(step["send"])
        if "receive" in step:
            return await connection.receive(step["receive"], self._timeout)
        if "pause" in step:
            await asyncio.sleep(step["pause"])
        if "wait_log" in step:
            await self._wait_log(step["wait_log"])
        if "wait_upstream" in step:
            return await self._await_upstream(connection, step["wait_upstream"])
        if "expect_close" in step:
            await connection.await_close(step["expect_close"])
        if "finish" in step:
            connection.peer.shut_write()
        if "close" in step:
            connection.end("closed by the client")
            connection.peer.close()
        if "reset" in step:
            connection.end("reset by the client")
            connection.peer.reset()
        return True

    def _choose(self, spec):
        """Goes on with the connection of a name; a mapping says how it is opened, if it is new."""
        spec = {"name": spec} if isinstance(spec, str) else spec
        self._current = spec["name"]
        self._options[self._current] = {**spec, **self._options.get(self._current, {})}

    async def _open(self):
        if self._current not in self._connections:
            options = self._options.get(self._current, {})
            reader, writer = await self._connect(options)
            self.local_ports.append(writer.get_extra_info("sockname")[1])
            secure = options.get("tls", self._case.get("tls"))
            peer = wire.Peer(reader, writer) if secure is None else self._secure(reader, writer, secure)
            if options.get("tcp", self._case.get("tcp", False)):
                connection = tcp.Connection(peer)
            elif options.get("http2", self._case.http2("downstream")):
                connection = Http2Connection(peer, options, "http" if secure is None else "https")
            else:
                connection = _Connection(peer)
            self._connections[self._current] = connection
            if "before" in options:
                await wire.Peer.send(peer, pieces.to_bytes(options["before"]))
            if secure is None or await self._handshake(connection, secure):
                await connection.start()
        return self._connections[self._current]

    async def _connect(self, options):
        """`from` and `to` are addresses of loopback, `port` names one of the case's `ports`."""
        port = self._ports.listeners[options["port"]] if "port" in options else self._ports.listener
        source = (options["from"], 0) if "from" in options else None
        host = options.get("to", "127.0.0.1")
        return await asyncio.open_connection(host, port, limit=1 << 20, local_addr=source)

    def _secure(self, reader, writer, spec):
        # A session is of the context it was made in.
        resumed = self._connections[spec["resume"]].peer if "resume" in spec else None
        context = resumed.context if resumed else tls.client_context(spec)
        session = resumed.session if resumed else None
        return tls.TlsPeer(reader, writer, context, False, spec.get("sni"), session)

    async def _handshake(self, connection, spec):
        """Notes what came of it."""
        try:
            async with asyncio.timeout(self._timeout):
                await connection.peer.handshake()
        except tls.Failed as error:
            connection.failed(str(error))
            return False
        except TimeoutError:
            connection.failed("timeout")
            return False
        connection.secured(connection.peer.facts(spec.get("record", ())))
        return True

    async def _await_upstream(self, connection, pattern):
        end = asyncio.get_running_loop().time() + self._timeout
        while not re.search(pieces.to_bytes(pattern), self._upstream.received()):
            if asyncio.get_running_loop().time() > end:
                connection.notes.append(f"timeout: the upstream did not receive {pattern!r}")
                return False
            await asyncio.sleep(0.005)
        return True


def _took(limits, seconds):
    """Whether an answer took as long as it should."""
    least, most = limits
    return f"took {least} to {most} s" if least <= seconds <= most else f"took {seconds:.3f} s"


class _Connection:
    def __init__(self, peer):
        self.peer = peer
        self.events = []
        self.notes = self.events
        self.ended = False
        self.spent = False

    async def start(self):
        """Nothing is sent before the first request."""

    def secured(self, facts):
        """The TLS handshake is done."""
        self.events.append({"tls": facts})

    def failed(self, reason):
        """There is no TLS connection, and no more than this to tell."""
        self.events.append({"tls": reason})
        self.ended = self.spent = True
        self.peer.close()

    def end(self, how):
        """The last event."""
        self.events.append(how)
        self.ended = self.spent = True

    async def request(self, spec, timeout):
        """Sends a request, and reads its response."""
        if self.ended:
            return False
        data = pieces.request(spec)
        await self.peer.send(data)
        return await self._response(pieces.method_of(data), timeout, False)

    async def send(self, spec):
        """Sends a request, or bytes."""
        if self.ended:
            return
        await self.peer.send(pieces.request(spec))

    async def receive(self, spec, timeout):
        """Reads as many responses, or {count, method, interim}, or {bytes: regex}: until what is not read as a response matches."""
        if isinstance(spec, int):
            spec = {"count": spec}
        if "bytes" in spec:
            return await self._bytes(pieces.to_bytes(spec["bytes"]), timeout)
        for _ in range(spec.get("count", 1)):
            if not await self._response(spec.get("method", "GET"), timeout, spec.get("interim", False)):
                return False
        return True

    async def _response(self, method, timeout, interim):
        """Reads messages up to a final response (with `interim`, one message). False if there will be no more."""
        if self.ended:
            return False
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = await self._message(method)
                    if interim or message.status() >= 200 or message.status() == 101:
                        return True
        except TimeoutError:
            self.events.append("timeout")
        except wire.Malformed as error:
            self.events.append(f"malformed: {error}")
        except wire.Gone:
            self.end(self.peer.how_ended())
        self.spent = True
        return False

    async def _bytes(self, pattern, timeout):
        try:
            async with asyncio.timeout(timeout):
                while not re.search(pattern, self.peer.buffer, re.DOTALL):
                    await self.peer.fill()
        except TimeoutError:
            self.events.append(f"timeout: no {pattern!r}")
            return False
        except wire.Gone:
            if self.peer.buffer:
                self.events.append({"rest": bytes(self.peer.buffer)})
            self.end(self.peer.how_ended())
            return False
        return True

    async def _message(self, method):
        message = wire.Message(await self.peer.head())
        event = {"status": message.start, "headers": [list(h) for h in message.headers], "incomplete": True}
        self.events.append(event)
        status = message.status()
        tunnel = method == "CONNECT" and 200 <= status < 300
        none = method == "HEAD" or status < 200 or status in (204, 304) or tunnel
        try:
            await self.peer.body(message, message.headers, "none" if none else "response")
            event.pop("incomplete")
        finally:
            if message.body:
                event["body"] = bytes(message.body)
            if message.trailers:
                event["trailers"] = message.trailers
            if message.framing:
                event["framing"] = message.framing
        if any(n.lower() == "connection" and "close" in v.lower() for n, v in message.headers):
            self.spent = True
        return message

    async def await_close(self, wait):
        """Waits for the peer's FIN or RST and keeps what arrives before it."""
        if self.ended:
            return
        try:
            async with asyncio.timeout(wait):
                while True:
                    await self.peer.fill()
        except TimeoutError:
            self.end("open")
        except wire.Gone:
            if self.peer.buffer:
                self.events.append({"rest": bytes(self.peer.buffer)})
            self.end(self.peer.how_ended())

    async def settle(self):
        """How the connection stands after the last step."""
        if self.ended:
            return
        await self.await_close(_CLOSE_WAIT if self.spent and self.events[-1:] != ["timeout"] else _OPEN_WAIT)
        if self.events and self.events[-1] == "open" and self.peer.buffer:
            self.events.insert(-1, {"rest": bytes(self.peer.buffer)})
