"""The control plane of one case: answers what the proxy asks for with the case's resources, and notes how the proxy takes them."""

import asyncio

from . import delta, state_of_the_world
from .case import PLANE
from .discovery import KINDS
from .grpc_server import GrpcServer
from .pieces import to_bytes

# Before something else is done: how long an answer of the proxy may take.
_ANSWER_WAIT = 1.0
# After the last step: how long an answer of the proxy may take, and how long it must be silent to be done.
_END_WAIT = 2.0
_QUIET = 0.2


class State:
    """What there is of one kind: its version, and the resources in order, which may hold one name twice. A resource that is as
    it was `before` keeps its version."""

    def __init__(self, version, resources, before=None):
        self.version = version
        self.resources = resources
        known = {(r.name, r.body.SerializeToString()): r.version for r in (before.resources if before else [])}
        for resource in resources:
            resource.version = known.get((resource.name, resource.body.SerializeToString()), version)


class ControlPlane:
    """Upstream of the name `control_plane`. Resources are made when ports are known, by the maker of `use`."""

    def __init__(self, spec):
        self.name = PLANE
        self._spec = spec
        self._server = GrpcServer(self._serve, spec.get("tls"))
        self._maker = None
        self._sessions = []
        self._told = {}
        self._changed = 0
        self._nonces = 0
        self._taken = {}
        self.state = {}
        self.requests = []

    async def start(self):
        """Has a port, and listens unless the case wants it `absent` at first."""
        await self._server.start(not self._spec.get("absent"))

    @property
    def port(self):
        """Where it listens."""
        return self._server.port

    def use(self, maker):
        """Takes the first resources of the case."""
        self._maker = maker
        self._lay(self._spec.get("first") or {})

    def _lay(self, snapshot):
        kinds = [kind for kind in snapshot if kind in KINDS]
        version = str(snapshot.get("version", "1"))
        for kind in kinds:
            made = [self._maker.resource(kind, spec) for spec in snapshot[kind]]
            self.state[kind] = State(version, made, self.state.get(kind))
        return kinds

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

    async def _answered(self):
        """Waits a little until the proxy has said what it makes of all that it was sent, lest it depends on the time."""
        end = asyncio.get_running_loop().time() + _ANSWER_WAIT
        while any(session.awaits() for session in self._live()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)

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

    def note(self, kind, event, request):
        """Keeps what the proxy said of a kind."""
        if self._spec.get("node") and request.HasField("node"):
            event = {**event, "node": request.node.id}
        self._told.setdefault(kind, []).append(event)
        self._changed += 1

    def said(self, kind, test):
        """The next thing that the proxy says of a kind and that passes; what was awaited before does not count again."""
        events = self._told.get(kind, [])
        for index in range(self._taken.get(kind, 0), len(events)):
            if test(events[index]):
                self._taken[kind] = index + 1
                return events[index]
        return None

    def streams(self):
        """How many streams there have been."""
        return len(self._sessions)

    async def settle(self):
        """Waits until the proxy has answered all that it was sent, and is silent."""
        end = asyncio.get_running_loop().time() + _END_WAIT
        quiet, seen = asyncio.get_running_loop().time(), self._changed
        while (now := asyncio.get_running_loop().time()) < end:
            if seen != self._changed:
                quiet, seen = now, self._changed
            if now - quiet > _QUIET and not any(session.awaits() for session in self._live()):
                return
            await asyncio.sleep(0.02)

    def record(self):
        """What the proxy said, by kind; the words of an error are its own."""
        told = {
            kind: [{**event, "error": bool(event["error"])} if "error" in event else event for event in events]
            for kind, events in sorted(self._told.items())
        }
        shakes = self._server.handshakes
        return {**({"tls": shakes} if shakes else {}), **told}

    def received(self):
        """All errors that the proxy told."""
        errors = [event["error"] for events in self._told.values() for event in events if event.get("error")]
        return "\n".join(errors).encode()

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

    def use_log(self, wait_log):
        """A control plane does not wait for the log."""
