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
    """Both answers without the stats that Sandgate is known to lack, or to have besides: in scopes, and in pages of the admin interface that
    are compared line by line."""
    rules = rules or _loaded()
    theirs, ours = dict(envoy), dict(sandgate)
    if "stats_of" in envoy:
        theirs["stats_of"], ours["stats_of"] = _scopes_without_known(envoy["stats_of"], sandgate.get("stats_of", {}), rules)
    if "pages" in sandgate:
        ours["pages"] = {name: _page_without_extra(page, rules["extra"]) for name, page in sandgate["pages"].items()}
    return theirs, ours


def _scopes_without_known(envoy, sandgate, rules):
    theirs, ours = {}, {}
    for prefix, scope in envoy.items():
        other = sandgate.get(prefix, {})
        theirs[prefix] = {n: v for n, v in scope.items() if n in other or not _matches(rules["lacking"], prefix + n)}
        ours[prefix] = {n: v for n, v in other.items() if n in scope or not _matches(rules["extra"], prefix + n)}
    return theirs, ours


def _page_without_extra(page, extra):
    if not isinstance(page.get("body"), list):
        return page
    return {**page, "body": [line for line in page["body"] if not _matches(extra, line.partition(": ")[0])]}
