//! A script's hostcalls, made as typed operations and written down as the probe does.

use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType, pairs};
use sandgate_host::HostCalls;
use sandgate_vm::{LocalResponse, OutgoingGrpc, OutgoingHttp, Output, Stdio};

use super::Frame;
use super::expression::{Reader, Value};

/// A part of what a hostcall answers.
enum Part {
    Bytes(Vec<u8>),
    Pairs(Vec<u8>),
    Number(u64),
    Time(u64),
}

type Answer = Result<Vec<Part>, Status>;

/// The name in front of a parenthesis.
pub(super) fn name(step: &str) -> Option<&str> {
    let (name, _) = step.split_once('(')?;
    let word = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (word && !["u32", "u64", "len", "repeat", "header"].contains(&name)).then_some(name)
}

impl Frame<'_> {
    /// Makes the call and reports it; its first result if the status is 0.
    pub(super) fn call(&mut self, step: &str, quiet: bool) -> Option<Value> {
        let name = name(step).unwrap_or_else(|| panic!("unknown step: {step}"));
        let mut reader = Reader::new(step, self);
        reader.expect(name);
        reader.expect("(");
        let mut arguments = Vec::new();
        while !reader.accept(")") {
            if !arguments.is_empty() {
                reader.expect(",");
            }
            arguments.push(reader.value());
        }
        let echo = &step[..reader.at()];
        let format = if reader.accept("as") { reader.rest().trim() } else { "" };
        let answer = make(self.host, name.trim_start_matches("proxy_"), arguments);
        let status = answer.as_ref().err().map_or(0, |status| status.code());
        self.root.status = status;
        let mut line = format!("{}: {echo} = {status}", self.name);
        if let Ok(parts) = &answer
            && format != "status"
        {
            for part in parts {
                line.push(' ');
                line.push_str(&shown(part, format));
            }
        }
        if !quiet {
            self.log(&line);
        }
        Some(match answer.ok()?.into_iter().next() {
            None => Value::Number(status.into()),
            Some(Part::Bytes(bytes) | Part::Pairs(bytes)) => Value::Bytes(bytes),
            Some(Part::Number(n) | Part::Time(n)) => Value::Number(n as i64),
        })
    }
}

fn make(host: &dyn HostCalls, name: &str, arguments: Vec<Value>) -> Answer {
    let number = |i: usize| arguments[i].number();
    let int = |i: usize| number(i) as u32;
    let bytes = |i: usize| arguments[i].clone().bytes();
    let map = |i: usize| MapType::from_u32(int(i)).ok_or(Status::BadArgument);
    let buffer = |i: usize| BufferType::from_u32(int(i)).ok_or(Status::BadArgument);
    let stream = |i: usize| StreamType::from_u32(int(i)).ok_or(Status::BadArgument);
    let mut out = Output::default();
    let none = |()| Vec::new();
    let one = |n: u32| vec![Part::Number(n.into())];
    let taken = |out: &Output| out.chunks().flatten().copied().collect::<Vec<u8>>();
    let grpc_arguments = |upstream: &Vec<u8>, last: u32, f: &dyn Fn(OutgoingGrpc<'_>) -> Result<u32, Status>| {
        let (service_name, method, initial_metadata) = (bytes(1), bytes(2), bytes(3));
        let message = if last > 0 { bytes(4) } else { Vec::new() };
        f(OutgoingGrpc {
            service: upstream,
            service_name: &service_name,
            method: &method,
            initial_metadata: &initial_metadata,
            message: &message,
            timeout_ms: if last > 0 { int(5) } else { 0 },
        })
    };
    match name {
        "log" => host.log(LogLevel::from_u32(int(0)).ok_or(Status::BadArgument)?, &bytes(1)).map(none),
        "get_log_level" => host.get_log_level().map(one),
        "get_current_time_nanoseconds" => Ok(vec![Part::Time(host.get_current_time_nanoseconds())]),
        "set_tick_period_milliseconds" => host.set_tick_period_milliseconds(int(0)).map(none),
        "get_buffer_bytes" => {
            host.get_buffer_bytes(buffer(0)?, int(1), int(2), &mut out).map(|()| vec![Part::Bytes(taken(&out))])
        }
        "get_buffer_status" => host
            .get_buffer_status(buffer(0)?)
            .map(|(len, flags)| vec![Part::Number(len.into()), Part::Number(flags.into())]),
        "set_buffer_bytes" => host.set_buffer_bytes(buffer(0)?, int(1), int(2), &bytes(3)).map(none),
        "get_header_map_size" => host.get_header_map_size(map(0)?).map(one),
        "get_header_map_pairs" => host.get_header_map_pairs(map(0)?, &mut out).map(|()| vec![Part::Pairs(taken(&out))]),
        "set_header_map_pairs" => host.set_header_map_pairs(map(0)?, &bytes(1)).map(none),
        "get_header_map_value" => {
            host.get_header_map_value(map(0)?, &bytes(1), &mut out).map(|()| vec![Part::Bytes(taken(&out))])
        }
        "add_header_map_value" => host.add_header_map_value(map(0)?, &bytes(1), &bytes(2)).map(none),
        "replace_header_map_value" => host.replace_header_map_value(map(0)?, &bytes(1), &bytes(2)).map(none),
        "remove_header_map_value" => host.remove_header_map_value(map(0)?, &bytes(1)).map(none),
        "get_property" => host.get_property(&bytes(0), &mut out).map(|()| vec![Part::Bytes(taken(&out))]),
        "set_property" => host.set_property(&bytes(0), &bytes(1)).map(none),
        "continue_stream" => host.continue_stream(stream(0)?).map(none),
        "close_stream" => host.close_stream(stream(0)?).map(none),
        "send_local_response" => host
            .send_local_response(LocalResponse {
                status_code: int(0),
                details: &bytes(1),
                body: &bytes(2),
                headers: &bytes(3),
                grpc_status: int(4),
            })
            .map(none),
        "http_call" => host
            .http_call(OutgoingHttp {
                upstream: &bytes(0),
                headers: &bytes(1),
                body: &bytes(2),
                trailers: &bytes(3),
                timeout_ms: int(4),
            })
            .map(one),
        "grpc_call" => grpc_arguments(&bytes(0), 1, &|call| host.grpc_call(call)).map(one),
        "grpc_stream" => grpc_arguments(&bytes(0), 0, &|call| host.grpc_stream(call)).map(one),
        "grpc_send" => host.grpc_send(int(0), &bytes(1), int(2) != 0).map(none),
        "grpc_cancel" => host.grpc_cancel(int(0)).map(none),
        "grpc_close" => host.grpc_close(int(0)).map(none),
        "get_status" => host.get_status(&mut out).map(|code| vec![Part::Number(code.into()), Part::Bytes(taken(&out))]),
        "set_shared_data" => host.set_shared_data(&bytes(0), &bytes(1), int(2)).map(none),
        "get_shared_data" => host
            .get_shared_data(&bytes(0), &mut out)
            .map(|cas| vec![Part::Bytes(taken(&out)), Part::Number(cas.into())]),
        "register_shared_queue" => host.register_shared_queue(&bytes(0)).map(one),
        "resolve_shared_queue" => host.resolve_shared_queue(&bytes(0), &bytes(1)).map(one),
        "enqueue_shared_queue" => host.enqueue_shared_queue(int(0), &bytes(1)).map(none),
        "dequeue_shared_queue" => host.dequeue_shared_queue(int(0), &mut out).map(|()| vec![Part::Bytes(taken(&out))]),
        "define_metric" => {
            host.define_metric(MetricType::from_u32(int(0)).ok_or(Status::BadArgument)?, &bytes(1)).map(one)
        }
        "increment_metric" => host.increment_metric(int(0), number(1)).map(none),
        "record_metric" => host.record_metric(int(0), number(1) as u64).map(none),
        "get_metric" => host.get_metric(int(0)).map(|value| vec![Part::Number(value)]),
        "set_effective_context" => host.set_effective_context(int(0)).map(none),
        "done" => host.done().map(none),
        "call_foreign_function" => {
            host.call_foreign_function(&bytes(0), &bytes(1), &mut out).map(|()| vec![Part::Bytes(taken(&out))])
        }
        "envoy_resolve_dns" => host.resolve_dns(&bytes(0)).map(one),
        "fd_write" => {
            let text: Vec<u8> = (1..arguments.len()).flat_map(bytes).collect();
            if !text.is_empty() {
                let line = text.strip_suffix(b"\n").unwrap_or(&text);
                host.write_stdio(if int(0) == 1 { Stdio::Out } else { Stdio::Err }, line);
            }
            Ok(one(text.len() as u32))
        }
        other => panic!("unknown hostcall {other}"),
    }
}

fn shown(part: &Part, format: &str) -> String {
    match part {
        Part::Number(n) => n.to_string(),
        Part::Time(n) => if *n == 0 { "0" } else { "nonzero" }.to_owned(),
        Part::Bytes(bytes) if format == "len" => format!("{} bytes", bytes.len()),
        Part::Bytes(bytes) if format == "int" && (1..=8).contains(&bytes.len()) => {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            i64::from_le_bytes(word).to_string()
        }
        Part::Bytes(bytes) if format != "pairs" && format != "sorted" => quoted(bytes),
        Part::Bytes(bytes) | Part::Pairs(bytes) => {
            let mut entries: Vec<_> = pairs::decode(bytes).expect("well-formed pairs").collect();
            if format == "sorted" {
                entries.sort();
            }
            let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{}: {}", quoted(k), quoted(v))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn quoted(bytes: &[u8]) -> String {
    assert!(bytes.len() <= 200, "longer values are reported otherwise: use `as len`");
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0 => out.push_str("\\0"),
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}
