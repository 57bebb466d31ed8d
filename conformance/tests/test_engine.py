"""Tests of the choice of an engine and of cases for it."""

import json
import unittest

from harness import engine
from harness.case import Case
from harness.environment import REPOSITORY

CODE = {"vm_config": {"code": {"local": {"filename": "a.wasm"}}}}


def a_case(name="name", **data):
    return Case(f"area/{name}", {"title": "t", **data})


class Configured(unittest.TestCase):
    def of(self, runtime):
        config = {"listeners": [{"config": {"vm_config": {"runtime": runtime}}}, {"config": {"vm_config": {}}}]}
        listeners = json.loads(engine.Engine("wamr").configured(json.dumps(config)))["listeners"]
        return [listener["config"]["vm_config"].get("runtime") for listener in listeners]

    def test_plugins_of_envoys_runtime_or_none_move(self):
        self.assertEqual(self.of("envoy.wasm.runtime.v8"), ["envoy.wasm.runtime.wamr"] * 2)

    def test_native_code_is_a_name(self):
        def code(name):
            vm = {"code": {"local": {"filename": str(REPOSITORY / "plugins" / name)}}}
            return json.loads(engine.Engine("null").configured(json.dumps({"vm_config": vm})))["vm_config"]["code"]["local"]

        self.assertEqual(code("hello/hello.wasm"), {"inline_string": "hello"})
        self.assertEqual(list(code("trap/trap.wasm")), ["filename"])

    def test_others_stay(self):
        self.assertEqual(self.of("envoy.wasm.runtime.null"), ["envoy.wasm.runtime.null", "envoy.wasm.runtime.wamr"])

    def test_a_configuration_that_is_no_json_is_a_text(self):
        text = engine.Engine("wamr").configured("runtime: envoy.wasm.runtime.v8")
        self.assertEqual(text, "runtime: envoy.wasm.runtime.wamr")

    def test_without_an_engine_nothing_changes(self):
        self.assertEqual(engine.Engine().configured("{vm_config: {}}"), "{vm_config: {}}")
        self.assertEqual(engine.Engine().names(), {})

    def test_isolation_is_for_plugins_that_share_no_vm(self):
        def plugin(name, vm_id, runtime="envoy.wasm.runtime.v8"):
            return {"name": name, "vm_config": {**CODE["vm_config"], "vm_id": vm_id, "runtime": runtime}}

        plugins = [plugin("a", "1"), plugin("a", "1"), plugin("b", "2"), plugin("c", "2"), plugin("d", "3", "envoy.wasm.runtime.null")]
        made = json.loads(engine.Engine(isolated=True).configured(json.dumps({"filters": plugins})))
        self.assertEqual(made["filters"], plugins)
        settings = made["bootstrap_extensions"][0]["typed_config"]["plugins"]
        self.assertEqual(settings, [{"name": "a", "root_id": "", "vm_id": "1", "isolation": "STREAM"}])
        none = {"filters": plugins[2:]}
        self.assertEqual(json.loads(engine.Engine(isolated=True).configured(json.dumps(none))), none)


class Chosen(unittest.TestCase):
    def test_cases_without_a_guest_are_left_out(self):
        chosen = engine.Engine("wamr")
        self.assertTrue(chosen.left_out(a_case()))
        self.assertIsNone(chosen.left_out(a_case(script="trace")))
        self.assertIsNone(chosen.left_out(a_case(config={"bootstrap": CODE})))
        for of in ({"stats": ["wasm.envoy.wasm.runtime.v8.active"]}, {"stats": ["wasm..active"]}, {"stats_of": ["wasm."]}):
            self.assertTrue(chosen.left_out(a_case(script="trace", **of)))
        self.assertIsNone(chosen.left_out(a_case(script="trace", stats=["wasm.wasm_vm_count"])))
        self.assertIsNone(engine.Engine().left_out(a_case()))

    def test_only_cases_with_native_twins_of_their_guests_run_natively(self):
        native = engine.Engine("null")
        self.assertIsNone(native.left_out(a_case(script='on tick:\n  say "the end @1"')))
        self.assertIsNone(native.left_out(a_case(plugins=[{"guest": "hello", "config": {"configuration": "@"}}])))
        for script in ("on start:", "attributes", "peek(0, 1)", "log(2, @0:1)", "memory_grow(1)", "on configure: trap loop", "environ_get()"):
            self.assertTrue(native.left_out(a_case(script=script)), script)
        for plugin in (
            {"guest": "loop"},
            {"guest": "probe/probe-0.1.0"},
            {"guest": {"bytes": "x"}},
            {"guest": "hello", "vm": {"environment_variables": {"key_values": {"A": "b"}}}},
            {"guest": "hello", "vm": {"capability_restriction_config": {}}},
        ):
            self.assertTrue(native.left_out(a_case(plugins=[plugin])), plugin)

    def test_isolation_leaves_out_what_is_configured_in_full(self):
        isolated = engine.Engine(isolated=True)
        self.assertIsNone(isolated.left_out(a_case(script="trace", stats=["wasm..active"])))
        self.assertTrue(isolated.left_out(a_case(script="trace", text="vm_config: {}")))
        self.assertTrue(isolated.left_out(a_case()))
        self.assertEqual([engine.Engine().variants(), engine.Engine("wamr", True).variants()], [[], ["wamr", "isolated"]])

    def test_the_choice_of_an_area_does_not_depend_on_the_order(self):
        cases = [a_case(f"c{number}", script="trace") for number in range(9)] + [a_case("plain")]
        first = engine.per_area(cases, 3)
        self.assertEqual(len(first), 3)
        again = engine.per_area(cases[::-1], 3)
        self.assertEqual({case.id for case in first}, {case.id for case in again})


if __name__ == "__main__":
    unittest.main()
