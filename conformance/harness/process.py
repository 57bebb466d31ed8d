"""One proxy process: started on a bootstrap file, awaited, asked through its admin interface, stopped."""

import asyncio
import os
import random
import re
import signal
import socket
import subprocess
from pathlib import Path

import grpc
from envoy.admin.v3 import config_dump_shared_pb2
from envoy.service.status.v3 import csds_pb2, csds_pb2_grpc

from . import logs
from .environment import TARGET

_START_WAIT = 120.0
_STOP_WAIT = 3.0
_LISTENER_ACTIVE = re.compile(r"^listener\.(?!admin\.)\S+\.downstream_cx_active$")


class StartFailed(Exception):
    """The process exited, or did not become ready. `code` is its exit code, None if it had to be killed."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text


_taken = set()


def free_port():
    """A loopback port that is free, that this run has not given out before (two proxies that share a port by
    SO_REUSEPORT would steal each other's connections), below the ephemeral range, so that no outgoing connection
    takes it in the meantime, and not a round number, so that it can be told from other numbers in what is compared."""
    while True:
        port = random.randint(1024, 3200) * 10 + random.choice((1, 3, 7, 9))
        if port in _taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken.add(port)
        return port


class Proxy:
    """A running proxy."""

    def __init__(self, command, folder, admin_port, arguments=(), environment=None):
        self._command = command
        self._folder = folder
        self._admin = admin_port
        self._arguments = list(arguments)
        # Compiled guests are kept from one case to the next, and away from the user's own.
        caches = {"XDG_CACHE_HOME": str(TARGET.absolute())}
        self._environment = {**os.environ, **caches, **(environment or {})}
        self._process = None
        self.log = None

    async def start(self, config, ready=True):
        """Starts with `config`, the arguments that give the configuration, and returns when it is ready, or, without `ready`, when its
        admin interface answers. Raises `StartFailed`."""
        arguments = [
            *self._command,
            *config,
            *("--base-id", str(random.randint(1, 1 << 24))),
            *(() if "--concurrency" in self._arguments else ("--concurrency", "1")),
            *("-l", "info"),
            *(() if "--component-log-level" in self._arguments else ("--component-log-level", "wasm:trace")),
            *self._arguments,
        ]
        path = self._folder / "log"
        with path.open("wb") as log, (self._folder / "stdout").open("wb") as output:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=log, env=self._environment
            )
        self.log = logs.Log(path, self._process.pid)
        end = asyncio.get_running_loop().time() + _START_WAIT
        while True:
            if self._process.poll() is not None:
                self.log.poll()
                output = (self._folder / "stdout").read_text("latin-1")
                raise StartFailed(self._process.returncode, output + self.log.text())
            if await self._ready(ready):
                return
            if asyncio.get_running_loop().time() > end:
                await self.stop()
                raise StartFailed(None, f"not ready after {_START_WAIT:.0f} s\n{self.log.text()}")
            await asyncio.sleep(0.02)

    def alive(self):
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def exit_code(self):
        """As `subprocess` gives it: negative for a signal."""
        return self._process.returncode

    async def _ready(self, ready):
        try:
            status, _ = await self.admin("/ready", wait=5)
        except (OSError, ValueError, asyncio.TimeoutError):
            return False
        return status == 200 or not ready

    async def admin(self, path, method="GET", wait=30):
        """Status and body of an admin page. Raises `TimeoutError` after `wait` seconds."""
        async with asyncio.timeout(wait):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._admin)
            try:
                writer.write(f"{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
                data = await reader.read()
            finally:
                writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            body = _unchunk(body)
        return int(head.split(b" ")[1]), body.decode("latin-1")

    async def statuses(self):
        """What became of each resource of a control plane, as it says itself (CSDS, which Envoy does not serve): `TYPE NAME STATUS`."""
        request = csds_pb2.ClientStatusRequest()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._admin}") as channel:
            service = csds_pb2_grpc.ClientStatusDiscoveryServiceStub(channel)
            fetched = await service.FetchClientStatus(request, timeout=_START_WAIT)
            streamed = [answer async for answer in service.StreamClientStatus(iter([request, request]), timeout=_START_WAIT)]
        if streamed != [fetched, fetched]:
            raise ValueError("the stream of statuses says otherwise than the call")
        name = config_dump_shared_pb2.ClientResourceStatus.Name
        resources = fetched.config[0].generic_xds_configs
        return [f"{r.type_url.rpartition('.')[2]} {r.name} {name(r.client_status)}" for r in resources]

    async def stats(self):
        """All stats by name: numbers, and text as it is."""
        _, text = await self.admin("/stats")
        found = {}
        for line in text.splitlines():
            name, _, value = line.partition(": ")
            found[name] = int(value) if value.isdigit() else value
        return found

    def resident(self):
        """Its memory in KiB, as it is now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def cpu_seconds(self):
        """What it has used of the processor so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number):
        """Sends a signal; a process that is gone is not an error."""
        if self.alive():
            self._process.send_signal(number)

    async def settle(self, tcp=False):
        """Waits until no downstream connection is open, of listeners, with `tcp`, and of HTTP, and the log is quiet."""
        end = asyncio.get_running_loop().time() + 5
        quiet = 0
        while quiet < 3 and asyncio.get_running_loop().time() < end:
            active = 0
            try:
                stats = await self.stats()
                active = sum(v for n, v in stats.items() if n.startswith("http.") and n.endswith(".downstream_cx_active"))
                active -= stats.get("http.admin.downstream_cx_active", 0)
                if tcp:
                    active += sum(v for n, v in stats.items() if _LISTENER_ACTIVE.search(n))
            except (OSError, ValueError, IndexError, asyncio.TimeoutError):
                pass
            quiet = 0 if self.log.poll() or active > 0 else quiet + 1
            await asyncio.sleep(0.03)

    async def stop(self):
        """SIGTERM, then SIGKILL."""
        if self._process is None:
            return
        for number, wait in ((signal.SIGTERM, _STOP_WAIT), (signal.SIGKILL, 10.0)):
            if self._process.poll() is None:
                self._process.send_signal(number)
            end = asyncio.get_running_loop().time() + wait
            while self._process.poll() is None and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(0.01)
        self.log.poll()


def _unchunk(data):
    body = b""
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        body += data[:size]
        data = data[size + 2 :]
    return body
