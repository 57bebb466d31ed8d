"""Cases: one YAML file each, under cases/<area>/. README.md describes the keys."""

import copy
import fnmatch
import hashlib
import json
import re

import yaml

from . import pieces
from .environment import REPOSITORY, ROOT
from .variants import Variants

CASES = ROOT / "cases"
MAIN = "main"
# The upstream that is the control plane of a case with `xds`.
PLANE = "control_plane"

_KEYS = {
    "title",
    "requests",
    "client",
    "timeout",
    "upstream",
    "upstreams",
    "script",
    "plugins",
    "config",
    "text",
    "alone",
    "backtraces",
    "stats",
    "stats_of",
    "stats_except",
    "histograms",
    "pages",
    "files",
    "launch",
    "exit",
    "ignore",
    "drop_log",
    "normalise",
    "config_error",
    "envoy",
    "expect",
    "arguments",
    "environment",
    "resolver",
    "stop",
    "http2",
    "tls",
    "tcp",
    "ports",
    "xds",
}
PROCESS_STEPS = {
    "admin",
    "kill",
    "restart",
    "upstream",
    "wait_stat",
    "wait_file",
    "wait_received",
    "wait_ended",
    "rename",
    "signal",
    "wait_exit",
    "load",
    "start_load",
    "end_load",
    "run",
    "until",
    "push",
    "garbage",
    "disconnect",
    "wait_xds",
    "write",
}
_CLIENT_STEPS = PROCESS_STEPS | {
    "took",
    "request",
    "send",
    "receive",
    "pause",
    "wait_upstream",
    "wait_log",
    "expect_close",
    "finish",
    "close",
    "reset",
    "connection",
    "connect",
}
_UPSTREAM_KEYS = {"names", "mode", "when", "responses", "addresses", "checks", "only", "http2", "tls", "ends"}
# What an upstream is besides in a case whose connections are bytes, by its mode.
_BYTES = {"tcp": {"mode": "tcp", "ends": True, "responses": [[]]}, "echo": {"ends": True}}
_XDS_KEYS = {"protocol", "streams", "first", "asks", "sources", "api", "cluster", "tls", "written", "ready", "absent", "node"}
_HTTP2_SIDES = {"downstream", "upstream"}
_CHECK_KEYS = {"path", "responses", "record"}
_UPSTREAM_STEPS = {"send", "pause", "wait_log", "wait_request", "wait_close", "close", "reset", "respond", "finish"}
_PARTS = {
    "client",
    "upstream",
    "upstreams",
    "log",
    "log.main",
    "log.worker",
    "stats",
    "stats_of",
    "pages",
    "steps",
    "files",
    "exit",
}
_LAUNCH = {"file", "yaml", "none"}


class CaseError(Exception):
    """A case file that is not as README.md says."""


class Case:
    """One case. `id` is area/name; it is also the default vm_id of the case's plugins."""

    def __init__(self, identity, data):
        self.id = identity
        self.area = identity.split("/")[0]
        self.data = data
        self._check()

    def get(self, key, default=None):
        """A top-level key of the case file."""
        return self.data.get(key, default)

    @property
    def slug(self):
        """The id as an identifier, for names of listeners, clusters and stats prefixes."""
        return re.sub(r"[^a-z0-9_.]", "_", self.id)

    @property
    def alone(self):
        """Whether the case needs a process of its own."""
        return any(self.get(key) for key in ("alone", "config_error", "envoy", "text", "exit", "launch", "resolver", "xds"))

    @property
    def upstreams(self):
        """What each upstream does, by name; there is always one named main."""
        specs = {MAIN: self.get("upstream") or {}, **(self.get("upstreams") or {})}
        if self.get("xds") and self.get("xds").get("streams") != "files":
            specs[PLANE] = {"xds": self.get("xds")}
        if not self.get("tcp"):
            return specs
        return {name: {**_BYTES.get(spec.get("mode", "tcp"), {}), **spec} for name, spec in specs.items()}

    def http2(self, side):
        """Whether a side, `downstream` or `upstream`, speaks HTTP/2."""
        return side in self.get("http2", [])

    @property
    def restarts(self):
        """Whether an upstream is killed or restarted, so that its port must stay its own meanwhile."""
        return any({"kill", "restart", "upstream"} & set(step) for step in self.steps)

    @property
    def pauses(self):
        """Whether a client or an upstream waits for a time, which others must keep within."""
        return _has_key([self.steps, self.upstreams], "pause")

    @property
    def steps(self):
        """The client's steps."""
        if "client" in self.data:
            return self.data["client"]
        return [{"request": item} for item in self.get("requests", [])]

    @property
    def plugins(self):
        """The plugins, in filter order, with defaults filled in."""
        found = self.get("plugins")
        if found is None:
            script = self.get("script")
            found = [] if script is None else [{"script": script}]
        return [{"name": "p", "root_id": "r", "guest": "probe", "at": "downstream", **plugin} for plugin in found]

    def digest(self):
        """Identifies what the case does; a recorded answer is good for one digest."""
        data = {k: v for k, v in self.data.items() if k not in ("title", "expect")}
        text = json.dumps(data, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _check(self):
        self._only(self.data, _KEYS, "")
        if not self.get("title"):
            raise CaseError(f"{self.id}: no title")
        if "client" in self.data and "requests" in self.data:
            raise CaseError(f"{self.id}: both client and requests")
        for step in self.steps:
            self._only(step, _CLIENT_STEPS, "client")
        for spec in self.upstreams.values():
            self._check_upstream(spec)
        for step in self.steps:
            for name, spec in (step.get("upstream") or {}).items():
                self._known(name)
                self._check_upstream(spec)
            for key in ("kill", "restart"):
                names = step.get(key, [])
                for name in names if isinstance(names, list) else [names]:
                    self._known(name)
        if not set(self.get("http2", [])) <= _HTTP2_SIDES:
            raise CaseError(f"{self.id}: http2: must be a list of {sorted(_HTTP2_SIDES)}")
        if self.get("launch", "file") not in _LAUNCH:
            raise CaseError(f"{self.id}: launch: must be one of {sorted(_LAUNCH)}")
        for part in self.get("ignore", []):
            if part not in _PARTS:
                raise CaseError(f"{self.id}: ignore: no part named {part}")
        if self.get("envoy") not in (None, "crashes", "hangs"):
            raise CaseError(f"{self.id}: envoy: must be crashes or hangs")
        if self.get("envoy") and not self.get("expect"):
            raise CaseError(f"{self.id}: a case that Envoy does not survive needs expect")

    def _check_upstream(self, spec):
        if "xds" in spec:
            self._only(spec["xds"], _XDS_KEYS, "xds")
            return
        self._only(spec, _UPSTREAM_KEYS, "upstream")
        self._only(spec.get("checks") or {}, _CHECK_KEYS, "upstream.checks")
        for answer in [*(spec.get("responses") or []), *((spec.get("checks") or {}).get("responses") or [])]:
            for step in answer if is_steps(answer) else []:
                self._only(step, _UPSTREAM_STEPS, "upstream.responses")

    def _known(self, name):
        if name not in self.upstreams:
            raise CaseError(f"{self.id}: no upstream named {name!r}")

    def _only(self, mapping, allowed, where):
        if not isinstance(mapping, dict):
            raise CaseError(f"{self.id}: {where}: not a mapping: {mapping!r}")
        for key in mapping:
            if key not in allowed:
                raise CaseError(f"{self.id}: {where}: unknown key {key!r}")


def is_steps(answer):
    """Whether an upstream's answer is a list of steps, and not of pieces of bytes."""
    return isinstance(answer, list) and all(isinstance(s, dict) and not pieces.is_bytes(s) for s in answer)


def load(area=None, patterns=()):
    """All cases and their variants, in order of their ids, that are in `area` and match one of `patterns` (globs over id or name)."""
    found = []
    made = Variants()
    for path in sorted(CASES.glob("*/*.yaml")):
        identity = f"{path.parent.name}/{path.stem}"
        if area and path.parent.name != area:
            continue
        try:
            data = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise CaseError(f"{identity}: {error}") from error
        for identity, data in [(identity, data), *made.of(identity, data)]:
            names = (identity, identity.split("/")[1])
            if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns for name in names):
                found.append(Case(identity, data))
    if not area and made.unused():
        raise CaseError(f"variants.yaml: no case for {made.unused()}")
    return found


def merge(base, over):
    """`base` with `over` laid on it: mappings merge, everything else is replaced, a null removes."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return copy.deepcopy(over)
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def guest_path(name):
    """The file of a guest: a name under plugins/, as `probe` or `probe/probe-0.1.0`."""
    folder, _, file = name.partition("/")
    return REPOSITORY / "plugins" / folder / f"{file or folder}.wasm"


def _has_key(data, key):
    if isinstance(data, dict):
        return key in data or any(_has_key(value, key) for value in data.values())
    return isinstance(data, list) and any(_has_key(item, key) for item in data)
