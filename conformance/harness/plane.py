"""What every control plane of a case has: its resources by kind, and what the proxy said of them."""

import asyncio

from .case import PLANE
from .discovery import KINDS

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


class Plane:
    """Upstream of the name `control_plane`. Resources are made when ports are known, by the maker of `use`. Who inherits says
    what the proxy `_awaits`: whether there is an answer that it neither took nor refused yet."""

    def __init__(self, spec):
        self.name = PLANE
        self._spec = spec
        self._maker = None
        self._told = {}
        self._changed = 0
        self._taken = {}
        self.state = {}
        self.requests = []

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

    async def _answered(self):
        """Waits a little until the proxy has said what it makes of all that it was sent, lest it depends on the time."""
        end = asyncio.get_running_loop().time() + _ANSWER_WAIT
        while self._awaits() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.01)

    def note(self, kind, event, node):
        """Keeps what the proxy said of a kind, with the id of its node if it named that and the case wants to know."""
        if self._spec.get("node") and node is not None:
            event = {**event, "node": node}
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

    async def settle(self):
        """Waits until the proxy has answered all that it was sent, and is silent."""
        end = asyncio.get_running_loop().time() + _END_WAIT
        quiet, seen = asyncio.get_running_loop().time(), self._changed
        while (now := asyncio.get_running_loop().time()) < end:
            if seen != self._changed:
                quiet, seen = now, self._changed
            if now - quiet > _QUIET and not self._awaits():
                return
            await asyncio.sleep(0.02)

    def record(self):
        """What the proxy said, by kind; the words of an error are its own."""
        return {
            kind: [{**event, "error": bool(event["error"])} if "error" in event else event for event in events]
            for kind, events in sorted(self._told.items())
        }

    def received(self):
        """All errors that the proxy told."""
        errors = [event["error"] for events in self._told.values() for event in events if event.get("error")]
        return "\n".join(errors).encode()

    def use_log(self, wait_log):
        """A control plane does not wait for the log."""
