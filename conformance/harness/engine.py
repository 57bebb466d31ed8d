"""`--engine` and `--isolated`: Sandgate's plugins run on another engine than the default one, or with an instance for each
stream; what Envoy answered stays as it was."""

import collections
import hashlib
import json
import re

from . import native

_PREFIX = "envoy.wasm.runtime."
_ENVOYS = _PREFIX + "v8"
# Stats of a runtime: of one that is named, of one that is not, or of all.
_OF_A_RUNTIME = re.compile(r'envoy\.wasm\.runtime\.|"wasm(\.\.|\.?")|filter=wasm"')
_SETTINGS = "type.googleapis.com/sandgate.v1.WasmPlugins"

NAMES = ("wasmtime", "wamr", "v8", "null")
ISOLATED = "isolated"


class Engine:
    """An engine by the end of its runtime's name. None: the one that the configuration names. `isolated`: with
    `isolation: STREAM`."""

    def __init__(self, name=None, isolated=False):
        self.name = name
        self.isolated = isolated
        self._runtime = _PREFIX + (name or "v8")

    def left_out(self, case):
        """Why a case says nothing of the engine, or None."""
        if self.name is None and not self.isolated:
            return None
        if not uses_guest(case):
            return "no guest"
        if case.get("xds"):
            return "plugins come after the bootstrap that names their engine"
        if self.isolated and case.get("text") is not None:
            return "configured in full"
        told = json.dumps([case.get(key) for key in ("stats", "stats_of", "pages", "client")], default=str)
        if self.name and _OF_A_RUNTIME.search(told):
            return "about the name of a runtime"
        return native.left_out(case) if self.name == "null" else None

    def configured(self, text):
        """A bootstrap configuration, as text, in which plugins without a runtime, or with Envoy's, have this one."""
        if self.name is None and not self.isolated:
            return text
        try:
            config = json.loads(text)
        except ValueError:
            return text.replace(_ENVOYS, self._runtime)
        if self.name is not None:
            _rewrite(config, self._runtime)
        if self.isolated:
            _isolate(config)
        return json.dumps(config, indent=1)

    def variants(self):
        """What it is called where cases are told not to be for it."""
        return [name for name in (self.name, ISOLATED if self.isolated else None) if name]

    def names(self):
        """What stands for what in the texts that are compared."""
        return {} if self._runtime == _ENVOYS else {self._runtime: _ENVOYS}


def uses_guest(case):
    """Whether the case has a plugin, of its own or in a configuration that is written out."""
    return bool(case.plugins) or "vm_config" in str([case.get("text"), case.get("config")])


def per_area(cases, count):
    """Up to `count` cases of each area that use a guest, always the same ones as long as there are no others."""
    chosen = {}
    for case in sorted(cases, key=lambda case: hashlib.sha256(case.id.encode()).digest()):
        area = chosen.setdefault(case.area, set())
        if uses_guest(case) and len(area) < count:
            area.add(case.id)
    return [case for case in cases if case.id in chosen[case.area]]


def _rewrite(config, runtime):
    for plugin in _plugins(config):
        if plugin["vm_config"].get("runtime") in (None, "", _ENVOYS):
            plugin["vm_config"]["runtime"] = runtime
            if runtime == _PREFIX + "null":
                native.name_code(plugin["vm_config"])


def _isolate(config):
    """Isolates the plugins but those that share a VM, or run on an engine that cannot: there it is refused."""
    by_vm = collections.defaultdict(set)
    for plugin in _plugins(config):
        vm = plugin["vm_config"]
        if vm.get("runtime") not in (None, "", _ENVOYS, _PREFIX + "wasmtime"):
            continue
        key = json.dumps([vm.get(field) for field in ("vm_id", "code", "configuration", "environment_variables")], sort_keys=True)
        by_vm[key].add((plugin.get("name", ""), plugin.get("root_id", ""), vm.get("vm_id", "")))
    alone = sorted(names.pop() for names in by_vm.values() if len(names) == 1)
    if alone:
        settings = [{"name": name, "root_id": root_id, "vm_id": vm_id, "isolation": "STREAM"} for name, root_id, vm_id in alone]
        typed = {"@type": _SETTINGS, "plugins": settings}
        config.setdefault("bootstrap_extensions", []).append({"name": ISOLATED, "typed_config": typed})


def _plugins(value):
    """The plugins in a part of a configuration."""
    inner = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    if isinstance(value, dict) and isinstance(value.get("vm_config"), dict):
        yield value
    for part in inner:
        yield from _plugins(part)
