"""One round of load by wrk."""

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


def load(wrk, process, name, url, workers, connections, seconds):
    """Loads a proxy that is warm; every answer must be a 200."""
    cpus = others(workers)
    pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    script = str(Path(__file__).with_name("load.lua"))
    line = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, url]
    before = process.cpu_seconds()
    done = subprocess.run(line, capture_output=True, text=True, check=False, preexec_fn=pin)
    cpu = process.cpu_seconds() - before
    match = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", done.stdout, re.MULTILINE)
    if done.returncode or not match:
        raise Failed(f"wrk on {name}: {done.stderr or done.stdout}")
    requests, duration, errors, *latencies = map(int, match.groups())
    if errors or not requests:
        raise Failed(f"{name}: {errors} errors in {requests} requests\n{process.last_lines()}")
    return Round(cpu / requests * 1e6, requests / duration * 1e6, *latencies, process.rss_mb())
