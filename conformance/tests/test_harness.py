"""Tests of the harness itself; no proxy is needed."""

import asyncio
import tempfile
import unittest
from pathlib import Path

from harness import bootstrap, case, compare, expectations, logs, normalise, pieces, recorded, wire
from harness.case import Case, CaseError


def a_case(**data):
    return Case("area/name", {"title": "t", **data})


def read(data, kind, method=None):
    """The message in `data`, which ends with the stream."""

    async def run():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        peer = wire.Peer(reader, None)
        message = wire.Message(await peer.head())
        await peer.body(message, message.headers, kind)
        return message, bytes(peer.buffer)

    return asyncio.run(run())


class Wire(unittest.TestCase):
    def test_reads_a_counted_body_and_leaves_the_rest(self):
        message, rest = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", "response")
        self.assertEqual((message.status(), bytes(message.body), rest), (200, b"ok", b"more"))

    def test_reads_chunks_and_trailers(self):
        message, rest = read(b"A\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\nt: 1\r\n\r\n", "request")
        self.assertEqual((bytes(message.body), message.trailers, rest), (b"ab", ["t: 1"], b""))

    def test_reads_until_the_end_without_a_length(self):
        message, _ = read(b"HTTP/1.1 200 OK\r\n\r\nhello", "response")
        self.assertEqual((bytes(message.body), message.framing), (b"hello", "until close"))

    def test_a_short_body_is_noticed(self):
        with self.assertRaises(wire.Gone):
            read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "response")


class Pieces(unittest.TestCase):
    def test_bytes(self):
        self.assertEqual(pieces.to_bytes(["a\xff", {"repeat": "b", "count": 2}, {"hex": "00"}]), b"a\xffbb\0")

    def test_request_framing(self):
        self.assertEqual(
            pieces.request({"method": "POST", "host": None, "chunked": ["ab"], "trailers": {"t": "1"}}),
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nt: 1\r\n\r\n",
        )


class Cases(unittest.TestCase):
    def test_unknown_keys_are_refused(self):
        for data in ({"requets": []}, {"client": [{"sned": ""}]}, {"ignore": ["logs"]}, {"envoy": "crashes"}):
            with self.assertRaises(CaseError, msg=data):
                a_case(**data)

    def test_the_digest_is_of_what_the_case_does(self):
        first, renamed = a_case(requests=[{}]), Case("area/name", {"title": "other", "requests": [{}]})
        self.assertEqual(first.digest(), renamed.digest())
        self.assertNotEqual(first.digest(), a_case(requests=[{}, {}]).digest())

    def test_overrides(self):
        over = {"b": {"c": None, "d": 3}, "l": [9]}
        self.assertEqual(case.merge({"a": 1, "b": {"c": 2}, "l": [1, 2]}, over), {"a": 1, "b": {"d": 3}, "l": [9]})

    def test_a_group_has_a_listener_and_a_cluster_for_each_case(self):
        cases = [Case(f"area/{n}", {"title": "t", "script": "trace"}) for n in ("one", "two")]
        ports = {c.id: bootstrap.Ports(1, {"main": 2}) for c in cases}
        text = bootstrap.of_group(cases, ports, 3, Path("/nowhere"))
        self.assertEqual(text.count('"name": "area_'), 2)
        self.assertEqual(text.count('"name": "up_area_'), 2)
        self.assertIn('"vm_id": "area/two"', text)

    def test_every_recorded_answer_belongs_to_its_case(self):
        stale = []
        for item in case.load():
            try:
                if not item.get("envoy"):
                    recorded.load(item)
            except recorded.Stale as error:
                stale.append(f"{item.id}: {error}")
        self.assertEqual(stale, [])


class Comparing(unittest.TestCase):
    def test_differences_name_the_place(self):
        found = compare.differences({"a": [1, {"b": "x"}], "output": 1}, {"a": [1, {"b": "y"}], "output": 2})
        self.assertEqual(found, ["a[1].b: envoy 'x' sandgate 'y'"])

    def test_counts_of_chance_may_differ_a_little(self):
        count = lambda n: {"load": {"200 ok": {"about": n, "within": 2}}}  # noqa: E731
        self.assertEqual(compare.differences(count(10), count(12)), [])
        self.assertEqual(len(compare.differences(count(10), count(13))), 1)
        self.assertEqual(len(compare.differences(count(10), {"load": {"200 ok": 10}})), 1)

    def test_missing_and_extra_lines(self):
        found = compare.differences({"log": ["a", "b"]}, {"log": ["a", "c", "d"]})
        self.assertEqual(found, ["log: only envoy 'b'", "log: only sandgate 'c'", "log: only sandgate 'd'"])

    def test_order_counts(self):
        self.assertTrue(compare.differences({"log": ["a", "b"]}, {"log": ["b", "a"]}))

    def test_expectations_match_partly(self):
        observed = {"client": {"a": [{"status": "200", "body": "x"}, "open"]}, "log": ["p", "q"]}
        self.assertEqual(compare.unmet({"client": {"a": [{"status": "~2.."}, "open"]}}, observed), [])
        self.assertEqual(compare.unmet({"log": {"contains": ["q"]}}, observed), [])
        self.assertTrue(compare.unmet({"log": ["p"]}, observed))
        self.assertTrue(compare.unmet({"exit": {"code": 1}}, observed))

    def test_expectation_entries(self):
        with self.assertRaises(ValueError):
            expectations.Expectations("differ: {area/name: {reason: r}}")
        found = expectations.Expectations("skip: {area/*: r, gone/x: r}")
        self.assertEqual(found.skipped(a_case()), "r")
        self.assertEqual(found.unknown([a_case()]), ["gone/x"])
        found = expectations.Expectations("timed: {area/*: t, gone/*: t}")
        self.assertTrue(found.timed(a_case()))
        self.assertEqual(found.unknown([a_case()]), ["gone/*"])
        found = expectations.Expectations("{}")
        self.assertFalse(found.timed(a_case(client=[{"request": {}}])))
        self.assertTrue(found.timed(a_case(client=[{"pause": 0.1}, {"request": {}}])))
        self.assertTrue(found.timed(a_case(upstream={"responses": [[{"pause": 0.1}, {"respond": {}}]]})))


class Observing(unittest.TestCase):
    def test_normalised(self):
        known = normalise.Known({"10017": "<listener port>"}, "/tmp/x")
        observed = {
            "client": [["date", "Sun, 22 Nov 2026 07:45:06 GMT"], ["x-envoy-upstream-service-time", "12"]],
            "log": {"main": ["port 10017, not 110017", "drop me"]},
            "upstream": [b"\xff", "in /tmp/x/f"],
        }
        found = normalise.result(a_case(drop_log=["^drop"], ignore=["upstream"]), observed, known)
        self.assertEqual(found["client"], [["date", "<date>"], ["x-envoy-upstream-service-time", "<ms>"]])
        self.assertEqual(found["log"], {"main": ["port <listener port>, not 110017"]})
        self.assertNotIn("upstream", found)

    def test_log_lines_by_thread_and_case(self):
        head = "[2026-11-22 07:45:06.123]"
        text = (
            f"{head}[7][info][wasm] [source/a.cc:1] wasm log p r area/name: one\ntwo\n"
            f"{head}[9][info][wasm] wasm log p r area/other: not ours\n"
            f"{head}[9][error][wasm] [source/a.cc:1] Function: f failed: Uncaught X\n  0:  0x1 - f\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            path.write_text(text)
            log = logs.Log(path, 7)
            log.poll()
        first = "info wasm log p r area/name: one\ntwo"
        self.assertEqual(log.of_case(a_case(), False), {"main": [first], "worker": []})
        self.assertEqual(log.of_case(a_case(), True)["worker"][1:], ["error Function: f failed:"])


if __name__ == "__main__":
    unittest.main()
