"""The harness as the control plane of one case: answers what the proxy asks for, right or wrong, as the case wants it."""

from . import delta, state_of_the_world
from .discovery import KINDS
from .grpc_server import GrpcServer
from .pieces import to_bytes
from .plane import Plane


class ControlPlane(Plane):
    """Serves the case's resources itself. `server`: makes what takes the streams."""

    def __init__(self, spec, server=GrpcServer):
        super().__init__(spec)
        self._server = server(self._serve, spec.get("tls"))
        self._sessions = []
        self._nonces = 0

    async def start(self):
        """Has a port, and listens unless the case wants it `absent` at first."""
        await self._server.start(not self._spec.get("absent"))

    @property
    def port(self):
        """Where it listens."""
        return self._server.port

    async def push(self, snapshot):
        """More resources, or other ones: of each kind that is named all that there are now."""
        await self._answered()
        for kind in self._lay(snapshot):
            for session in self._live():
                await session.push(kind, bool(snapshot.get("again")))
        for kind, names in (snapshot.get("removed") or {}).items():
            for session in self._live():
                await session.remove(kind, names)

    async def garbage(self, spec):
        """Sends what is no answer: `bytes`, which are not even a message, a `message` (bytes), or `response`: {KIND: data} laid over
        an answer of the kind."""
        await self._answered()
        for session in self._live():
            if "bytes" in spec:
                await session.call.send_bytes(to_bytes(spec["bytes"]))
            elif "message" in spec:
                await session.call.send(to_bytes(spec["message"]))
            for kind, data in (spec.get("response") or {}).items():
                await session.garbage(kind, data)

    async def disconnect(self, spec):
        """Ends the streams: `{status, message}` of gRPC, `reset` (RST_STREAM) or `close` (of the connection)."""
        await self._answered()
        for session in self._live():
            if spec == "reset":
                await session.call.reset()
            elif spec == "close":
                session.call.close()
            else:
                await session.call.end(spec["status"], spec.get("message", ""))

    def _awaits(self):
        return any(session.awaits() for session in self._live())

    def _live(self):
        return [session for session in self._sessions if not session.call.over()]

    async def _serve(self, call):
        if not self._answers(call.path):
            await call.end(12, "unknown service")
            return
        protocol = delta if "/Delta" in call.path else state_of_the_world
        session = protocol.Session(self, call)
        self._sessions.append(session)
        async for message in call.messages():
            await session.take(message)

    def _answers(self, path):
        return "AggregatedDiscoveryService/" in path or any(path in kind.paths for kind in KINDS.values())

    def nonce(self):
        """A new nonce."""
        self._nonces += 1
        return f"n{self._nonces}"

    def streams(self):
        """How many streams there have been."""
        return len(self._sessions)

    def record(self):
        """What the proxy said, and what became of its handshakes, if there is TLS."""
        shakes = self._server.handshakes
        return {**({"tls": shakes} if shakes else {}), **super().record()}

    async def kill(self):
        """Nobody listens, and all connections end."""
        await self._answered()
        await self._server.kill()

    async def restart(self):
        """Listens again, with what it had."""
        await self._server.restart()

    async def stop(self):
        """Gives the port back."""
        await self._server.stop()

    def proxy_ports(self):
        """The ports from which the proxy has connected."""
        return self._server.proxy_ports()
