use sandgate_host::{FailedCallReport, TrapReport};

use super::*;

fn report() -> PluginReport {
    let worker = WorkerReport {
        worker: "worker_0".to_owned(),
        state: "failed, closed",
        instances: 0,
        instances_created: 2,
        memory_bytes: 0,
        memory_peak_bytes: 1_114_112,
        callbacks: vec![CallbackReport { name: "proxy_on_log", calls: 3, cpu_ns: Some(4_500_000_000) }],
        failed_calls: vec![FailedCallReport {
            callback: "proxy_on_log",
            function: "proxy_get_property",
            answer: "1 NotFound".to_owned(),
            count: 9,
            last: "proxy_get_property(path: \"<i>\") = 1 NotFound".to_owned(),
        }],
        traps: 1,
        last_trap: Some(TrapReport {
            message: "<b>\"unreachable\"</b>".to_owned(),
            backtrace: vec!["0x12 - core::ops::Fn<T>".to_owned()],
            at_ns: 0,
        }),
        reload_success: 1,
        reload_failure: 0,
        reload_backoff: 5,
    };
    PluginReport {
        name: "a<\"b\"\\\n".to_owned(),
        root_id: "r".to_owned(),
        vm_id: String::new(),
        vm_key: "0123456789abcdef".to_owned(),
        module_sha256: "ff".to_owned(),
        module_bytes: 2048,
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        engine: "envoy.wasm.runtime.wasmtime",
        failure_policy: "FAIL_CLOSED",
        memory_limit_bytes: 1 << 30,
        workers: vec![worker],
    }
}

#[test]
fn the_page_escapes_what_others_have_written() {
    let page = page::render(&[report()], true);
    assert!(page.contains("<td>9</td><td class='text'><pre>proxy_get_property(path: &quot;&lt;i&gt;&quot;)"), "{page}");
    assert!(page.contains("<h2>a&lt;&quot;b&quot;\\\n</h2>"), "{page}");
    assert!(page.contains("Thu, 01 Jan 1970 00:00:00 GMT\n&lt;b&gt;&quot;unreachable&quot;&lt;/b&gt;\n  0x12 - core::ops::Fn&lt;T&gt;<"), "{page}");
    assert!(
        page.contains("<td>1.0 MiB</td>") && page.contains("ff (2.0 KiB)") && page.contains("<td>1.5 s</td>"),
        "{page}"
    );
    assert!(page::render(&[], false).contains("There are no plugins."));
}

#[test]
fn labels_are_quoted() {
    let text = series::render(&[report()]);
    let labels = "plugin=\"a<\\\"b\\\"\\\\\\n\",root_id=\"r\",vm_id=\"\",vm_key=\"0123456789ab\",worker=\"worker_0\"";
    for line in [
        format!("sandgate_wasm_traps_total{{{labels}}} 1\n"),
        format!("sandgate_wasm_callbacks_total{{{labels},callback=\"proxy_on_log\"}} 3\n"),
        format!("sandgate_wasm_callback_cpu_seconds_total{{{labels},callback=\"proxy_on_log\"}} 4.500000000\n"),
        "# TYPE sandgate_wasm_memory_bytes gauge\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}{text}");
    }
}

#[test]
fn json_has_it_all() {
    let json = plugin(&report());
    assert_eq!(json["workers"][0]["reload"]["backoff"], 5);
    assert_eq!(json["workers"][0]["last_trap"]["at"], "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(json["module"]["bytes"], 2048);
}
