"""A stream of the incremental protocol: an answer holds what is new or changed, and the names of what is gone."""

from . import messages
from .discovery import KINDS, WILDCARDS, kind_of
from .session import RESOURCE, Sent, named_node

_REQUEST = "envoy.service.discovery.v3.DeltaDiscoveryRequest"
_RESPONSE = "envoy.service.discovery.v3.DeltaDiscoveryResponse"


class _Subscription:
    """What of a kind is asked for: `names`, or all of it; and the versions that the proxy has."""

    def __init__(self, every, versions):
        self.every = every
        self.names = set()
        self.versions = versions

    def wants(self, resource):
        return self.every or resource.name in self.names or resource.raw


class Session:
    """One stream. `plane`: the control plane that it belongs to."""

    def __init__(self, plane, call):
        self._plane = plane
        self.call = call
        self._sent = Sent()
        self._subscriptions = {}

    async def take(self, message):
        """A request: what is subscribed to is answered."""
        request = messages.empty(_REQUEST)
        request.ParseFromString(message)
        kind = kind_of(request.type_url)
        subscribe, unsubscribe = sorted(request.resource_names_subscribe), sorted(request.resource_names_unsubscribe)
        first = kind not in self._subscriptions
        said = {
            "stream": self.call.path.rpartition("/")[2] if first else None,
            "subscribe": subscribe,
            "unsubscribe": unsubscribe,
            "initial": dict(sorted(request.initial_resource_versions.items())),
        }
        self._plane.note(kind, {k: v for k, v in said.items() if v} | self._sent.answered(request), named_node(request))
        if first:
            every = kind in WILDCARDS and (not subscribe or "*" in subscribe)
            self._subscriptions[kind] = _Subscription(every, dict(request.initial_resource_versions))
        subscription = self._subscriptions[kind]
        subscription.names |= set(subscribe)
        subscription.names -= set(unsubscribe)
        for name in unsubscribe:
            subscription.versions.pop(name, None)
        if first or subscribe:
            await self._send(kind, first and subscription.every, set(subscribe) if not first else set())

    def awaits(self):
        """Whether an answer was not taken or refused yet."""
        return self._sent.awaits()

    async def push(self, kind, again):
        """Sends what has changed, or with `again` all."""
        if kind in self._subscriptions:
            state = self._plane.state[kind]
            await self._send(kind, False, {r.name for r in state.resources} if again else set())

    async def remove(self, kind, names):
        """Says that there are no resources of these names."""
        if kind in self._subscriptions:
            await self._respond(self._response(kind, [], names))

    async def _send(self, kind, always, again):
        """`again`: names to send even if the proxy has their version."""
        state = self._plane.state.get(kind)
        if state is None:
            return
        subscription = self._subscriptions[kind]
        wanted = [r for r in state.resources if subscription.wants(r)]
        resources = [r for r in wanted if r.name in again or r.raw or subscription.versions.get(r.name) != r.version]
        there = {r.name for r in state.resources}
        removed = [name for name in subscription.versions if name not in there]
        for resource in resources:
            subscription.versions[resource.name] = resource.version
        for name in removed:
            del subscription.versions[name]
        if resources or removed or always:
            await self._respond(self._response(kind, resources, removed))

    def _response(self, kind, resources, removed):
        response = messages.empty(_RESPONSE)
        response.system_version_info = self._plane.state[kind].version if kind in self._plane.state else ""
        response.type_url = KINDS[kind].type_url
        for resource in resources:
            wrapper = {"name": resource.name, "version": resource.version, **(resource.wrapper or {})}
            made = messages.message(RESOURCE, wrapper)
            made.resource.CopyFrom(resource.body)
            response.resources.append(made)
        response.removed_resources.extend(removed)
        return response

    async def _respond(self, response, awaited=True):
        response.nonce = self._plane.nonce()
        self._sent.add(response.nonce, response.system_version_info, awaited)
        await self.call.send(response.SerializeToString(deterministic=True))

    async def garbage(self, kind, data):
        """An answer that is otherwise than one of the kind by `data`."""
        if kind in self._subscriptions:
            data = {"system_version_info": "garbage", "type_url": KINDS[kind].type_url, **data}
            await self._respond(messages.message(_RESPONSE, data), False)
