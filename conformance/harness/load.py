"""Many requests of one kind: one after the other on a few connections, with only a summary of the answers."""

import asyncio
import collections

from . import pieces, wire

_STEP_TIMEOUT = 30.0


class Load:
    """Runs `connections` × `requests` requests (1 × 10 unless told) against a port. `as`: `counts` of each answer,
    `kinds` (only which answers there were), or `order` of one connection's answers. `within`: counts that chance has a
    hand in may differ by so much. `each`: a connection a request."""

    def __init__(self, spec, port):
        self._spec = spec
        self._port = port
        self._data = pieces.request(spec.get("request", {}))
        self._answers = []
        self._stop = False

    async def run(self):
        """The summary, when all are answered."""
        count = self._spec.get("connections", 1)
        try:
            async with asyncio.timeout(_STEP_TIMEOUT):
                await asyncio.gather(*(self._one() for _ in range(count)))
        except TimeoutError:
            self._answers.append("timeout")
        return self.summary()

    def end(self):
        """No further requests; those that are sent are answered."""
        self._stop = True

    def summary(self):
        """The answers, as the case wants them."""
        how = self._spec.get("as", "counts")
        if how == "order":
            return list(self._answers)
        counts = collections.Counter(self._answers)
        if how != "counts":
            return sorted(counts)
        within = self._spec.get("within")
        return {answer: {"about": n, "within": within} if within else n for answer, n in sorted(counts.items())}

    async def _one(self):
        peer = None
        for _ in range(self._spec.get("requests", 10)):
            if self._stop:
                break
            try:
                if peer is None:
                    peer = wire.Peer(*await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20))
            except OSError:
                self._answers.append("refused")
                await asyncio.sleep(0.01)
                continue
            answer, last = await self._ask(peer)
            self._answers.append(answer)
            if last or self._spec.get("each"):
                peer.close()
                peer = None
            await asyncio.sleep(self._spec.get("every", 0))
        if peer is not None:
            peer.close()

    async def _ask(self, peer):
        """The answer in a line, and whether the connection is spent."""
        try:
            await peer.send(self._data)
            message = wire.Message(await peer.head())
            none = pieces.method_of(self._data) == "HEAD" or message.status() in (204, 304)
            await peer.body(message, message.headers, "none" if none else "response")
        except (wire.Gone, wire.Malformed):
            return "closed", True
        closing = any(n.lower() == "connection" and "close" in v.lower() for n, v in message.headers)
        return f"{message.status()} {message.body.decode('latin-1')[:60]}".rstrip(), closing or bool(message.framing)
