"""What is measured."""

import statistics
from dataclasses import asdict, dataclass, field

from .configs import Wire, command
from .cpus import proxys
from .load import h2load, wrk
from .process import Process
from .tools import ROOT

PROXIES = ("sandgate", "envoy", "nginx", "haproxy")
WITH_GUESTS = ("sandgate", "envoy")
# Sandgate with the modules of an earlier start.
CACHED = "sandgate, cached"
# Debian's nginx has no module for streams.
TCP_PROXIES = ("sandgate", "envoy", "haproxy")
TCP = Wire(tcp=True)
# As many requests at once as over HTTP/1, twice over.
HTTP2_CONNECTIONS, HTTP2_STREAMS = 8, 16
PLUGINS = ROOT / "plugins"
KEYS = ("row", "proxy", "workers", "cpu_us_per_request", "requests_per_s", "p50_us", "p99_us", "rss_mb", "ready_s")


@dataclass
class Bench:
    """What a row runs with."""

    args: object
    binaries: dict
    directory: object
    upstream: object
    workers: int


@dataclass
class Result:
    """A proxy in a row: medians; nothing where a row does not measure it. `rounds` has the single figures."""

    row: str
    proxy: str
    workers: int
    cpu_us_per_request: float | None = None
    requests_per_s: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    rss_mb: float | None = None
    ready_s: float | None = None
    rounds: list = field(default_factory=list)

    def to_json(self):
        values = asdict(self)
        return {key: round(values[key], 3) if isinstance(values[key], float) else values[key] for key in KEYS}


@dataclass
class Load:
    """Requests through a filter chain, in rounds, the proxies in turn."""

    name: str
    what: str
    path: str
    plugins: tuple = ()
    proxies: tuple = WITH_GUESTS
    wire: Wire = Wire()
    # A connection for each request.
    close: bool = False
    # Each request has an instance of the guest: Sandgate only.
    isolated: bool = False

    @property
    def tools(self):
        return {"h2load" if self.wire.http2 else "wrk"} | ({"openssl"} if self.wire.tls else set())

    def run(self, bench):
        args = bench.args
        running = []
        try:
            for proxy in self.proxies:
                if proxy in args.proxies:
                    running.append(self.start(bench, proxy))
            for proxy, process, port in running:
                self.round(bench, proxy, process, port, 1)
            rounds = {proxy: [] for proxy, _, _ in running}
            for _ in range(args.rounds):
                for proxy, process, port in running:
                    rounds[proxy].append(self.round(bench, proxy, process, port, args.seconds))
        finally:
            for _, process, _ in running:
                process.end()
        return [self.result(bench, proxy, measured) for proxy, measured in rounds.items()]

    def start(self, bench, proxy):
        line, port, ready = command(
            proxy, bench.binaries[proxy], bench.directory, bench.upstream, bench.workers, self.plugins, self.wire, isolated=self.isolated
        )
        process = Process(line, proxys(bench.workers), bench.directory / f"{proxy}-{port}.log")
        try:
            process.wait_ready(*(ready or (port,)))
        except BaseException:
            process.end()
            raise
        return proxy, process, port

    def round(self, bench, proxy, process, port, seconds):
        url = f"{self.wire.scheme}://127.0.0.1:{port}{self.path}"
        args = bench.args
        if self.wire.http2:
            return h2load(
                bench.binaries["h2load"], process, proxy, url, bench.workers, HTTP2_CONNECTIONS * bench.workers, HTTP2_STREAMS,
                seconds, bench.directory,
            )
        return wrk(bench.binaries["wrk"], process, proxy, url, bench.workers, args.connections, seconds, self.close)

    def result(self, bench, proxy, rounds):
        medians = {key: statistics.median(getattr(r, key) for r in rounds) for key in asdict(rounds[0])}
        return Result(self.name, proxy, bench.workers, **medians, rounds=rounds)


@dataclass
class Start:
    """From the start of the process to the first 200 of `/ready`, with so many plugins, each a module of its own. Sandgate starts twice: with
    an empty directory of compiled modules, which it fills, and with that directory."""

    count: int
    guest: str = "header"
    language: str = "Rust"
    proxies: tuple = WITH_GUESTS
    tools = frozenset()

    @property
    def name(self):
        return f"start-{self.count}" if self.language == "Rust" else f"start-{self.language.lower()}"

    @property
    def what(self):
        guests = f"{self.count} distinct plugins, a Rust SDK guest each" if self.count > 1 else f"one plugin in {self.language}"
        return f"time to ready and memory with {guests}"

    def run(self, bench):
        plugins = [self.plugin(bench, index) for index in range(self.count)]
        chosen = [proxy for proxy in self.proxies if proxy in bench.args.proxies]
        rounds = {name: [] for proxy in chosen for name in ((proxy, CACHED) if proxy == "sandgate" else (proxy,))}
        for number in range(2 if bench.args.quick else min(bench.args.rounds, 5)):
            for name, measured in rounds.items():
                proxy = "sandgate" if name == CACHED else name
                measured.append(self.start(bench, proxy, plugins, f"modules-{self.name}-{bench.workers}-{number}"))
        return [
            Result(
                self.name, proxy, bench.workers,
                ready_s=statistics.median(ready for ready, _ in measured),
                rss_mb=statistics.median(rss for _, rss in measured), rounds=measured,
            )
            for proxy, measured in rounds.items()
        ]

    def plugin(self, bench, index):
        """The guest with a custom section of its own, so that no two modules are the same."""
        name = f"plugin-{index}"
        path = bench.directory / f"{name}.wasm"
        label = name.encode()
        section = bytes([len(label)]) + label
        path.write_bytes((PLUGINS / self.guest / f"{self.guest}.wasm").read_bytes() + bytes([0, len(section)]) + section)
        return name, path, None

    def start(self, bench, proxy, plugins, cache):
        line, port, ready = command(
            proxy, bench.binaries[proxy], bench.directory, bench.upstream, bench.workers, plugins, cache=cache
        )
        # Compiling may use every processor: that is what a start is.
        with Process(line, None, bench.directory / f"{proxy}-{port}.log") as process:
            return process.wait_ready(*ready, seconds=300), process.rss_mb()


def guest(name, configuration=None):
    return ((name, PLUGINS / name / f"{name}.wasm", configuration),)


def isolated(name, what):
    return Load(f"guest-{name}-isolated", what, "/1k", guest(name), proxies=("sandgate",), isolated=True)


def body(size):
    return Load(f"guest-body-{size}", f"a Rust SDK guest replaces the whole response body, {size}", f"/{size}", guest("body", "buffered"))


ALL = (
    Load("no-filter", "no guest, 1 KiB responses", "/1k", proxies=PROXIES),
    Load("guest-noop", "a C guest with every callback, which does nothing", "/1k", guest("c-noop")),
    Load("guest-header", "a C guest adds a header to request and response", "/1k", guest("c-header")),
    Load("guest-headers-all", "a Rust SDK guest reads all headers both ways and adds one", "/1k", guest("headers")),
    isolated("headers", "the same, with an instance for each request"),
    isolated("leak", "a C guest fills 1 MiB of new memory at each request and keeps it, with an instance for each request"),
    body("1k"),
    body("64k"),
    body("1m"),
    Load("h2c", f"HTTP/2 without TLS from {HTTP2_CONNECTIONS} connections with {HTTP2_STREAMS} streams each, 1 KiB", "/1k", proxies=PROXIES, wire=Wire(http2=True)),
    Load("h2c-guest-header", "the same with the guest that adds a header both ways", "/1k", guest("c-header"), wire=Wire(http2=True)),
    Load("h2c-both", "HTTP/2 without TLS from the client and to the upstream", "/1k", wire=Wire(http2=True, http2_upstream=True)),
    Load("tls", "HTTP/1 over TLS 1.3, connections kept, 1 KiB", "/1k", proxies=PROXIES, wire=Wire(tls=True)),
    Load("tls-64k", "the same with 64 KiB", "/64k", proxies=PROXIES, wire=Wire(tls=True)),
    Load("tls-handshake", "a TLS connection for each request, none resumed", "/1k", proxies=PROXIES, wire=Wire(tls=True, resumes=False), close=True),
    Load("tls-resumed", "the same, sessions resumed", "/1k", proxies=PROXIES, wire=Wire(tls=True), close=True),
    Load("h2-tls", "HTTP/2 over TLS 1.3", "/1k", proxies=PROXIES, wire=Wire(http2=True, tls=True)),
    Load("tcp", "tcp_proxy, connections kept, 1 KiB responses", "/1k", proxies=TCP_PROXIES, wire=TCP),
    Load("tcp-connect", "the same with a connection for each request", "/1k", proxies=TCP_PROXIES, wire=TCP, close=True),
    Load("tcp-1m", "the same with 1 MiB, connections kept", "/1m", proxies=TCP_PROXIES, wire=TCP),
    Load("tcp-guest-1m", "the same behind a Rust SDK guest that sees every byte", "/1m", guest("redis"), wire=TCP),
    Start(1),
    Start(10),
    Start(100),
    Start(1, guest="sdk-go", language="Go"),
)
