"""What a case asks of the admin interface: stats by name and by scope, histograms, pages."""

import asyncio
import json
import operator
import re

_COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt}
_HISTOGRAM_WAIT = 8.0


def filled(text, values):
    """`text` with its placeholders replaced."""
    for key, value in values.items():
        text = text.replace(key, value)
    return text


def relation(text):
    """`NAME OP NUMBER` as (name, function, number), or None if it is only a name."""
    parts = text.split(" ")
    return (parts[0], _COMPARE[parts[1]], int(parts[2])) if len(parts) == 3 and parts[1] in _COMPARE else None


async def holds(proxy, wanted, values):
    """Whether the stat is as the relation says; a stat that does not exist (yet) is 0."""
    name, compare, number = relation(filled(wanted, values))
    try:
        found = (await proxy.stats()).get(name, 0)
    except (OSError, ValueError, IndexError, asyncio.TimeoutError):
        return False
    return isinstance(found, int) and compare(found, number)


async def stats(proxy, names, values):
    """The value of each counter or gauge, `absent`, or, of a relation, whether it holds."""
    now = await proxy.stats()
    found = {}
    for name in names:
        if relation(name):
            key, compare, number = relation(filled(name, values))
            value = now.get(key, 0)
            found[name] = True if compare(value, number) else value
        else:
            found[name] = now.get(filled(name, values), "absent")
    return found


async def scopes(proxy, prefixes, excepted, unsteady, values):
    """Every stat whose name begins with one of the prefixes, by the rest of its name. Of a histogram, and of what is
    never the same twice, only that it is there."""
    skip = [re.compile(p) for p in excepted]
    now = await proxy.stats()
    found = {}
    for prefix in prefixes:
        start = filled(prefix, values)
        rest = {name[len(start) :]: value for name, value in sorted(now.items()) if name.startswith(start)}
        found[prefix] = {
            name: "<any>" if unsteady(prefix + name) else _comparable(value)
            for name, value in rest.items()
            if not any(p.search(name) for p in skip)
        }
    return found


def _comparable(value):
    is_histogram = isinstance(value, str) and (value.startswith("P0(") or value == "No recorded values")
    return "histogram" if is_histogram else value


async def histograms(proxy, wanted, values):
    """Of each histogram the number of values (`count`), or its cumulative quantiles (`quantiles`). Waits until the
    values have been merged, which happens when the stats are flushed."""
    found = {}
    for name, how in wanted.items():
        full = filled(name, values)
        end = asyncio.get_running_loop().time() + _HISTOGRAM_WAIT
        while True:
            _, text = await proxy.admin("/stats?histogram_buckets=cumulative")
            line = next((l for l in text.splitlines() if l.startswith(f"{full}: ")), None)
            merged = line is None or _count(line) > 0
            if merged or asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.05)
        if line is None:
            found[name] = "absent"
        elif how == "count":
            found[name] = _count(line)
        else:
            quantiles = (await proxy.stats()).get(full, "absent")
            found[name] = re.sub(r"\([^,]*,", "(", quantiles)
    return found


def _count(line):
    """The last cumulative bucket's number of all values."""
    buckets = re.findall(r"B[^(]*\(\d+,(\d+)\)", line)
    return int(buckets[-1]) if buckets else 0


async def page(proxy, spec, values):
    """One admin page. `spec`: `[METHOD ]PATH`, or {page, as, only, drop}: `as` text (default), lines, json or status;
    of lines those that match `only` and do not match `drop`."""
    spec = spec if isinstance(spec, dict) else {"page": spec}
    method, _, path = filled(spec["page"], values).rpartition(" ")
    try:
        status, body = await proxy.admin(path, method or "GET")
    except (OSError, ValueError, IndexError, asyncio.TimeoutError):
        return {"page": spec["page"], "status": "no answer"}
    how = spec.get("as", "lines" if {"only", "drop"} & set(spec) else "text")
    if how == "status":
        return {"page": spec["page"], "status": status}
    if how == "json":
        try:
            body = json.loads(body)
        except ValueError:
            pass
    if how == "lines":
        only, drop = re.compile(spec.get("only", "")), re.compile(spec.get("drop", r"(?!)"))
        body = [line for line in body.splitlines() if only.search(line) and not drop.search(line)]
    return {"page": spec["page"], "status": status, "body": body}
