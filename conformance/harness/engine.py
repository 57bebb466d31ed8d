"""`--engine`: Sandgate's plugins run on another engine than the default one; what Envoy answered stays as it was."""

import hashlib
import json
import re

from . import native

_PREFIX = "envoy.wasm.runtime."
_ENVOYS = _PREFIX + "v8"
# Stats of a runtime: of one that is named, of one that is not, or of all.
_OF_A_RUNTIME = re.compile(r'envoy\.wasm\.runtime\.|"wasm(\.\.|\.?")|filter=wasm"')

NAMES = ("wasmtime", "wamr", "v8", "null")


class Engine:
    """An engine by the end of its runtime's name. None: the one that the configuration names."""

    def __init__(self, name=None):
        self.name = name
        self._runtime = _PREFIX + (name or "v8")

    def left_out(self, case):
        """Why a case says nothing of the engine, or None."""
        if self.name is None:
            return None
        if not uses_guest(case):
            return "no guest"
        if _OF_A_RUNTIME.search(json.dumps([case.get(key) for key in ("stats", "stats_of", "pages", "client")], default=str)):
            return "about the name of a runtime"
        return native.left_out(case) if self.name == "null" else None

    def configured(self, text):
        """A bootstrap configuration, as text, in which plugins without a runtime, or with Envoy's, have this one."""
        if self.name is None:
            return text
        try:
            config = json.loads(text)
        except ValueError:
            return text.replace(_ENVOYS, self._runtime)
        _rewrite(config, self._runtime)
        return json.dumps(config, indent=1)

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


def _rewrite(value, runtime):
    if isinstance(value, dict):
        vm = value.get("vm_config")
        if isinstance(vm, dict) and vm.get("runtime") in (None, "", _ENVOYS):
            vm["runtime"] = runtime
            if runtime == _PREFIX + "null":
                native.name_code(vm)
        for inner in value.values():
            _rewrite(inner, runtime)
    elif isinstance(value, list):
        for inner in value:
            _rewrite(inner, runtime)
