"""The upstream of one case: a TCP server that records what it receives and answers as the case says."""

import asyncio
import re
import socket

from . import pieces, wire
from .case import is_steps

_DEFAULT = {"status": 200, "headers": [["content-type", "text/plain"]], "body": "ok"}


class Upstream:
    """Listens from `start` to `stop`; `requests` grows as they arrive."""

    def __init__(self, case):
        spec = case.get("upstream") or {}
        self._mode = spec.get("mode", "serve")
        self._when = spec.get("when", "complete")
        self._answers = spec.get("responses") or [_DEFAULT]
        self._addresses = spec.get("addresses") or ["127.0.0.1"]
        self._wait_log = None
        self._servers = []
        self._socket = None
        self._tasks = set()
        self._peers = []
        self.requests = []
        self.port = 0

    async def start(self):
        """Binds. In mode refuse the port stays reserved, and nobody listens."""
        if self._mode == "refuse":
            self._socket = socket.socket()
            self._socket.bind(("127.0.0.1", 0))
            self.port = self._socket.getsockname()[1]
            return
        for address in self._addresses:
            server = await wire.listen(self._serve, address, self.port)
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]

    def use_log(self, wait_log):
        """`wait_log(pattern)`: awaits a line of the case's log."""
        self._wait_log = wait_log

    async def stop(self):
        """Closes the listener and all connections."""
        if self._socket:
            self._socket.close()
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self._peers:
            peer.close()

    def received(self):
        """All bytes received so far."""
        return b"".join(bytes(peer.received) for peer in self._peers)

    def record(self):
        """What was received, as data: each request, and bytes that are none."""
        found = []
        for number, message in self.requests:
            item = {"connection": number, "head": [message.start, *(f"{n}: {v}" for n, v in message.headers)]}
            if message.body:
                item["body"] = bytes(message.body)
            if message.trailers:
                item["trailers"] = message.trailers
            if not message.complete:
                item["incomplete"] = True
            found.append(item)
        for number, peer in enumerate(self._peers):
            if peer.buffer and not any(n == number and not m.complete for n, m in self.requests):
                found.append({"connection": number, "rest": bytes(peer.buffer)})
        return found

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        peer = wire.Peer(reader, writer)
        number = len(self._peers)
        self._peers.append(peer)
        try:
            await self._connection(number, peer)
        except (wire.Gone, wire.Malformed, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)

    async def _connection(self, number, peer):
        if self._mode == "close":
            peer.close()
            return
        if self._mode == "reset":
            peer.reset()
            return
        while True:
            message = wire.Message(await peer.head())
            index = len(self.requests)
            self.requests.append((number, message))
            if self._mode == "silent":
                await self._read_body(peer, message)
                continue
            complete = asyncio.ensure_future(self._read_body(peer, message))
            try:
                if self._when == "complete":
                    await asyncio.shield(complete)
                await self._answer(peer, complete, index)
                await complete
            finally:
                complete.cancel()
                await asyncio.gather(complete, return_exceptions=True)

    async def _read_body(self, peer, message):
        await peer.body(message, message.headers, "request")
        message.complete = True

    async def _answer(self, peer, complete, index):
        answer = self._answers[min(index, len(self._answers) - 1)]
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
                    await asyncio.sleep(0.005)
        if "wait_close" in step:
            while not peer.ended:
                await asyncio.sleep(0.005)
        if "close" in step:
            peer.close()
        if "reset" in step:
            peer.reset()
