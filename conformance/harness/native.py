"""`--engine null`: guests that are compiled into the program (`conformance/native`), of which there are not all."""

import functools
import json
import re
from pathlib import Path

from .environment import REPOSITORY

_GUESTS = REPOSITORY / "plugins"
# What the probe's twin has not: there is no guest's memory, allocator or WASI, and it has no list of attributes.
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|#.*')
_WASM_ONLY = re.compile(
    r"@|\battributes\b|\bend\b|\b_\b|\bas cells\b|\bmemory_|\btrace allocate\b|\bon (start|main)\b|\btrap loop\b|\b(peek|poke)\("
    r"|\b(fd_(?!write)|path_|sock_|environ_|args_|proc_|poll_|sched_|random_|clock_)\w+\("
    r"|\b(get_configuration|continue_request|continue_response|clear_route_cache)\("
)


def left_out(case):
    """Why a case cannot run natively, or None."""
    if case.get("text") or case.get("arguments"):
        return "a configuration of its own"
    for plugin in case.plugins:
        if not isinstance(plugin["guest"], str) or plugin["guest"] not in _twins():
            return "no twin"
        if {"code", "environment_variables", "runtime", "allow_precompiled"} & set(plugin.get("vm", {})):
            return "about Wasm code"
        if "capability_restriction_config" in str([plugin.get("config"), plugin.get("vm")]):
            return "native plugins are not restricted"
        scripts = [plugin.get("script"), plugin.get("vm_configuration"), json.dumps(plugin.get("config", {}))]
        if plugin["guest"] == "probe" and any(_WASM_ONLY.search(_STRING.sub('""', str(script))) for script in scripts):
            return "about a guest's memory"
    if "vm_config" in str(case.get("config")):
        return "a configuration of its own"
    return None


def name_code(vm):
    """The name of the guest in place of the file of its module."""
    code = vm.get("code", {}).get("local", {})
    path = Path(code.get("filename", ""))
    if path.stem in _twins() and path == _GUESTS / path.stem / f"{path.stem}.wasm":
        vm["code"] = {"local": {"inline_string": path.stem}}


@functools.cache
def _twins():
    return {"probe", *(path.parts[-3] for path in _GUESTS.glob("*/src/lib.rs"))}
