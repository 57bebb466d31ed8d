"""Connections of bytes, in which nobody looks for requests: the client's, and what an upstream tells of its own."""

import asyncio
import re

from . import pieces, wire

# How long a connection must stay as it is after the last step to be called open.
_OPEN_WAIT = 0.12


class Connection:
    """A connection of a case's client. Has the methods of HTTP/1's in `client`."""

    def __init__(self, peer):
        self.peer = peer
        self.events = []
        self.notes = self.events
        self.finished = False
        self.ended = False

    @property
    def spent(self):
        """No step opens another connection by itself."""
        return False

    async def start(self):
        """Nothing is sent before the first step."""

    def secured(self, facts):
        """The TLS handshake is done."""
        self.events.append({"tls": facts})

    def failed(self, reason):
        """There is no TLS connection, and no more than this to tell."""
        self.end({"tls": reason})
        self.peer.close()

    def end(self, how):
        """The last event."""
        self._rest()
        self.events.append(how)
        self.ended = True

    async def send(self, spec):
        """Sends bytes, also after the peer's FIN."""
        if not self.ended:
            await self.peer.send(pieces.to_bytes(spec))

    async def receive(self, spec, timeout):
        """Bytes up to the end of a match of the regex, or as many as the number says. False if they did not come."""
        spec = spec["bytes"] if isinstance(spec, dict) else spec
        try:
            async with asyncio.timeout(timeout):
                while (count := self._found(spec)) is None:
                    await self.peer.fill()
        except TimeoutError:
            self._rest()
            self.events.append(f"timeout: no {spec!r}")
            return False
        except wire.Gone:
            self._ended()
            return False
        self.events.append({"received": await self.peer.take(count)})
        return True

    def _found(self, spec):
        if isinstance(spec, int):
            return spec if len(self.peer.buffer) >= spec else None
        match = re.search(pieces.to_bytes(spec), self.peer.buffer, re.DOTALL)
        return match.end() if match else None

    async def await_close(self, wait):
        """Waits for the peer's FIN or RST and keeps what arrives before it."""
        if self.ended or self.finished:
            return
        try:
            async with asyncio.timeout(wait):
                while True:
                    await self.peer.fill()
        except TimeoutError:
            self._rest()
            self.events.append("open")
        except wire.Gone:
            self._ended()

    def _ended(self):
        """After a FIN the other direction is still there."""
        if self.finished or self.ended:
            return
        self._rest()
        how = how_ended(self.peer)
        self.events.append(how)
        self.finished = True
        self.ended = how != "finished"

    def _rest(self):
        if self.peer.buffer:
            self.events.append({"rest": bytes(self.peer.buffer)})
            self.peer.buffer.clear()

    async def settle(self):
        """How the connection stands after the last step."""
        if self.events[-1:] != ["open"]:
            await self.await_close(_OPEN_WAIT)


def told(peer):
    """What an upstream tells of a connection: all that it received, and how it ended."""
    received = {"received": bytes(peer.received)} if peer.received else {}
    return {**received, "end": how_ended(peer)}


def how_ended(peer):
    """`finished` (FIN, in TLS its close_notify), `reset`, `open`, or what this side did to it."""
    if peer.left:
        return peer.left
    if not peer.ended:
        return "open"
    if peer.was_reset:
        return "reset"
    if peer.alert:
        return f"closed, {peer.alert}"
    return "closed without close_notify" if getattr(peer, "notified", True) is False else "finished"


async def echo(peer):
    """Sends back what comes, its FIN too."""
    try:
        while True:
            await peer.fill()
            await peer.send(bytes(peer.buffer))
            peer.buffer.clear()
    except wire.Gone:
        peer.shut_write()
