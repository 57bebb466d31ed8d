"""Tests of what surrounds the connections of a case: upstreams that change, loads, stats, files."""

import asyncio
import tempfile
import unittest
from pathlib import Path

from harness import asked, bootstrap, pieces, unsteady, wire
from harness.case import Case, CaseError
from harness.files import Files
from harness.load import Load
from harness.sink import Sink
from harness.steps import Steps
from harness.upstream import Upstream


class FakeProxy:
    """Answers as an admin interface would."""

    def __init__(self, pages):
        self._pages = pages

    async def admin(self, path, method="GET"):
        return 200, self._pages[f"{method} {path}"]

    async def stats(self):
        return {"cluster.up.a": 3, "cluster.up.time": "No recorded values", "cluster.up.bytes": 7, "cluster.uptown": 1}


async def ask(port, path="/"):
    """The whole answer to one request, or the error's name."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        return type(error).__name__
    peer = wire.Peer(reader, writer)
    await peer.send(pieces.request({"path": path}))
    message = wire.Message(await peer.head())
    await peer.body(message, message.headers, "response")
    peer.close()
    return message.body.decode()


def with_upstream(upstream, use):
    async def run():
        await upstream.start()
        try:
            return await use()
        finally:
            await upstream.stop()

    return asyncio.run(run())


class Upstreams(unittest.TestCase):
    def test_killed_restarted_and_changed(self):
        upstream = Upstream({}, "b", restarts=True)

        async def use():
            seen = [await ask(upstream.port)]
            await upstream.kill()
            seen.append(await ask(upstream.port))
            await upstream.restart()
            upstream.change({"responses": [{"body": "x"}, {"body": "y"}]})
            return [*seen, await ask(upstream.port), await ask(upstream.port), await ask(upstream.port)]

        self.assertEqual(with_upstream(upstream, use), ["b", "ConnectionRefusedError", "x", "y", "y"])

    def test_checks_have_answers_of_their_own_and_few_are_recorded(self):
        checks = {"path": "/up", "record": 1, "responses": [{"body": "1"}, {"body": "2"}]}
        upstream = Upstream({"responses": [{"body": "a"}, {"body": "b"}], "checks": checks})

        async def use():
            return [await ask(upstream.port, path) for path in ("/up", "/", "/up?q", "/")]

        self.assertEqual(with_upstream(upstream, use), ["1", "a", "2", "b"])
        self.assertEqual([(r["connection"], r["head"][0]) for r in upstream.record()], [(0, "GET /up HTTP/1.1"), (1, "GET / HTTP/1.1"), (2, "GET / HTTP/1.1")])

    def test_a_sink_collects_lines(self):
        sink = Sink({"mode": "datagrams", "only": "^a"}, "s")
        for data in (b"a:1|c\nb:2|g", b"a:1|c"):
            sink.take(data + b"\n")
        self.assertEqual(sink.record(), ["a:1|c"])

    def test_a_load_is_summed_up(self):
        upstream = Upstream({"responses": [{"body": "x"}, {"status": 503, "body": "y"}]})

        async def use():
            counts = await Load({"requests": 3}, upstream.port).run()
            return counts, await Load({"requests": 1, "as": "order", "each": True}, upstream.port).run()

        self.assertEqual(with_upstream(upstream, use), ({"200 x": 1, "503 y": 2}, ["503 y"]))


class Asking(unittest.TestCase):
    def test_scopes(self):
        found = asyncio.run(asked.scopes(FakeProxy({}), ["cluster.{c}."], ["^b"], lambda name: False, {"{c}": "up"}))
        self.assertEqual(found, {"cluster.{c}.": {"a": 3, "time": "histogram"}})
        found = asyncio.run(asked.scopes(FakeProxy({}), ["cluster.up."], [], lambda name: name == "cluster.up.a", {}))
        self.assertEqual(found["cluster.up."]["a"], "<any>")

    def test_relations(self):
        found = asyncio.run(asked.stats(FakeProxy({}), ["cluster.up.a >= 3", "cluster.up.a > 3", "cluster.up.a", "none"], {}))
        self.assertEqual(found, {"cluster.up.a >= 3": True, "cluster.up.a > 3": 3, "cluster.up.a": 3, "none": "absent"})

    def test_pages(self):
        proxy = FakeProxy({"GET /a": "x 1\ny 2\n", "POST /b": '{"k": [1]}'})
        found = asyncio.run(asked.page(proxy, {"page": "/a", "only": "^x"}, {}))
        self.assertEqual(found, {"page": "/a", "status": 200, "body": ["x 1"]})
        found = asyncio.run(asked.page(proxy, {"page": "POST /{p}", "as": "json"}, {"{p}": "b"}))
        self.assertEqual(found["body"], {"k": [1]})

    def test_what_is_known_to_be_lacking_is_left_out(self):
        rules = unsteady.load("{unsteady: {}, lacking: {'^s.gone$': r}, extra: {'^s.ours$': r}}")
        envoy, ours = unsteady.without_known({"stats_of": {"s.": {"gone": 0, "a": 1}}}, {"stats_of": {"s.": {"a": 1, "ours": 2}}}, rules)
        self.assertEqual(envoy, ours)
        envoy, ours = unsteady.without_known({"stats_of": {"s.": {"gone": 0}}}, {"stats_of": {"s.": {"gone": 1}}}, rules)
        self.assertNotEqual(envoy, ours)

    def test_pages_of_lines_are_without_what_is_ours(self):
        rules = unsteady.load("{unsteady: {}, lacking: {}, extra: {'^ours$': r}}")
        pages = lambda *lines: {"pages": {"/stats": {"status": 200, "body": list(lines)}}}
        self.assertEqual(*unsteady.without_known(pages("a: 1"), pages("a: 1", "ours: 2"), rules))
        self.assertNotEqual(*unsteady.without_known(pages("a: 1"), pages("a: 1", "b: 2"), rules))
        text = {"pages": {"/stats": {"status": 200, "body": "ours: 2"}}}
        self.assertEqual(unsteady.without_known(text, text, rules), (text, text))

    def test_the_lists_of_stats_are_good(self):
        self.assertEqual(set(unsteady.load()), {"unsteady", "lacking", "extra"})
        with self.assertRaises(ValueError):
            unsteady.load("{missing: {}}")


class Around(unittest.TestCase):
    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            files = Files(Path(folder), Case("a/b", {"title": "t"}))
            files.path("log").write_text("one\ntwo\n")
            (Path(folder) / "log").write_text("[2026-11-22 07:45:06.123][7][info][main] [source/a.cc:1] hello\nraw\n")
            self.assertEqual(files.record(["log", "gone", "stderr"]), {"log": ["one", "two"], "gone": "absent", "stderr": ["raw"]})

    def test_a_step_that_waits_in_vain_ends_the_case(self):
        case = Case("a/b", {"title": "t", "timeout": 0.05})
        steps = Steps(case, FakeProxy({}), {}, {}, None)
        self.assertTrue(asyncio.run(steps.run({"wait_stat": "cluster.up.a == 3"})))
        self.assertFalse(asyncio.run(steps.run({"wait_stat": ["cluster.up.a == 3", "cluster.up.a == 4"]})))
        self.assertEqual(steps.record, ["timeout: not cluster.up.a == 4"])

    def test_endpoints_name_upstreams(self):
        config = {"cluster": {"endpoints": [["main"], [{"upstream": "b", "load_balancing_weight": 2}]]}}
        case = Case("a/b", {"title": "t", "upstreams": {"b": {}}, "config": config})
        text = bootstrap.of_group([case], {"a/b": bootstrap.Ports(1, {"main": 22, "b": 33})}, 4, Path("/nowhere"))
        self.assertIn('"priority": 1', text)
        self.assertIn('"load_balancing_weight": 2', text)
        self.assertNotIn('"endpoints": [\n     [', text)

    def test_unknown_upstreams_are_refused(self):
        for step in ({"kill": "b"}, {"restart": ["main", "b"]}, {"upstream": {"b": {}}}, {"upstream": {"main": {"mod": 1}}}):
            with self.assertRaises(CaseError, msg=step):
                Case("a/b", {"title": "t", "client": [step]})


if __name__ == "__main__":
    unittest.main()
