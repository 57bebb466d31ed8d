"""The steps that are about discovered resources: pushed through the control plane, or put into files."""

import json
import re
import shutil

from .case import PLANE
from .discovery import KINDS, Maker

STEPS = {"push", "garbage", "disconnect", "wait_xds", "write"}


class Discovered:
    """Where the resources of one case come from. `upstreams`: of the case."""

    def __init__(self, case, upstreams, ports, admin_port, folder):
        self._xds = case.get("xds") or {}
        self._plane = upstreams.get(PLANE)
        self._files = ports.files
        self._maker = Maker(case, ports, admin_port, folder)

    def begin(self):
        """The first resources; comes before the proxy is started."""
        if self._plane:
            self._plane.use(self._maker)
        elif self._xds:
            self._write_kinds(self._xds.get("first") or {})
        for name, spec in (self._xds.get("written") or {}).items():
            self._write(name, spec)

    async def run(self, step):
        """Does what the step says, but for its waits."""
        if "write" in step:
            for name, spec in step["write"].items():
                self._write(name, spec)
        if "push" in step:
            if self._plane:
                await self._plane.push(step["push"])
            else:
                self._write_kinds(step["push"])
        if "garbage" in step:
            await self._plane.garbage(step["garbage"])
        if "disconnect" in step:
            await self._plane.disconnect(step["disconnect"])

    def _write_kinds(self, snapshot):
        for kind in (kind for kind in snapshot if kind in KINDS):
            resources = [self._maker.data(kind, spec) for spec in snapshot[kind]]
            response = {"version_info": str(snapshot.get("version", "1")), "resources": resources}
            self._write(f"{kind}.json", json.dumps(response, indent=1))

    def _write(self, name, spec):
        """Text, `{copy: PATH}` or `{yaml: DATA}`, moved into place as a whole; with `in_place` it is written where it is."""
        spec = spec if isinstance(spec, dict) else {"text": spec}
        path = self._files.path(name)
        path.parent.mkdir(exist_ok=True)
        target = path if spec.get("in_place") else path.with_name(path.name + ".new")
        if "copy" in spec:
            shutil.copyfile(self._maker.filled(spec["copy"]), target)
        else:
            text = json.dumps(self._maker.filled(spec["yaml"])) if "yaml" in spec else self._maker.filled(spec["text"])
            target.write_text(text)
        if target != path:
            target.rename(path)

    def waits(self, spec):
        """What `wait_xds` awaits: (condition, complaint) one after the other. What is found goes into `found`."""
        for kind, version in (spec.get("ack") or {}).items():
            yield self._said(kind, lambda event, v=str(version): event.get("answers") == v and "error" not in event), (
                f"version {version} of {kind} was not taken"
            )
        for kind, names in (spec.get("names") or {}).items():
            wanted = set(self._maker.filled(names))
            yield self._said(kind, lambda event, n=wanted: n <= set(event.get("names", event.get("subscribe", [])))), (
                f"nobody asked for {kind} {names}"
            )
        if "streams" in spec:
            yield lambda: self._plane.streams() >= spec["streams"], f"fewer than {spec['streams']} streams"

    def refusal(self, kind):
        """The next refusal of a kind of resources, None before there is one."""
        return self._plane.said(kind, lambda event: "error" in event)

    def told(self, event, pattern):
        """What is recorded of a refusal: that its words match, or else the words."""
        text = event["error"]
        return "as wanted" if re.search(self._maker.filled(pattern), text, re.DOTALL) else text

    def _said(self, kind, test):
        return lambda: self._plane.said(kind, test) is not None
