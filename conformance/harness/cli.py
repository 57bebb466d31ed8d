"""The command line of conformance/run."""

import argparse
import asyncio
import collections
import datetime
import random
import re
import subprocess
import sys
import time

import yaml

from . import case as cases_
from . import command, compare, engine, environment, planes, recorded, runner, unsteady
from .expectations import Expectations


def main(arguments):
    """Runs; the exit code: 0 if nothing surprised, 1 otherwise, 2 for a wrong command line or case file."""
    options = _options(arguments)
    try:
        every = cases_.load()
        expectations = Expectations()
        cases = cases_.load(options.area, options.case)
    except (cases_.CaseError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    unknown = expectations.unknown(every)
    if unknown:
        print(f"error: expectations.yaml names no case: {', '.join(unknown)}", file=sys.stderr)
        return 2
    if not cases:
        print("error: no case matches", file=sys.stderr)
        return 2
    if options.per_area is not None:
        cases = [case for case in cases if not engine.Engine(options.engine).left_out(case)]
        cases = engine.per_area(cases, options.per_area)
    used = planes.Planes(options.control_plane)
    cases = [case for case in cases if not used.left_out(case)]
    if options.list:
        for case in cases:
            print(f"{case.id}: {case.get('title')}")
        return 0
    if options.record:
        return _record(cases, every, options)
    return _compare(cases, expectations, options)


def _options(arguments):
    parser = argparse.ArgumentParser(prog="conformance/run", description="Compares Sandgate with Envoy 1.40.")
    parser.add_argument("--area", help="only the cases of one area")
    parser.add_argument(
        "--case", metavar="GLOB", action="append", default=[], help="only the cases whose id or name matches one of these"
    )
    parser.add_argument("--list", action="store_true", help="print ids and titles, run nothing")
    parser.add_argument("--recorded", action="store_true", help="compare with Envoy's recorded answers")
    parser.add_argument("--record", action="store_true", help="ask Envoy and record its answers")
    parser.add_argument(
        "--live-sample", type=int, metavar="N", help="with --recorded: ask the live Envoy for N cases, and stale ones"
    )
    parser.add_argument("--seed", type=int, help="of the sample (default: today's date, printed)")
    parser.add_argument("--changed-since", metavar="REF", help="with --live-sample: and for cases changed since REF")
    parser.add_argument("--sandgate", metavar="PATH", help="the binary (default: $SANDGATE, or the newer in target/)")
    parser.add_argument("--engine", choices=engine.NAMES, help="run the guests of Sandgate on this engine")
    parser.add_argument("--isolated", action="store_true", help="give each stream of Sandgate an instance of the guest")
    parser.add_argument(
        "--control-plane", choices=planes.NAMES, help="only cases with a control plane, which is one that others wrote"
    )
    parser.add_argument("--per-area", type=int, metavar="N", help="of each area only N cases that use a guest, always the same")
    parser.add_argument("--jobs", type=int, default=2, help="processes of each proxy at once (default: 2)")
    parser.add_argument("--show", action="store_true", help="print what Sandgate (with --record: Envoy) answered")
    return parser.parse_args(arguments)


# A case about times that was late in a busy moment.
_IN_TIME = object()
# Envoy itself answered otherwise than when it was recorded, and not again.
_ENVOY_WAVERS = object()


def _record(cases, every, options):
    """Asks Envoy and writes its answers. Fails if a case did not come to its end."""
    cases = [case for case in cases if case.get("envoy") != "hangs"]
    answers = asyncio.run(runner.run(environment.envoy(), cases, options.jobs))
    changed = failed = 0
    for case in cases:
        answer = answers[case.id]
        problem = _unanswered(case, answer)
        if options.show or problem:
            _print_answer(case, answer)
        if problem:
            print(f"FAIL {case.id}: {problem}")
            failed += 1
        elif not case.get("envoy") and recorded.save(case, answer):
            print(f"recorded {case.id}")
            changed += 1
    recorded.forget_others(every)
    print(f"{len(cases)} asked, {changed} changed, {failed} failed")
    return 1 if failed else 0


def _unanswered(case, answer):
    if case.get("envoy"):
        return None if answer.get("exit", {"code": 0})["code"] < 0 else "Envoy did not crash"
    if case.get("config_error"):
        return None if answer.get("exit") == {"code": 1} else "Envoy accepted the configuration"
    if case.get("exit"):
        return None
    if "exit" in answer:
        return f"Envoy exited: {answer['exit']}"
    if "error" in answer.get("client", {}):
        return answer["client"]["error"][0]
    return None


def _compare(cases, expectations, options):
    started = time.monotonic()
    cases = [case for case in cases if not _engine(options).left_out(case)]
    skipped = {case.id: reason for case in cases if (reason := _skipped(case, expectations, options))}
    wanted = [case for case in cases if case.id not in skipped]
    live = _live(wanted, options)
    asked = [case for case in live if not case.get("envoy")]
    envoy, sandgate = asyncio.run(_both(asked, wanted, options))
    if options.control_plane:
        vain = {case.id for case in wanted if "error" in envoy.get(case.id, {}).get("client", {})}
        skipped |= dict.fromkeys(sorted(vain), "Envoy does not come to its end with this control plane")
        wanted = [case for case in wanted if case.id not in vain]
    judged = {case.id: _judge(case, expectations, envoy.get(case.id), sandgate[case.id]) for case in wanted}
    late = [case for case in wanted if judged[case.id] and expectations.timed(case)]
    for case in late:
        judged[case.id] = _again(case, expectations, options) or judged[case.id]
    for case in wanted:
        if judged[case.id] and judged[case.id] is not _IN_TIME and case.id in envoy and options.recorded:
            judged[case.id] = _envoy_again(case, expectations, sandgate[case.id], options) or judged[case.id]
    failing = collections.Counter()
    for case in wanted:
        problems = judged[case.id]
        if options.show:
            _print_answer(case, sandgate[case.id])
        if problems is _IN_TIME:
            print(f"LATE {case.id}: as Envoy when asked again by itself")
        elif problems is _ENVOY_WAVERS:
            print(f"WAVERS {case.id}: Envoy answered once otherwise than it did before and after")
        elif problems:
            failing[case.area] += 1
            print(f"FAIL {case.id}: {case.get('title')}")
            for line in problems[:12]:
                print(f"     {line}")
            if len(problems) > 12:
                print(f"     … {len(problems) - 12} more")
    for identity, reason in skipped.items():
        print(f"SKIP {identity}: {reason}")
    failed = failing.total()
    _print_table(" ".join(_engine(options).variants()), collections.Counter(case.area for case in wanted), failing)
    print(f"{len(asked)} asked live, {time.monotonic() - started:.0f} s")
    print(f"{len(wanted) - failed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed else 0


def _print_table(name, wanted, failing):
    """How many cases of each area passed and failed; nothing for one area."""
    if len(wanted) > 1:
        print(f"{f'engine {name}' if name else 'area':<20}passed  failed")
        for area, count in sorted(wanted.items()):
            print(f"{area:<20}{count - failing[area]:>6}{failing[area]:>8}")


def _skipped(case, expectations, options):
    """Why a case is not run: what expectations.yaml says, or a program that this machine has not."""
    missing = command.missing(case)
    return expectations.skipped(case, _engine(options).variants()) or (missing and f"there is no {missing}")


def _engine(options):
    return engine.Engine(options.engine, options.isolated)


def _again(case, expectations, options):
    """Asks a case about times again, with nothing beside it: `_IN_TIME` if it is then as it should be, twice."""
    alone = argparse.Namespace(**{**vars(options), "jobs": 1})
    for _ in range(2):
        _, ours = asyncio.run(_both([], [case], alone))
        if _judge(case, expectations, None, ours[case.id]):
            return None
    return _IN_TIME


def _envoy_again(case, expectations, ours, options):
    """Asks Envoy again where its recorded answer is ours and its live one was not: `_ENVOY_WAVERS` if it then is."""
    if _stale(case) or _judge(case, expectations, None, ours):
        return None
    alone = argparse.Namespace(**{**vars(options), "jobs": 1})
    theirs, _ = asyncio.run(_both([case], [], alone))
    return None if _judge(case, expectations, theirs[case.id], ours) else _ENVOY_WAVERS


def _live(cases, options):
    """The cases for which the live Envoy is asked."""
    if not options.recorded:
        return cases
    if options.live_sample is None:
        return []
    seed = options.seed if options.seed is not None else int(datetime.date.today().strftime("%Y%m%d"))
    print(f"live sample of {options.live_sample}, --seed {seed}")
    chosen = set(case.id for case in random.Random(seed).sample(cases, min(options.live_sample, len(cases))))
    changed = _changed(options.changed_since)
    return [case for case in cases if case.id in chosen or case.id in changed or _stale(case)]


def _changed(ref):
    if not ref:
        return set()
    command = ["git", "-C", str(environment.ROOT), "diff", "--name-only", "--relative", ref, "--", "cases", "recorded"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^(?:cases|recorded)/([^/\n]+/[^\n]+)\.(?:yaml|json)$", text, re.MULTILINE))


def _stale(case):
    if case.get("envoy"):
        return False
    try:
        recorded.load(case)
    except recorded.Stale:
        return True
    return False


async def _both(asked, wanted, options):
    used = planes.Planes(options.control_plane)

    async def envoy():
        return await runner.run(environment.envoy(), asked, options.jobs, planes=used) if asked else {}

    async def sandgate():
        binary = environment.sandgate(options.sandgate)
        return await runner.run(binary, wanted, options.jobs, _engine(options), used)

    found = await asyncio.gather(envoy(), sandgate())
    return [{identity: used.comparable(answer) for identity, answer in answers.items()} for answers in found]


def _judge(case, expectations, live, ours):
    """What is wrong with our answer, as lines."""
    if "error" in ours.get("client", {}):
        return [ours["client"]["error"][0]]
    if case.get("envoy"):
        return compare.unmet(case.get("expect"), ours)
    try:
        answer = live if live is not None else recorded.load(case)
    except recorded.Stale as error:
        return [str(error)]
    problems = compare.differences(*unsteady.without_known(answer, ours))
    problems += _config_error(case, ours)
    if case.get("expect"):
        problems += [f"expected: {line}" for line in compare.unmet(case.get("expect"), ours)]
    differing = expectations.differing(case)
    if differing is None:
        return problems + _last_words(case, ours)
    if not problems:
        return ["listed as differing from Envoy, and does not differ any more"]
    return compare.unmet(differing["expect"], ours)


def _config_error(case, ours):
    wanted = case.get("config_error")
    if not wanted or re.search(wanted, ours.get("output", ""), re.DOTALL):
        return []
    return [f"the output does not match {wanted!r}:", *ours.get("output", "").splitlines()[:10]]


def _last_words(case, ours):
    """What the process said when it should have run."""
    if "exit" not in ours or case.get("config_error") or case.get("exit"):
        return []
    return ours.get("output", "").splitlines()[-6:]


def _print_answer(case, answer):
    print(f"--- {case.id}: {case.get('title')}")
    print(yaml.safe_dump(answer, sort_keys=False, width=200, default_flow_style=None, allow_unicode=True), end="")
