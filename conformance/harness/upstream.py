"""One upstream of a case: a TCP server that records what it receives and answers as the case says."""

import asyncio
import re
import socket

from . import pieces, tcp, tls, wire
from .case import MAIN, is_steps
from .frames import PREFACE
from .http2_upstream import Http2Server
from .until import MARK

# After the client has left: how long a connection may take to be ended by the proxy.
_END_WAIT = 1.0


class Upstream:
    """Listens from `start` to `stop`, or from `restart` to `kill`; `requests` grows as they arrive."""

    def __init__(self, spec, name=MAIN, restarts=False, polled=False):
        self.name = name
        self._restarts = restarts
        self._mode = self._when = self._answers = self._checks = None
        self._default = {"status": 200, "headers": [["content-type", "text/plain"]], "body": "ok" if name == MAIN else name}
        self._addresses = spec.get("addresses") or ["127.0.0.1"]
        self.change({"mode": "serve", "when": "complete", "responses": None, "checks": None, **spec})
        self._wait_log = None
        self._http2 = spec.get("http2") or {}
        self._tls = tls.server_context(spec["tls"]) if "tls" in spec else None
        self._facts = (spec.get("tls") or {}).get("record", ())
        self._servers = []
        self._socket = None
        self._tasks = set()
        self._peers = []
        self._open = set()
        self._numbers = {}
        self._late_numbers = "checks" in spec or polled
        self._ends = spec.get("ends", False)
        self.requests = []
        self.port = 0

    def change(self, spec):
        """Lays the keys of `spec` over what the upstream does. New responses are counted from the first."""
        self._mode = spec.get("mode", self._mode)
        self._when = spec.get("when", self._when)
        if "responses" in spec:
            self._answers = _Answers(spec["responses"] or [self._default])
        if "checks" in spec:
            self._checks = _Checks(spec["checks"]) if spec["checks"] else None

    async def start(self):
        """Binds. In mode refuse the port stays reserved, and nobody listens; so it does while a server that is to be
        restarted is dead."""
        if self._mode == "refuse" or self._restarts:
            self._socket = socket.socket()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._socket.bind((self._addresses[0], 0))
            self.port = self._socket.getsockname()[1]
        if self._mode != "refuse":
            await self._listen()

    async def restart(self):
        """Listens, if it does not, at the port that it had."""
        if self._servers:
            return
        if self._mode == "refuse":
            self._mode = "serve"
        await self._listen()

    async def _listen(self):
        for address in self._addresses:
            server = await wire.listen(self._serve, address, self.port, shared=self._socket is not None)
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]

    async def kill(self):
        """What the end of an upstream's process does: nobody listens, and all connections are closed."""
        for server in self._servers:
            server.close()
        self._servers = []
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self._open:
            peer.close()
        self._open.clear()

    def use_log(self, wait_log):
        """`wait_log(pattern)`: awaits a line of the case's log."""
        self._wait_log = wait_log

    async def stop(self):
        """Closes the listener and all connections, and gives the port back."""
        await self.kill()
        if self._socket:
            self._socket.close()

    def received(self):
        """All bytes received so far."""
        return b"".join(bytes(peer.received) for peer in self._peers)

    def record(self):
        """What was received, as data: each request, and bytes that are none."""
        found = []
        for number, message in self.requests:
            found.append({"connection": number, **message.record()})
        if self._ends:
            return found + [{"connection": n, **tcp.told(p)} for n, p in enumerate(self._peers)]
        for number, peer in enumerate(self._peers):
            if peer.buffer and not any(n == number and not m.complete for n, m in self.requests):
                found.append({"connection": number, "rest": bytes(peer.buffer)})
        return found

    def ended(self):
        """How many connections the proxy has ended, or this side."""
        return sum(peer.ended or peer.left is not None for peer in self._peers)

    async def settle(self):
        """Where it is told how connections ended: waits a little for those that are open."""
        end = asyncio.get_running_loop().time() + _END_WAIT
        while self._ends and self.ended() < len(self._peers) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)

    def proxy_ports(self):
        """The ports from which the proxy has connected."""
        return [peer.port for peer in self._peers if peer.port]

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        peer = tls.TlsPeer(reader, writer, self._tls, True) if self._tls else wire.Peer(reader, writer)
        self._peers.append(peer)
        self._open.add(peer)
        if not self._late_numbers:
            self._number(peer)
        try:
            await self._connection(peer)
        except (wire.Gone, wire.Malformed, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)

    def _number(self, peer):
        """The number of a connection: they are numbered as they come, or, where health checks come in between, by
        their first request."""
        return self._numbers.setdefault(peer, len(self._numbers))

    async def _connection(self, peer):
        if self._mode == "close":
            peer.close()
            return
        if self._mode == "reset":
            peer.reset()
            return
        if self._tls and not await self._handshake(peer):
            return
        if self._mode == "echo":
            await tcp.echo(peer)
            return
        if self._mode == "tcp":
            await self._tcp_connection(peer)
            return
        if await peer.starts_with(PREFACE):
            await peer.take(len(PREFACE))
            await self._http2_connection(peer)
            return
        while True:
            message = wire.Message(await peer.head())
            answer = self._take(peer, message)
            if answer is None:
                await self._read_body(peer, message)
                continue
            complete = asyncio.ensure_future(self._read_body(peer, message))
            try:
                if self._when == "complete":
                    await asyncio.shield(complete)
                await self._answer(peer, complete, answer)
                await complete
            finally:
                complete.cancel()
                await asyncio.gather(complete, return_exceptions=True)

    async def _tcp_connection(self, peer):
        """Bytes, in which it looks for no requests: the steps of an answer, then it reads on."""
        complete = asyncio.ensure_future(self._read_all(peer))
        try:
            await self._answer(peer, complete, self._answers.next())
            await complete
            if self._ends:
                peer.close()
        finally:
            complete.cancel()
            await asyncio.gather(complete, return_exceptions=True)

    async def _read_all(self, peer):
        try:
            while True:
                await peer.fill()
        except wire.Gone:
            return

    async def _handshake(self, peer):
        """Records what came of it."""
        try:
            await peer.handshake()
            found = peer.facts(self._facts)
        except tls.Failed as error:
            found = str(error)
        self.requests.append((self._number(peer), _Notes({"tls": found})))
        return isinstance(found, dict)

    async def _http2_connection(self, peer):
        server = Http2Server(
            peer,
            lambda message: (self._take(peer, message), self._when == "head"),
            self._wait_log,
            self._http2,
        )
        try:
            await server.run()
        finally:
            if self._http2.get("record_end") and server.notes():
                self.requests.append((self._number(peer), _Notes({"notes": server.notes()})))

    def _take(self, peer, message):
        """Records a request. Its answer; None: there is none."""
        checked = self._checks is not None and self._checks.take(message)
        answers = self._checks.answers if checked else self._answers
        answer = answers.next()
        if not (_is_poll(message) or checked) or (checked and self._checks.recorded()):
            self.requests.append((self._number(peer), message))
        return None if self._mode == "silent" and not checked else answer

    async def _read_body(self, peer, message):
        await peer.body(message, message.headers, "request")
        message.complete = True

    async def _answer(self, peer, complete, answer):
        if not is_steps(answer):
            extra = answer if isinstance(answer, dict) else {}
            await peer.send(pieces.response({k: v for k, v in extra.items() if k not in ("close", "reset")} or answer))
            if extra.get("close"):
                peer.close()
            if extra.get("reset"):
                peer.reset()
            return
        for step in answer:
            await self._step(peer, complete, step)

    async def _step(self, peer, complete, step):
        if "send" in step:
            await peer.send(pieces.to_bytes(step["send"]))
        if "respond" in step:
            await peer.send(pieces.response(step["respond"]))
        if "pause" in step:
            await asyncio.sleep(step["pause"])
        if "wait_log" in step:
            await self._wait_log(step["wait_log"])
        if "wait_request" in step:
            pattern = step["wait_request"]
            if pattern is True:
                await asyncio.shield(complete)
            else:
                while not re.search(pieces.to_bytes(pattern), peer.received):
                    await _more(peer, complete)
        if "wait_close" in step:
            while not peer.ended:
                await _more(peer, complete)
        if "finish" in step:
            peer.shut_write()
        if "close" in step:
            peer.close()
        if "reset" in step:
            peer.reset()


async def _more(peer, complete):
    """Waits a little for what `complete` reads, or, when that is done, reads what comes after the request."""
    if not complete.done():
        await asyncio.sleep(0.005)
        return
    try:
        await peer.fill()
    except wire.Gone:
        await asyncio.sleep(0.005)


def _is_poll(message):
    return any(line.lower().startswith(f"{MARK}:") for line in message.record()["head"])


class _Notes:
    """What is known of a connection beside its requests, recorded like one."""

    complete = True

    def __init__(self, notes):
        self._notes = notes

    def record(self):
        """The notes."""
        return self._notes


class _Answers:
    """The nth request gets the nth, the last one repeats."""

    def __init__(self, answers):
        self._answers = answers
        self._count = 0

    def next(self):
        self._count += 1
        return self._answers[min(self._count, len(self._answers)) - 1]


class _Checks:
    """Health checks: requests of one path, with responses of their own. How many come depends on the time, so only
    the first `record` of them (none by default) are recorded."""

    def __init__(self, spec):
        self._path = spec["path"]
        self._left = spec.get("record", 0)
        self.answers = _Answers(spec.get("responses") or [{"status": 200, "body": ""}])

    def take(self, message):
        parts = message.start.split(" ")
        return len(parts) > 1 and parts[1].split("?")[0] == self._path

    def recorded(self):
        self._left -= 1
        return self._left >= 0
