"""Envoy's answers, one file a case under recorded/, each good for one version of its case."""

import json

from .environment import ROOT

RECORDED = ROOT / "recorded"


class Stale(Exception):
    """There is no answer, or it belongs to an older version of the case."""


def load(case):
    """Envoy's answer to `case`. Raises `Stale`."""
    path = _path(case)
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise Stale("no recorded answer; run with --record") from None
    if data["case"] != case.digest():
        raise Stale("the recorded answer belongs to another version of the case; run with --record")
    return data["answer"]


def save(case, answer):
    """Writes the answer. True if the file changed."""
    path = _path(case)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in answer.items() if k != "output"}
    text = json.dumps({"case": case.digest(), "answer": kept}, indent=1, ensure_ascii=True) + "\n"
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


def forget_others(cases):
    """Removes answers whose case is gone, or is not to be answered by Envoy."""
    known = {_path(case) for case in cases if not case.get("envoy")}
    for path in RECORDED.glob("*/*.json"):
        if path not in known:
            path.unlink()


def _path(case):
    return RECORDED / f"{case.id}.json"
