"""Cases: one YAML file each, under cases/<area>/. README.md describes the keys."""

import copy
import fnmatch
import hashlib
import json

import yaml

from .environment import REPOSITORY, ROOT

CASES = ROOT / "cases"

_KEYS = {
    "title",
    "requests",
    "client",
    "timeout",
    "upstream",
    "script",
    "plugins",
    "config",
    "text",
    "alone",
    "stats",
    "pages",
    "ignore",
    "drop_log",
    "normalise",
    "config_error",
    "envoy",
    "expect",
    "arguments",
    "environment",
    "stop",
}
_CLIENT_STEPS = {
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
}
_UPSTREAM_KEYS = {"mode", "when", "responses", "addresses"}
_UPSTREAM_STEPS = {"send", "pause", "wait_log", "wait_request", "wait_close", "close", "reset", "respond"}
_PARTS = {"client", "upstream", "log", "log.main", "log.worker", "stats", "pages", "exit"}


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
        return self.id.replace("/", "_").replace("-", "_")

    @property
    def alone(self):
        """Whether the case needs a process of its own."""
        return bool(self.get("alone") or self.get("config_error") or self.get("envoy") or self.get("text"))

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
        return [{"name": "p", "root_id": "r", "guest": "probe", **plugin} for plugin in found]

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
        upstream = self.get("upstream") or {}
        self._only(upstream, _UPSTREAM_KEYS, "upstream")
        for answer in upstream.get("responses", []):
            for step in answer if is_steps(answer) else []:
                self._only(step, _UPSTREAM_STEPS, "upstream.responses")
        for part in self.get("ignore", []):
            if part not in _PARTS:
                raise CaseError(f"{self.id}: ignore: no part named {part}")
        if self.get("envoy") not in (None, "crashes", "hangs"):
            raise CaseError(f"{self.id}: envoy: must be crashes or hangs")
        if self.get("envoy") and not self.get("expect"):
            raise CaseError(f"{self.id}: a case that Envoy does not survive needs expect")

    def _only(self, mapping, allowed, where):
        if not isinstance(mapping, dict):
            raise CaseError(f"{self.id}: {where}: not a mapping: {mapping!r}")
        for key in mapping:
            if key not in allowed:
                raise CaseError(f"{self.id}: {where}: unknown key {key!r}")


def is_steps(answer):
    """Whether an upstream's answer is a list of steps, and not of pieces of bytes."""
    return isinstance(answer, list) and all(isinstance(s, dict) and not {"repeat", "hex"} & set(s) for s in answer)


def load(area=None, pattern=None):
    """All cases, in order of their ids, that are in `area` and match `pattern` (a glob over id or name)."""
    found = []
    for path in sorted(CASES.glob("*/*.yaml")):
        identity = f"{path.parent.name}/{path.stem}"
        if area and path.parent.name != area:
            continue
        if pattern and not (fnmatch.fnmatch(identity, pattern) or fnmatch.fnmatch(path.stem, pattern)):
            continue
        try:
            data = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise CaseError(f"{identity}: {error}") from error
        found.append(Case(identity, data))
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
