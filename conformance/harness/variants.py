"""variants.yaml: cases that are run once more with another version of HTTP, or another protocol of discovery."""

import fnmatch

import yaml

from . import pieces
from .environment import ROOT

_FILE = ROOT / "variants.yaml"
_EXPECTATIONS = ROOT / "expectations.yaml"
# What these cases are about does not depend on the version of HTTP, or they have no answer to compare.
_SINGLE = {"config_error", "envoy", "text", "launch", "http2", "tls"}
_LOADS = {"load", "start_load"}


class Variants:
    """`of(identity, data)`: the variants of a case, as (identity, data)."""

    def __init__(self, text=None):
        self._variants = yaml.safe_load(_FILE.read_text() if text is None else text) or {}
        expectations = yaml.safe_load(_EXPECTATIONS.read_text()) or {}
        self._differing = set(expectations.get("differ") or {})
        self._used = set()

    def of(self, identity, data):
        """None of a case that differs from Envoy over HTTP/1: the variant would only say so again."""
        if identity in self._differing:
            return
        for name, variant in self._variants.items():
            if not _matches(identity, variant["cases"]) or not _applies(data, variant):
                continue
            if _matches(identity, variant["except"]):
                self._used.update((name, p) for p in variant["except"] if fnmatch.fnmatch(identity, p))
                continue
            kept = {key: value for key, value in data.items() if key != "expect"}
            if "normalise" in variant:
                kept["normalise"] = [*data.get("normalise", []), *variant["normalise"]]
            kept |= {"http2": variant["http2"]} if "http2" in variant else {"xds": {**data["xds"], **variant["xds"]}}
            yield f"{identity}@{name}", {**kept, "title": f"{data.get('title')} ({name})"}

    def unused(self):
        """Exceptions that name no case that would have a variant."""
        wanted = {(name, p) for name, variant in self._variants.items() for p in variant["except"]}
        return sorted(f"{name}: {pattern}" for name, pattern in wanted - self._used)


def _matches(identity, patterns):
    return any(fnmatch.fnmatch(identity, pattern) for pattern in patterns)


def _applies(data, variant):
    if "xds" in variant:
        return "xds" in data and not set(variant["xds"]) & set(data["xds"])
    return _can(data, variant["http2"])


def _can(data, sides):
    """Whether the case says what its messages are, and not how they are written in HTTP/1."""
    if _SINGLE & set(data) or not (data.get("client") or data.get("requests")):
        return False
    steps = data.get("client") or [{"request": r} for r in data["requests"]]
    return not ("downstream" in sides and _client_bytes(steps)) and not ("upstream" in sides and _upstream_bytes(data, steps))


def _client_bytes(steps):
    sent = [step[key] for step in steps for key in ("request", "send") if key in step]
    return any(_LOADS & set(step) for step in steps) or any(not _is_message(spec) for spec in sent)


def _upstream_bytes(data, steps):
    specs = [data.get("upstream") or {}, *(data.get("upstreams") or {}).values()]
    specs += [spec for step in steps for spec in (step.get("upstream") or {}).values()]
    answers = [a for s in specs for a in [*(s.get("responses") or []), *((s.get("checks") or {}).get("responses") or [])]]
    return any(not _is_answer(answer) for answer in answers)


def _is_answer(answer):
    if isinstance(answer, list):
        return all(isinstance(step, dict) and not {"send", "bytes"} & set(step) for step in answer)
    return _is_message(answer)


def _is_message(spec):
    return isinstance(spec, dict) and not pieces.is_bytes(spec)
