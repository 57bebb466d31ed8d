"""A stream of the state-of-the-world protocol: every answer holds all resources of its kind that were asked for."""

from . import messages
from .discovery import KINDS, WILDCARDS, kind_of
from .session import RESOURCE, Sent, named_node

_REQUEST = "envoy.service.discovery.v3.DiscoveryRequest"
_RESPONSE = "envoy.service.discovery.v3.DiscoveryResponse"


class Session:
    """One stream. `plane`: the control plane that it belongs to."""

    def __init__(self, plane, call):
        self._plane = plane
        self.call = call
        self._sent = Sent()
        self._names = {}

    async def take(self, message):
        """A request: what is asked for the first time on the stream, or by other names, is answered."""
        request = messages.empty(_REQUEST)
        request.ParseFromString(message)
        kind = kind_of(request.type_url)
        names = sorted(request.resource_names)
        event = {} if kind in self._names else {"stream": self.call.path.rpartition("/")[2]}
        event |= {"names": names, "version": request.version_info}
        self._plane.note(kind, event | self._sent.answered(request), named_node(request))
        if self._names.get(kind) != names:
            self._names[kind] = names
            await self._send(kind)

    def awaits(self):
        """Whether an answer was not taken or refused yet."""
        return self._sent.awaits()

    async def push(self, kind, _again):
        """Sends what there is now, if the kind was asked for."""
        if kind in self._names:
            await self._send(kind, True)

    async def remove(self, kind, names):
        """There is no such message in this protocol."""

    async def _send(self, kind, always=False):
        state = self._plane.state.get(kind)
        if state is None:
            return
        names = set(self._names[kind])
        every = not names and kind in WILDCARDS
        resources = [r for r in state.resources if every or r.name in names or r.raw]
        if not (resources or always or every):
            return
        response = messages.empty(_RESPONSE)
        response.version_info = state.version
        response.type_url = KINDS[kind].type_url
        response.resources.extend(resource.body if resource.wrapper is None else _wrapped(resource) for resource in resources)
        await self._respond(response)

    async def _respond(self, response, awaited=True):
        response.nonce = self._plane.nonce()
        self._sent.add(response.nonce, response.version_info, awaited)
        await self.call.send(response.SerializeToString(deterministic=True))

    async def garbage(self, kind, data):
        """An answer that is otherwise than one of the kind by `data`."""
        if kind in self._names:
            data = {"version_info": "garbage", "type_url": KINDS[kind].type_url, **data}
            await self._respond(messages.message(_RESPONSE, data), False)


def _wrapped(resource):
    made = messages.message(RESOURCE, {"name": resource.name, **resource.wrapper})
    made.resource.CopyFrom(resource.body)
    return messages.packed({"type_url": f"type.googleapis.com/{RESOURCE}", "value": made.SerializeToString()})
