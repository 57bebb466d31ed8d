"""Tests of connections of bytes: what both ends tell of them."""

import asyncio
import json
import unittest

from harness import bootstrap, hello, pieces
from harness.bootstrap import Ports
from harness.case import Case
from harness.client import Client
from harness.upstream import Upstream


def talk(steps, responses, **spec):
    """What a client and an upstream tell that are connected without a proxy between them."""
    case = Case("area/name", {"title": "t", "tcp": True, "client": steps})

    async def run():
        upstream = Upstream({**case.upstreams["main"], "responses": responses, **spec})
        await upstream.start()
        client = Client(case, Ports(upstream.port, {"main": upstream.port}), upstream, None, None)
        told = await client.run()
        await upstream.settle()
        told["upstream"] = upstream.record()
        await upstream.stop()
        return told

    return asyncio.run(run())


class Connections(unittest.TestCase):
    def test_half_closed_by_the_client(self):
        steps = [{"send": "ab"}, {"receive": "x"}, {"finish": True}, {"expect_close": 5}]
        told = talk(steps, [[{"wait_request": "b"}, {"send": "xy"}, {"wait_close": True}, {"send": "z"}, {"finish": True}]])
        self.assertEqual(told["a"], [{"received": b"x"}, {"rest": b"yz"}, "finished"])
        self.assertEqual(told["upstream"], [{"connection": 0, "received": b"ab", "end": "finished"}])

    def test_bytes_after_the_fin_of_the_other_side(self):
        told = talk([{"expect_close": 5}, {"send": "late"}, {"finish": True}], [[{"finish": True}]])
        self.assertEqual(told["a"], ["finished"])
        self.assertEqual(told["upstream"], [{"connection": 0, "received": b"late", "end": "finished"}])

    def test_resets(self):
        told = talk([{"send": "a"}, {"expect_close": 5}], [[{"wait_request": "a"}, {"reset": True}]])
        self.assertEqual((told["a"], told["upstream"][0]["end"]), (["reset"], "reset by this side"))
        told = talk([{"send": "a"}, {"wait_upstream": "a"}, {"reset": True}], [[]])
        self.assertEqual((told["a"], told["upstream"][0]["end"]), (["reset by the client"], "reset"))

    def test_open_when_the_steps_are_done(self):
        self.assertEqual(talk([{"send": "a"}, {"receive": 1}], None, mode="echo")["a"], [{"received": b"a"}, "open"])


class Configuration(unittest.TestCase):
    def chain(self, **data):
        case = Case("area/name", {"title": "t", **data})
        made = bootstrap.of_group([case], {case.id: Ports(1, {"main": 2})}, 3, None)
        return json.loads(made)["static_resources"]["listeners"][0]["filter_chains"][0]

    def names(self, **data):
        return [item["name"].removeprefix("envoy.filters.network.") for item in self.chain(**data)["filters"]]

    def test_the_terminal(self):
        self.assertEqual(self.names(), ["http_connection_manager"])
        self.assertEqual(self.names(tcp=True), ["tcp_proxy"])
        self.assertEqual(self.names(tcp=True, plugins=[{"script": "", "at": "network"}]), ["wasm", "tcp_proxy"])

    def test_filters_by_name(self):
        plugins = [{"script": "", "at": "network"}]
        network = [{"echo.v3.Echo": {}}, {"plugin": "p"}, {"tcp_proxy": {"stat_prefix": "s"}}]
        self.assertEqual(self.names(plugins=plugins, config={"network": network}), ["echo", "wasm", "tcp_proxy"])


class Hello(unittest.TestCase):
    def test_lengths(self):
        made = pieces.to_bytes({"client_hello": {"sni": "a.example", "alpn": ["h2"]}})
        self.assertEqual((made[3] << 8 | made[4]) + 5, len(made))
        self.assertEqual(int.from_bytes(made[6:9], "big") + 9, len(made))
        self.assertIn(b"a.example", made)
        self.assertNotIn(b"a.example", hello.client_hello({}))


if __name__ == "__main__":
    unittest.main()
