"""A client step that runs another client, `openssl` or `curl`, against the proxy."""

import asyncio
import re
import shutil

PROGRAMS = {"openssl", "curl"}
_WAIT = 15.0


def missing(case):
    """The program that a case runs and that this machine has not, or None."""
    wanted = {step["run"]["command"][0] for step in case.steps if "run" in step}
    return next((name for name in sorted(wanted) if shutil.which(name) is None), None)


async def run(spec, fill):
    """{command, input, keep}: the exit code, and of its output those lines, without spaces around them, of which a regex in
    `keep` matches the beginning. `fill(text)` replaces placeholders."""
    command = [fill(word) for word in spec["command"]]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_WAIT):
            output, _ = await process.communicate(spec.get("input", "").encode("latin-1"))
    except TimeoutError:
        process.kill()
        await process.wait()
        return {"run": command[0], "lines": ["timeout"]}
    lines = [line.strip() for line in output.decode("latin-1").splitlines()]
    kept = [line for line in lines if any(re.match(pattern, line) for pattern in spec.get("keep", []))]
    return {"run": command[0], "exit": process.returncode, "lines": kept}
