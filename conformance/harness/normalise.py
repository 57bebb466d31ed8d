"""Replaces what differs from run to run, or rightly between hosts, in what a case observed."""

import hashlib
import re

from .environment import REPOSITORY

_LONG = 1500
_RULES = [
    (re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} 20[2-9]\d \d\d:\d\d:\d\d GMT"), "<date>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r'(x-envoy-upstream-service-time"?: "?)\d+'), r"\1<ms>"),
    (re.compile(r"(x-envoy-expected-rq-timeout-ms: )1[34]\d{3}\b"), r"\1<less than 15000>"),
    (re.compile(r"\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
]
# In the default format of access logs: the duration, and the upstream's time.
_LOG_TIMES = re.compile(r'^(\[<time>\] ".*" \d+ \S+(?: \S+)? \d+ \d+) \d+ (?:\d+|(-)) ')


class Known:
    """The random numbers, the paths and other `texts` of one run, with their names."""

    def __init__(self, numbers, folder, texts=None):
        self._numbers = {n: name for n, name in numbers.items()}
        self._pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, self._numbers)) + r")(?!\w)")
        self._texts = {str(folder): "<folder>", str(REPOSITORY): "<repository>", **(texts or {})}

    def number(self, value):
        """The name of a known number, other ones as they are."""
        return self._numbers.get(str(value), value)

    def replace(self, text):
        """`text` with names for the known."""
        for known, name in self._texts.items():
            text = text.replace(known, name)
        return self._pattern.sub(lambda m: self._numbers[m[1]], text)


def result(case, observed, known):
    """The comparable form of `observed`: only strings, numbers, lists and mappings."""
    rules = _RULES + [(re.compile(a), b) for a, b in case.get("normalise", [])]

    def text(value):
        value = known.replace(value)
        for pattern, by in rules:
            value = pattern.sub(by, value)
        return value

    def walk(value):
        if isinstance(value, bytes):
            return _shortened(text(value.decode("latin-1")))
        if isinstance(value, str):
            return text(value)
        if isinstance(value, dict):
            return {k: walk(v) for k, v in value.items()}
        if isinstance(value, list):
            if len(value) == 2 and value[0] == "x-envoy-upstream-service-time":
                return [value[0], "<ms>"]
            return [_shortened(walk(v)) if isinstance(v, str) else walk(v) for v in value]
        return known.number(value) if type(value) is int else value

    found = walk(observed)
    for name, lines in found.get("files", {}).items():
        if isinstance(lines, list):
            found["files"][name] = [_LOG_TIMES.sub(_times, line) for line in lines]
    _drop(case, found)
    return found


def _times(match):
    return f"{match[1]} <ms> {match[2] or '<ms>'} "


def _drop(case, found):
    patterns = [re.compile(p) for p in case.get("drop_log", [])]
    for thread, lines in found.get("log", {}).items():
        found["log"][thread] = [line for line in lines if not any(p.search(line) for p in patterns)]
    for part in case.get("ignore", []):
        outer, _, inner = part.partition(".")
        if inner:
            found.get(outer, {}).pop(inner, None)
        else:
            found.pop(outer, None)


def _shortened(value):
    if len(value) <= _LONG:
        return value
    digest = hashlib.sha256(value.encode("latin-1", "replace")).hexdigest()[:16]
    return f"{value[:60]}… {len(value)} bytes, sha256 {digest}"
