"""stats.yaml: what of whole scopes of stats is not compared, each with its reason."""

import functools
import re

import yaml

from .environment import ROOT

_FILE = ROOT / "stats.yaml"
_LISTS = ("unsteady", "lacking", "extra")


def load(text=None):
    """The lists, from `text` or from the file."""
    data = yaml.safe_load(_FILE.read_text() if text is None else text) or {}
    if set(data) - set(_LISTS):
        raise ValueError(f"stats.yaml: only {', '.join(_LISTS)}")
    return {key: [re.compile(pattern) for pattern in data.get(key) or {}] for key in _LISTS}


@functools.cache
def _loaded():
    return load()


def _matches(patterns, name):
    return any(pattern.search(name) for pattern in patterns)


def is_unsteady(name):
    """Whether a stat is not the same twice in the same proxy, so that only its presence can be compared."""
    return _matches(_loaded()["unsteady"], name)


def without_known(envoy, sandgate, rules=None):
    """Both answers without the stats that Sandgate is known to lack, or to have besides, in their scopes."""
    if "stats_of" not in envoy:
        return envoy, sandgate
    rules = rules or _loaded()
    theirs, ours = {}, {}
    for prefix, scope in envoy["stats_of"].items():
        other = sandgate.get("stats_of", {}).get(prefix, {})
        theirs[prefix] = {n: v for n, v in scope.items() if n in other or not _matches(rules["lacking"], prefix + n)}
        ours[prefix] = {n: v for n, v in other.items() if n in scope or not _matches(rules["extra"], prefix + n)}
    return {**envoy, "stats_of": theirs}, {**sandgate, "stats_of": ours}
