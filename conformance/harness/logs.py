"""The proxy's log file: its lines, whose they are, and what of them is compared."""

import re

_LINE = re.compile(r"^\[(\d{4}-\d\d-\d\d [\d:.]+)\]\[(\d+)\]\[(\w+)\]\[([^\]]+)\] (?:\[[^\] ]+:\d+\] )?(.*)$")
_PREFIX = re.compile(r"^wasm log((?: \S+?)*): ")
_MAIN_LOGGERS = {"main", "config", "admin"}
_BACKTRACE = "Proxy-Wasm plugin in-VM backtrace:"
_INNERMOST = re.compile(r"^(\n  0:  )0x[0-9a-f]+")
_FAILED = re.compile(r"^(Function: \S+ failed:)")


def is_record(text):
    """Whether a line is the beginning of a log record."""
    return bool(_LINE.match(text))


class Line:
    """One log record; `message` may hold newlines."""

    __slots__ = ("level", "logger", "message", "thread")

    def __init__(self, thread, level, logger, message):
        self.thread = thread
        self.level = level
        self.logger = logger
        self.message = message


class Log:
    """A growing log file, parsed as far as it is complete. The main thread is the one with the number of the process,
    and any that writes lines of the server itself."""

    def __init__(self, path, main_thread):
        self._path = path
        self._main = {main_thread}
        self._offset = 0
        self._partial = b""
        self.lines = []

    def poll(self):
        """Reads what was added. True if anything was."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        if not data:
            return False
        self._offset += len(data)
        *complete, self._partial = (self._partial + data).split(b"\n")
        for raw in complete:
            self._add(raw.decode("latin-1"))
        return True

    def _add(self, text):
        match = _LINE.match(text)
        if match:
            self.lines.append(Line(int(match[2]), match[3], match[4], match[5]))
            if match[4] in _MAIN_LOGGERS:
                self._main.add(int(match[2]))
        elif self.lines:
            self.lines[-1].message += "\n" + text
        else:
            self.lines.append(Line(0, "raw", "", text))

    def of_case(self, case, alone, host=True):
        """The compared lines of one case, as {main: […], worker: […]}: what its plugins logged, and, in a process of
        its own and with `host`, what the host itself reported about them."""
        found = {"main": [], "worker": []}
        for line in self.lines:
            if line.logger != "wasm":
                continue
            text = _compared(line, case, alone, host)
            if text is not None:
                found["main" if line.thread in self._main else "worker"].append(text)
        return found

    def text(self):
        """What a reader wants of it: no lines below level info; at most a few screens."""
        kept = [l.message for l in self.lines if l.level not in ("trace", "debug") and (l.level, l.logger) != ("info", "main")]
        return "\n".join(kept if len(kept) <= 200 else [*kept[:100], "…", *kept[-100:]])


def _compared(line, case, alone, host):
    prefix = _PREFIX.match(line.message)
    if prefix:
        mine = alone or case.id in prefix[1].split(" ")
        return f"{line.level} {line.message}" if mine else None
    if not (alone and host) or line.level not in ("warning", "error", "critical"):
        return None
    failed = _FAILED.match(line.message)
    if not failed:
        return f"{line.level} {line.message}"
    frames = line.message.partition(_BACKTRACE)[2] if case.get("backtraces") else ""
    # Where within the innermost function a trap was is known less exactly to some compilers.
    frames = _INNERMOST.sub(r"\g<1>0x_", frames)
    return f"{line.level} {failed[1]}{frames}"
