"""The files that the process of a case writes: access logs, and its own standard output."""

from . import logs

STDOUT = "stdout"
STDERR = "stderr"


class Files:
    """Files of one case, by the name that the case gives them."""

    def __init__(self, folder, case):
        self._folder = folder
        self._slug = case.slug

    @property
    def folder(self):
        """Where they are."""
        return self._folder

    def path(self, name):
        """Where the placeholder {file.NAME} points; two cases of one process do not share a file."""
        if name == STDOUT:
            return self._folder / "stdout"
        return self._folder / f"{self._slug}.{name}"

    def lines(self, name):
        """The lines so far; none if there is no such file. Of stderr those that are not log records."""
        if name == STDERR:
            text = (self._folder / "log").read_bytes().decode("latin-1")
            return [line for line in text.splitlines() if not logs.is_record(line)]
        try:
            return self.path(name).read_bytes().decode("latin-1").splitlines()
        except FileNotFoundError:
            return []

    def record(self, names):
        """The lines of each, `absent` for a file that is not there."""
        return {name: self.lines(name) if name == STDERR or self.path(name).exists() else "absent" for name in names}
