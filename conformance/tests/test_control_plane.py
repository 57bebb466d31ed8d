"""Tests of the harness as a control plane: a client of the protocol talks to it as a proxy would."""

import asyncio
import json
import struct
import tempfile
import unittest
from pathlib import Path

from harness import bootstrap, http2, messages, sources, until, wire
from harness.case import Case, CaseError
from harness.control_plane import ControlPlane
from harness.discovered import Discovered
from harness.discovery import KINDS, Maker
from harness.files import Files
from harness.other_plane import OtherPlane
from harness.planes import Planes
from harness.variants import Variants

ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
DISCOVERY = "envoy.service.discovery.v3."
CLUSTER = KINDS["cluster"].type_url
ENDPOINT = KINDS["endpoint"].type_url


def case_with(xds, **more):
    return Case("xds/a", {"title": "t", "xds": xds, **more})


def ports_of(case, folder="/nowhere", upstreams=None):
    return bootstrap.Ports(10011, {"main": 10013, "b": 10017, **(upstreams or {})}, Files(Path(folder), case))


def maker_of(case):
    return Maker(case, ports_of(case), 10019, Path("/nowhere"))


class Stream:
    """The proxy's end of a stream."""

    def __init__(self, connection, number, delta):
        self._connection = connection
        self._number = number
        self._delta = "Delta" if delta else ""
        self._taken = 0
        self.seen = connection.streams[number]

    async def ask(self, kind, **fields):
        request = messages.message(f"{DISCOVERY}{self._delta}DiscoveryRequest", {"type_url": KINDS[kind].type_url, **fields})
        data = request.SerializeToString()
        await self._connection.send([{"data": struct.pack(">BI", 0, len(data)) + data}], self._number)

    async def answer(self):
        """The next message; None if there is none in time."""
        body = self.seen.body
        if not await self._connection.until(lambda: len(body) >= self._taken + 5 + self._length(), 2):
            return None
        start = self._taken + 5
        self._taken = start + self._length()
        found = messages.empty(f"{DISCOVERY}{self._delta}DiscoveryResponse")
        found.ParseFromString(bytes(body[start : self._taken]))
        return found

    def _length(self):
        head = bytes(self.seen.body[self._taken + 1 : self._taken + 5])
        return struct.unpack(">I", head)[0] if len(head) == 4 else 0

    async def ended(self):
        await self._connection.until(self.seen.over, 2)
        return self.seen.trailers or self.seen.reset


def talk(xds, use, delta=False, path=None):
    """What `use(plane, stream, open)` gives; `open()` opens one more stream on a connection of its own."""
    case = case_with(xds)

    async def run():
        plane = ControlPlane(xds)
        await plane.start()
        plane.use(maker_of(case))
        tasks, peers = [], []

        async def open_stream():
            peer = wire.Peer(*await asyncio.open_connection("127.0.0.1", plane.port))
            peers.append(peer)
            connection = http2.Http2(peer, True)
            tasks.append(asyncio.ensure_future(connection.run()))
            await connection.start()
            number = connection.open_stream()
            name = path or ADS + ("DeltaAggregatedResources" if delta else "StreamAggregatedResources")
            await connection.send([{"head": [[":method", "POST"], [":scheme", "http"], [":path", name], [":authority", "a"]]}], number)
            return Stream(connection, number, delta)

        try:
            return await use(plane, await open_stream(), open_stream)
        finally:
            for task in tasks:
                task.cancel()
            for peer in peers:
                peer.close()
            await plane.stop()

    return asyncio.run(run())


class StateOfTheWorld(unittest.TestCase):
    def test_an_acknowledgement_and_a_refusal_are_told_apart(self):
        async def use(plane, stream, _):
            await stream.ask("cluster")
            first = await stream.answer()
            await stream.ask("cluster", version_info="1", response_nonce=first.nonce)
            await plane.push({"version": "2", "cluster": []})
            second = await stream.answer()
            await stream.ask("cluster", version_info="1", response_nonce=second.nonce, error_detail={"code": 13, "message": "no"})
            await plane.settle()
            return first, second, plane.record(), plane.said("cluster", lambda event: "error" in event)

        first, second, told, refusal = talk({"first": {"cluster": [{}]}}, use)
        self.assertEqual((first.version_info, len(first.resources), first.type_url), ("1", 1, CLUSTER))
        self.assertEqual((second.version_info, len(second.resources)), ("2", 0))
        self.assertEqual(
            told["cluster"],
            [
                {"stream": "StreamAggregatedResources", "names": [], "version": ""},
                {"names": [], "version": "1", "answers": "1"},
                {"names": [], "version": "1", "answers": "2", "error": True, "code": 13},
            ],
        )
        self.assertEqual(refusal["error"], "no")

    def test_only_what_is_asked_for_is_told(self):
        async def use(plane, stream, _):
            await stream.ask("endpoint", resource_names=["b"])
            first = await stream.answer()
            await stream.ask("endpoint", resource_names=["a", "b"], response_nonce=first.nonce)
            return [len(first.resources), len((await stream.answer()).resources)]

        first = {"endpoint": [{"cluster_name": "a"}, {"cluster_name": "b"}, {"cluster_name": "c"}]}
        self.assertEqual(talk({"first": first}, use), [1, 2])

    def test_what_there_is_not_is_not_answered_before_it_is_pushed(self):
        async def use(plane, stream, _):
            await stream.ask("cluster")
            await plane.settle()
            silent = not stream.seen.body
            await plane.push({"cluster": [{}]})
            return silent, len((await stream.answer()).resources)

        self.assertEqual(talk({"asks": ["cluster"]}, use), (True, 1))

    def test_a_wrapped_resource(self):
        async def use(_, stream, __):
            await stream.ask("cluster")
            return (await stream.answer()).resources[0].type_url

        wrapped = {"first": {"cluster": [{"wrapped": {"ttl": "1s"}}]}}
        self.assertEqual(talk(wrapped, use), f"type.googleapis.com/{DISCOVERY}Resource")

    def test_an_answer_of_another_type_is_not_waited_for(self):
        async def use(plane, stream, _):
            await stream.ask("cluster")
            first = await stream.answer()
            await stream.ask("cluster", response_nonce=first.nonce)
            await plane.garbage({"response": {"cluster": {"type_url": "nobody"}}})
            other = await stream.answer()
            return other.type_url, await asyncio.wait_for(plane.push({"cluster": []}), 0.5)

        self.assertEqual(talk({"first": {"cluster": [{}]}}, use), ("nobody", None))


class Delta(unittest.TestCase):
    def test_only_what_has_changed_is_told(self):
        async def use(plane, stream, _):
            await stream.ask("cluster")
            first = await stream.answer()
            await stream.ask("cluster", response_nonce=first.nonce)
            await plane.push({"version": "2", "cluster": [{}, {"name": "b", "endpoints": ["b"]}]})
            second = await stream.answer()
            await stream.ask("cluster", response_nonce=second.nonce)
            await plane.push({"version": "3", "cluster": [{"name": "b", "endpoints": ["b"]}]})
            third = await stream.answer()
            return first, second, third, plane.record()

        first, second, third, told = talk({"first": {"cluster": [{}]}}, use, delta=True)
        self.assertEqual([r.name for r in first.resources], ["up_xds_a"])
        self.assertEqual([(r.name, r.version) for r in second.resources], [("b", "2")])
        self.assertEqual((len(third.resources), list(third.removed_resources)), (0, ["up_xds_a"]))
        self.assertEqual(told["cluster"][:2], [{"stream": "DeltaAggregatedResources"}, {"answers": "1"}])

    def test_what_the_proxy_has_is_not_told_again(self):
        async def use(_, stream, __):
            await stream.ask("cluster", initial_resource_versions={"up_xds_a": "1"})
            return len((await stream.answer()).resources)

        self.assertEqual(talk({"first": {"cluster": [{}]}}, use, delta=True), 0)

    def test_subscribing_again_and_no_more(self):
        async def use(plane, stream, _):
            await stream.ask("endpoint", resource_names_subscribe=["a"])
            first = await stream.answer()
            await stream.ask("endpoint", response_nonce=first.nonce, resource_names_unsubscribe=["a"])
            await plane.push({"version": "2", "endpoint": [{"cluster_name": "a", "endpoints": []}]})
            await stream.ask("endpoint", resource_names_subscribe=["a"])
            return [r.version for r in (await stream.answer()).resources], plane.record()["endpoint"][1]

        xds = {"first": {"endpoint": [{"cluster_name": "a"}]}}
        self.assertEqual(talk(xds, use, delta=True), (["2"], {"unsubscribe": ["a"], "answers": "1"}))

    def test_names_that_are_gone(self):
        async def use(plane, stream, _):
            await stream.ask("route", resource_names_subscribe=["local"])
            first = await stream.answer()
            await stream.ask("route", response_nonce=first.nonce)
            await plane.push({"removed": {"route": ["local"]}})
            return list((await stream.answer()).removed_resources)

        self.assertEqual(talk({"first": {"route": [{"says": "a"}]}}, use, delta=True), ["local"])


class Transport(unittest.TestCase):
    def test_streams_end_as_wanted(self):
        async def use(plane, stream, open_stream):
            found = []
            for how in ({"status": 14, "message": "away"}, "reset"):
                await stream.ask("cluster")
                await plane.settle()
                await plane.disconnect(how)
                found.append(await stream.ended())
                stream = await open_stream()
            return found, plane.streams()

        found, streams = talk({}, use)
        self.assertEqual((found, streams), ([["grpc-status: 14", "grpc-message: away"], "CANCEL"], 2))

    def test_an_unknown_service(self):
        async def use(_, stream, __):
            return await stream.ended()

        self.assertEqual(talk({}, use, path="/a.B/C"), ["grpc-status: 12", "grpc-message: unknown service"])

    def test_killed_and_restarted(self):
        async def use(plane, stream, open_stream):
            await stream.ask("cluster")
            await stream.answer()
            await plane.kill()
            with self.assertRaises(OSError):
                await open_stream()
            await plane.restart()
            again = await open_stream()
            await again.ask("cluster")
            return (await again.answer()).version_info

        self.assertEqual(talk({"first": {"cluster": [{}]}}, use), "1")

    def test_bytes_that_are_no_message(self):
        async def use(plane, stream, _):
            await stream.ask("cluster")
            await plane.settle()
            await plane.garbage({"bytes": {"hex": "0001"}})
            await plane.garbage({"message": {"hex": "ff"}})
            await plane.disconnect({"status": 0})
            await stream.ended()
            return bytes(stream.seen.body)

        self.assertEqual(talk({}, use), b"\0\x01\0\0\0\0\x01\xff")


class Resources(unittest.TestCase):
    def test_a_listener_is_laid_over_that_of_the_case(self):
        case = case_with({"first": {"listener": []}}, script="trace")
        data = maker_of(case).data("listener", {"says": "hello", "script": "silent", "name": "other"})
        manager = data["filter_chains"][0]["filters"][0]["typed_config"]
        self.assertEqual((data["name"], data["address"]["socket_address"]["port_value"]), ("other", 10011))
        self.assertEqual(manager["http_filters"][0]["typed_config"]["config"]["configuration"]["value"], "silent")
        route = manager["route_config"]["virtual_hosts"][0]["routes"][0]
        self.assertEqual(route["direct_response"]["body"], {"inline_string": "hello"})

    def test_each_kind_is_a_message(self):
        maker = maker_of(case_with({"asks": []}))
        specs = {
            "cluster": {"eds": {}},
            "endpoint": {"endpoints": [["main"], ["b"]]},
            "listener": {},
            "route": {},
            "secret": {"cert": "server"},
            "extension": {"script": "trace"},
            "runtime": {"layer": {"a": 1}},
        }
        for kind, spec in specs.items():
            made = maker.resource(kind, spec)
            self.assertEqual(made.body.type_url, KINDS[kind].type_url)
            self.assertTrue(made.name)

    def test_a_resource_that_is_none(self):
        made = maker_of(case_with({})).resource("cluster", {"any": {"type_url": "a/b", "bytes": "c"}})
        self.assertEqual((made.body.type_url, made.body.value, made.raw), ("a/b", b"c", True))

    def test_a_field_that_no_message_has(self):
        with self.assertRaises(ValueError):
            maker_of(case_with({})).resource("cluster", {"nope": 1})


class Sources(unittest.TestCase):
    def bootstrap(self, xds):
        case = case_with(xds)
        ports = ports_of(case, upstreams={} if xds.get("streams") == "files" else {"control_plane": 10021})
        return json.loads(bootstrap.of_group([case], {case.id: ports}, 10019, Path("/nowhere")))

    def test_what_is_discovered_is_not_static(self):
        made = self.bootstrap({"first": {"cluster": [], "listener": []}})
        self.assertEqual([c["name"] for c in made["static_resources"]["clusters"]], ["control_plane"])
        self.assertEqual(made["static_resources"]["listeners"], [])
        self.assertEqual(set(made["dynamic_resources"]), {"cds_config", "lds_config", "ads_config"})

    def test_streams_of_their_own_and_the_other_protocol(self):
        made = self.bootstrap({"asks": ["cluster"], "streams": "own", "protocol": "delta"})
        self.assertEqual(made["dynamic_resources"]["cds_config"]["api_config_source"]["api_type"], "DELTA_GRPC")
        self.assertEqual(len(made["static_resources"]["listeners"]), 1)

    def test_a_file_is_named_in_the_place_of_a_source(self):
        case = case_with({"streams": "files", "sources": {"route": {"initial_fetch_timeout": "1s"}}})
        source = bootstrap.named(case, "{xds.route}", ports_of(case), 10019)
        self.assertEqual(source["path_config_source"], {"path": "/nowhere/xds_a.route.json"})
        self.assertEqual(source["initial_fetch_timeout"], "1s")
        self.assertIsNone(sources.placeholder(case, "{xds.route} and more"))

    def test_files_are_moved_into_place(self):
        with tempfile.TemporaryDirectory() as folder:
            case = case_with({"streams": "files", "first": {"cluster": [{}]}, "written": {"more": "at {listener_port}"}})
            files = Discovered(case, {}, ports_of(case, folder), 10019, Path(folder))
            files.begin()
            first = json.loads((Path(folder) / "xds_a.cluster.json").read_text())
            asyncio.run(files.run({"push": {"version": "2", "cluster": []}}))
            second = json.loads((Path(folder) / "xds_a.cluster.json").read_text())
            more = (Path(folder) / "xds_a.more").read_text()
        self.assertEqual((first["version_info"], first["resources"][0]["@type"]), ("1", CLUSTER))
        self.assertEqual((second, more), ({"version_info": "2", "resources": []}, "at 10011"))


class OtherControlPlanes(unittest.TestCase):
    def test_what_others_do_not_do_is_left_out(self):
        go = Planes("go")
        first = {"first": {"cluster": [{}]}}
        self.assertFalse(go.left_out(case_with(first)))
        self.assertTrue(go.left_out(Case("http1/a", {"title": "t"})))
        self.assertTrue(go.left_out(case_with({**first, "streams": "files"})))
        self.assertTrue(go.left_out(case_with({"first": {"cluster": [{}, {}]}})))
        self.assertTrue(go.left_out(case_with(first, client=[{"garbage": {"bytes": "00"}}])))
        self.assertFalse(Planes().left_out(Case("http1/a", {"title": "t"})))

    def test_refusals_that_are_repeated_are_not_counted(self):
        answer = {"stats": {"lds.update_rejected": 7, "cds.update_rejected": 0, "lds.update_success": 2}}
        found = Planes("go").comparable(answer)["stats"]
        self.assertEqual(found, {"lds.update_rejected": "some", "cds.update_rejected": 0, "lds.update_success": 2})
        self.assertEqual(Planes().comparable(answer), answer)

    def test_a_program_is_given_snapshots_and_tells_what_is_said(self):
        program = """#!/usr/bin/env python3
import json, sys
def tell(**event): print(json.dumps(event), flush=True)
tell(event="listening", port=10023)
for line in sys.stdin:
    (url, state), = json.loads(line).items()
    tell(event="set")
    tell(event="response", stream=1, type_url=url, version=state["version"], nonce="1")
    for _ in range(3):
        tell(event="request", stream=1, type_url=url, names=["b", "a"], nonce="1", error={"code": 13, "message": "no"})
"""

        async def run(path):
            case = case_with({"first": {"cluster": [{}]}})
            plane = OtherPlane(case.get("xds"), path)
            await plane.start()
            plane.use(maker_of(case))
            await plane.push({"version": "2", "cluster": [{"connect_timeout": "2s"}]})
            await plane.settle()
            await plane.stop()
            return plane.port, plane.record()

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "program"
            path.write_text(program)
            path.chmod(0o755)
            port, said = asyncio.run(run(str(path)))
        event = {"names": ["a", "b"], "version": "", "error": True, "code": 13}
        self.assertEqual((port, said), (10023, {"cluster": [{**event, "answers": "1"}, {**event, "answers": "2"}]}))


class CasesWithXds(unittest.TestCase):
    def test_unknown_keys_are_refused(self):
        with self.assertRaises(CaseError):
            case_with({"frist": {}})

    def test_variants_leave_alone_what_a_case_says_itself(self):
        variants = Variants("delta: {xds: {protocol: delta}, cases: [xds/*], except: {}}")
        self.assertEqual([n for n, _ in variants.of("xds/a", {"title": "t", "xds": {}})], ["xds/a@delta"])
        self.assertEqual(list(variants.of("xds/a", {"title": "t", "xds": {"protocol": "sotw"}})), [])
        self.assertEqual(list(variants.of("xds/a", {"title": "t"})), [])


class Until(unittest.TestCase):
    def test_asks_until_the_answer_is_as_wanted(self):
        async def run():
            asked = []

            async def serve(reader, writer):
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                body = b"two" if len(asked) == 3 else b"one"
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx-a: b\r\n\r\n" + body)
                writer.close()

            server = await wire.listen(serve)
            ports = bootstrap.Ports(server.sockets[0].getsockname()[1], {})
            met = await until.reached({"body": "two", "headers": {"x-a": "b", "x-c": None}}, ports, 5)
            unmet = await until.reached({"status": 404}, ports, 0)
            server.close()
            await server.wait_closed()
            return met, unmet, await until.reached({"refused": True}, ports, 5), asked[0]

        met, unmet, refused, asked = asyncio.run(run())
        self.assertEqual((met, unmet[1], refused), (None, 200, None))
        self.assertIn(f"{until.MARK}: 1", asked.decode())


if __name__ == "__main__":
    unittest.main()
