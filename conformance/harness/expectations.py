"""expectations.yaml: every case that is skipped, answered otherwise than by Envoy, or about times, with its reason."""

import fnmatch

import yaml

from .environment import ROOT

_FILE = ROOT / "expectations.yaml"


class Expectations:
    """`skip`: id glob -> reason. `engines`: engine, or `isolated` -> id glob -> reason. `differ`: id -> {reason, expect}.
    `timed`: id glob -> what is timed."""

    def __init__(self, text=None):
        data = yaml.safe_load(_FILE.read_text() if text is None else text) or {}
        self._skip = data.get("skip") or {}
        self._engines = data.get("engines") or {}
        self._differ = data.get("differ") or {}
        self._timed = data.get("timed") or {}
        for identity, entry in self._differ.items():
            if set(entry) != {"reason", "expect"}:
                raise ValueError(f"expectations.yaml: {identity} needs reason and expect, nothing else")

    def skipped(self, case, variants=()):
        """The reason why `case` is skipped, on the engine and with the isolation that `variants` names, or None."""
        patterns = [self._skip, *(self._engines.get(variant, {}) for variant in variants)]
        for pattern, reason in [entry for entries in patterns for entry in entries.items()]:
            if fnmatch.fnmatch(case.id, pattern):
                return reason
        return None

    def timed(self, case):
        """Whether a busy moment of the machine can change what `case` observes."""
        return case.pauses or any(fnmatch.fnmatch(case.id, pattern) for pattern in self._timed)

    def differing(self, case):
        """The expectation that replaces Envoy's answer, or None."""
        return self._differ.get(case.id)

    def unknown(self, cases):
        """Entries that name no case."""
        ids = {case.id for case in cases}
        engines = [pattern for patterns in self._engines.values() for pattern in patterns]
        entries = [i for i in self._differ if i not in ids]
        return entries + [p for p in [*self._skip, *self._timed, *engines] if not fnmatch.filter(ids, p)]
