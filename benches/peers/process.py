"""A proxy as a process: started, measured from outside, ended."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from .tools import Failed

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(port, path, timeout=1.0):
    """The status of one GET, or None if nobody answers."""
    request = f"GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
            s.sendall(request)
            head = s.recv(64)
    except OSError:
        return None
    match = re.match(rb"HTTP/1\.1 (\d{3})", head)
    return int(match[1]) if match else None


def connects(port):
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


class Process:
    """A program in a session of its own, so that its children are found and ended with it."""

    def __init__(self, line, cpus, log):
        self.log = log
        self.started = time.monotonic()
        pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        with open(log, "wb") as out:
            self.child = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, preexec_fn=pin)

    def wait_ready(self, port, path=None, seconds=120.0):
        """Seconds from the start to the first 200; without a path, to the first connection."""
        while not (connects(port) if path is None else get(port, path) == 200):
            elapsed = time.monotonic() - self.started
            if self.child.poll() is not None or elapsed > seconds:
                raise Failed(f"{self.child.args[0]} did not start:\n{self.last_lines()}")
            time.sleep(0.002)
        return time.monotonic() - self.started

    def last_lines(self):
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-8:])

    def pids(self):
        """All processes of the session."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = stat(entry.name)
                if fields and int(fields[3]) == self.child.pid:
                    found.append(int(entry.name))
        return found

    def cpu_seconds(self):
        """utime+stime of all processes."""
        fields = [stat(pid) for pid in self.pids()]
        return sum(int(f[11]) + int(f[12]) for f in fields if f) / TICK

    def rss_mb(self):
        total = 0
        for pid in self.pids():
            try:
                match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            except OSError:
                continue
            total += int(match[1]) if match else 0
        return total / 1024

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            pass
        try:
            # The session is ours alone: what is left of it ends here.
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def stat(pid):
    """The fields of /proc/PID/stat after the name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
