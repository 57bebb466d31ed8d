"""Compares what a case observed on two proxies, and matches an observation with an expectation."""

import re

# Kept in a result for the reader; never compared.
_UNCOMPARED = {"output"}


def differences(envoy, sandgate):
    """Where the two differ, as lines; none if they are equal."""
    found = []
    _walk("", _comparable(envoy), _comparable(sandgate), found)
    return found


def _comparable(result):
    return {k: v for k, v in result.items() if k not in _UNCOMPARED}


def _walk(path, a, b, found):
    if isinstance(a, dict) and isinstance(b, dict):
        if _is_about(a) and _is_about(b):
            if abs(a["about"] - b["about"]) > a["within"]:
                found.append(f"{path}: envoy {a['about']} sandgate {b['about']}, which is not within {a['within']}")
            return
        for key in [*a, *(k for k in b if k not in a)]:
            _walk(f"{path}.{key}" if path else str(key), a.get(key, _ABSENT), b.get(key, _ABSENT), found)
    elif isinstance(a, list) and isinstance(b, list):
        if a == b:
            return
        if all(isinstance(i, (str, list)) for i in a + b):
            _unequal_lists(path, a, b, found)
            return
        for index in range(max(len(a), len(b))):
            left = a[index] if index < len(a) else _ABSENT
            right = b[index] if index < len(b) else _ABSENT
            _walk(f"{path}[{index}]", left, right, found)
    elif a != b:
        found.append(f"{path}: envoy {_show(a)} sandgate {_show(b)}")


def _is_about(value):
    """A count that chance has a hand in."""
    return set(value) == {"about", "within"}


def _unequal_lists(path, a, b, found):
    missing = [i for i in a if i not in b]
    extra = [i for i in b if i not in a]
    if not missing and not extra:
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        found.append(f"{path}[{at}]: order or number: envoy {_show(a[at:at + 3])} sandgate {_show(b[at:at + 3])}")
    for item in missing:
        found.append(f"{path}: only envoy {_show(item)}")
    for item in extra:
        found.append(f"{path}: only sandgate {_show(item)}")


class _Absent:
    def __repr__(self):
        return "nothing"


_ABSENT = _Absent()


def _show(value):
    text = repr(value)
    return text if len(text) <= 300 else text[:300] + "…"


def unmet(expected, observed, path=""):
    """Where `observed` is not as `expected` says, as lines. Mappings may hold more than expected; lists must have
    the same length, unless the expected one is {contains: [...]}; a string that begins with ~ is a regex."""
    if isinstance(expected, dict):
        if set(expected) == {"contains"} and isinstance(observed, list):
            return [
                f"{path}: nothing like {item!r} in {observed!r}"
                for item in expected["contains"]
                if all(unmet(item, o) for o in observed)
            ]
        if not isinstance(observed, dict):
            return [f"{path}: expected {expected!r}, got {observed!r}"]
        found = []
        for key, value in expected.items():
            found += unmet(value, observed.get(key), f"{path}.{key}" if path else str(key))
        return found
    if isinstance(expected, list):
        if not isinstance(observed, list) or len(expected) != len(observed):
            return [f"{path}: expected {expected!r}, got {observed!r}"]
        return [line for i, (e, o) in enumerate(zip(expected, observed)) for line in unmet(e, o, f"{path}[{i}]")]
    if isinstance(expected, str) and expected.startswith("~"):
        matches = isinstance(observed, str) and re.search(expected[1:], observed, re.DOTALL)
        return [] if matches else [f"{path}: {observed!r} does not match {expected[1:]!r}"]
    return [] if expected == observed else [f"{path}: expected {expected!r}, got {observed!r}"]
