"""Which control plane the cases with `xds` have: the harness itself, or one that others wrote."""

import re
import subprocess

from .control_plane import ControlPlane
from .environment import ROOT

NAMES = ("grpcio", "go")
_GO = ROOT / "go-control-plane" / "build"
# What no control plane does unless it is made to: broken messages, streams ended at will, resources as the case writes them.
_STEPS = {"garbage", "disconnect"}
_SPECS = {"any", "wrapped"}

# What is refused is sent again at once by some, and refused again; how often depends on the time.
_REPEATED = re.compile(r"(update_rejected|create_failure|config_fail|config_reload)$")


class Planes:
    """`name`: None for the harness itself."""

    def __init__(self, name=None):
        self._name = name
        self._program = None

    def of(self, spec):
        """The control plane of a case with this `xds`."""
        if self._name == "grpcio":
            from .grpcio_server import GrpcioServer

            return ControlPlane(spec, GrpcioServer)
        if self._name == "go":
            from .other_plane import OtherPlane

            return OtherPlane(spec, self._built())
        return ControlPlane(spec)

    def _built(self):
        if self._program is None:
            made = subprocess.run([str(_GO)], stdout=subprocess.PIPE, text=True, check=True)
            self._program = made.stdout.strip()
        return self._program

    def comparable(self, answer):
        """What a proxy did, without what depends on the time with this control plane."""
        if self._name != "go":
            return answer
        scopes = {prefix: _steady(stats) for prefix, stats in answer.get("stats_of", {}).items()}
        return {**answer, "stats": _steady(answer.get("stats", {})), "stats_of": scopes}

    def left_out(self, case):
        """Whether a case needs more than this control plane does, or has none."""
        if self._name is None:
            return False
        xds = case.get("xds")
        if not xds or xds.get("streams") == "files" or xds.get("tls"):
            return True
        pushes = [xds.get("first") or {}, *(step["push"] for step in case.steps if "push" in step)]
        if any(_STEPS & set(step) for step in case.steps) or any("removed" in push for push in pushes):
            return True
        return any(not _plain(specs) for push in pushes for specs in push.values() if isinstance(specs, list))


def _steady(stats):
    return {name: "some" if value and _REPEATED.search(name) else value for name, value in stats.items()}


def _plain(specs):
    """Whether each resource is one that a program could have, and none is there twice."""
    names = [spec.get("name") for spec in specs]
    return not any(_SPECS & set(spec) for spec in specs) and len(set(map(str, names))) == len(names)
