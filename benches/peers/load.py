"""One round of load, by wrk over HTTP/1 and by h2load over HTTP/2."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .cpus import others
from .tools import Failed


@dataclass
class Round:
    """Times in µs."""

    cpu_us_per_request: float
    requests_per_s: float
    p50_us: float
    p99_us: float
    p999_us: float
    rss_mb: float


def pinned(workers):
    cpus = others(workers)
    return (lambda: os.sched_setaffinity(0, cpus)) if cpus else None


def wrk(binary, process, name, url, workers, connections, seconds, close=False):
    """Loads a proxy that is warm; every answer must be a 200. `close`: a connection for each request."""
    script = str(Path(__file__).with_name("load.lua"))
    line = [binary, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script]
    line += ["-H", "Connection: close"] if close else []
    before = process.cpu_seconds()
    done = subprocess.run([*line, url], capture_output=True, text=True, check=False, preexec_fn=pinned(workers))
    cpu = process.cpu_seconds() - before
    match = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    if done.returncode or not match:
        raise Failed(f"wrk on {name}: {done.stderr or done.stdout}")
    requests, duration, errors, *latencies = map(int, match.groups())
    if errors or not requests:
        raise Failed(f"{name}: {errors} errors in {requests} requests\n{process.last_lines()}")
    return Round(cpu / requests * 1e6, requests / duration * 1e6, *latencies, process.rss_mb())


def h2load(binary, process, name, url, workers, connections, streams, seconds, directory):
    """The same over HTTP/2: a number of requests at once on each connection."""
    for _ in range(2):
        measured = try_h2load(binary, process, name, url, workers, connections, streams, seconds, directory)
        if measured:
            return measured
        # On a busy machine h2load's time can be up before its connections are.
        seconds *= 2
    raise Failed(f"{name}: no answers in {seconds} s\n{process.last_lines()}")


def try_h2load(binary, process, name, url, workers, connections, streams, seconds, directory):
    """One such round; nothing if not a single request was answered, and none refused."""
    log = directory / "h2load.log"
    log.unlink(missing_ok=True)
    line = [binary, f"-c{connections}", f"-m{streams}", "-t1", f"-D{seconds}", f"--log-file={log}", url]
    before = process.cpu_seconds()
    done = subprocess.run(line, capture_output=True, text=True, check=False, preexec_fn=pinned(workers))
    cpu = process.cpu_seconds() - before
    counts = re.search(r"^requests: .*? (\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout, re.MULTILINE)
    if done.returncode or not counts or not log.exists():
        raise Failed(f"h2load on {name}: {done.stderr or done.stdout}")
    _, failed, errored = map(int, counts.groups())
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(took) for _, status, took in lines if status == "200")
    # What was under way when the time was up has no status.
    bad = [status for _, status, _ in lines if status not in ("200", "-1")]
    if not times and not bad:
        return None
    if failed or errored or bad:
        raise Failed(f"{name}: {failed + errored + len(bad)} errors in {len(lines)} requests\n{process.last_lines()}")
    latencies = [times[min(int(len(times) * share), len(times) - 1)] for share in (0.5, 0.99, 0.999)]
    return Round(cpu / len(times) * 1e6, len(times) / seconds, *latencies, process.rss_mb())
