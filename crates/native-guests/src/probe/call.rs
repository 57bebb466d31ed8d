//! Hostcalls of scripts, made as typed operations and written down.

use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};
use sandgate_vm::{HostCalls, LocalResponse, OutgoingGrpc, OutgoingHttp, Output, Stdio};

use super::expression::{Expression, Value};
use super::reader::{Error, Reader};
use super::report::{self, Part};
use super::run::{Frame, low};

/// A hostcall as it is written.
#[derive(Debug)]
pub(super) struct Call {
    name: String,
    arguments: Vec<Expression>,
    echo: Vec<u8>,
    format: String,
}

type Answer = Result<Vec<Part>, Status>;

/// The hostcalls, and how many arguments each has.
const NAMES: [(&str, usize); 43] = [
    ("add_header_map_value", 3),
    ("call_foreign_function", 2),
    ("close_stream", 1),
    ("continue_stream", 1),
    ("define_metric", 2),
    ("dequeue_shared_queue", 1),
    ("done", 0),
    ("enqueue_shared_queue", 2),
    ("envoy_resolve_dns", 1),
    ("evaluate", 1),
    ("get_buffer_bytes", 3),
    ("get_buffer_status", 1),
    ("get_current_time_nanoseconds", 0),
    ("get_header_map_pairs", 1),
    ("get_header_map_size", 1),
    ("get_header_map_value", 2),
    ("get_log_level", 0),
    ("get_metric", 1),
    ("get_property", 1),
    ("get_shared_data", 1),
    ("get_status", 0),
    ("grpc_call", 6),
    ("grpc_cancel", 1),
    ("grpc_close", 1),
    ("grpc_send", 3),
    ("grpc_stream", 4),
    ("http_call", 5),
    ("increment_metric", 2),
    ("log", 2),
    ("record_metric", 2),
    ("register_shared_queue", 1),
    ("remove_header_map_value", 2),
    ("replace_header_map_value", 3),
    ("resolve_shared_queue", 2),
    ("send_local_response", 5),
    ("set_buffer_bytes", 4),
    ("set_effective_context", 1),
    ("set_header_map_pairs", 2),
    ("set_property", 2),
    ("set_shared_data", 3),
    ("set_tick_period_milliseconds", 1),
    ("fd_write", usize::MAX),
    ("clock_time_get", 1),
];

const FORMATS: [&str; 9] = ["status", "str", "int", "pairs", "sorted", "len", "hash", "full", "hex"];

fn known(name: &[u8]) -> Option<(&'static str, usize)> {
    let name = name.strip_prefix(b"proxy_").unwrap_or(name);
    NAMES.into_iter().find(|(known, _)| known.as_bytes() == name)
}

/// Whether a hostcall is called so.
pub(super) fn is_name(name: &[u8]) -> bool {
    known(name).is_some()
}

// === impl Call ===

impl Call {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.skip_blanks(false);
        let start = *reader;
        let (name, count) = known(reader.word()).ok_or("unknown step or hostcall, or not one of native plugins")?;
        reader.expect("(")?;
        let arguments = reader.list(")", Expression::parse)?;
        if count != usize::MAX && arguments.len() < count {
            return Err("too few arguments");
        }
        if arguments.len() > count {
            return Err("too many arguments, or pointers, which native plugins have not");
        }
        let echo = report::echo(reader.since(&start));
        let mut format = String::new();
        if reader.accept("as") {
            format = String::from_utf8_lossy(reader.word()).into_owned();
            if !FORMATS.contains(&format.as_str()) {
                return Err("unknown format behind 'as'");
            }
        }
        Ok(Self { name: name.to_owned(), arguments, echo, format })
    }

    /// Makes the call and reports it; its first result if the status is 0.
    pub(super) fn make(&self, frame: &mut Frame<'_>, quiet: bool) -> Result<Option<Value>, Error> {
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            arguments.push(argument.value(frame)?);
        }
        let mut line = [frame.name.as_bytes(), b": ", &self.echo, b" = "].concat();
        if self.name == "evaluate" {
            let value = evaluate(frame.host, arguments, &mut line, &self.format);
            if !quiet {
                frame.report(&line);
            }
            return Ok(Some(value));
        }
        let answer = made(frame.host, &self.name, &Arguments(arguments))?;
        let status = answer.as_ref().err().map_or(0, |status| status.code());
        frame.root.status = status;
        line.extend_from_slice(status.to_string().as_bytes());
        let parts = answer.unwrap_or_default();
        if self.format != "status" {
            for part in &parts {
                line.push(b' ');
                part.show(&self.format, &mut line);
            }
        }
        if !quiet {
            frame.report(&line);
        }
        frame.root.second = parts.get(1).map_or(0, Part::number);
        Ok((status == 0).then(|| parts.into_iter().next().map_or(Value::Number(0), Part::value)))
    }
}

/// A CEL expression: made, evaluated, forgotten.
fn evaluate(host: &dyn HostCalls, arguments: Vec<Value>, line: &mut Vec<u8>, format: &str) -> Value {
    let text = arguments.into_iter().next().map(Value::bytes).unwrap_or_default();
    let foreign = |name: &str, argument: &[u8]| {
        let mut out = Output::default();
        let result = host.call_foreign_function(name.as_bytes(), argument, &mut out);
        (result.err().map_or(0, |status| status.code()), out.into_vec())
    };
    let (status, token) = foreign("expr_create", &text);
    if status != 0 {
        line.extend_from_slice(format!("not created {status}").as_bytes());
        return Value::Number(0);
    }
    let (status, result) = foreign("expr_evaluate", &token);
    line.extend_from_slice(status.to_string().as_bytes());
    if status == 0 {
        line.push(b' ');
        Part::Bytes(result.clone()).show(format, line);
    }
    foreign("expr_delete", &token);
    Value::Bytes(result)
}

/// Of a hostcall that has as many as it needs.
struct Arguments(Vec<Value>);

impl Arguments {
    fn number(&self, index: usize) -> Result<i64, Error> {
        self.0.get(index).map_or(Ok(0), Value::number)
    }

    fn int(&self, index: usize) -> Result<u32, Error> {
        self.number(index).map(low)
    }

    fn bytes(&self, index: usize) -> Vec<u8> {
        self.0.get(index).cloned().map(Value::bytes).unwrap_or_default()
    }
}

/// One of the ABI's enums; no value of it is a bad argument.
macro_rules! number_of {
    ($kind:ident, $number:expr) => {
        match $kind::from_u32($number) {
            Some(value) => value,
            None => return Ok(Err(Status::BadArgument)),
        }
    };
}

fn made(host: &dyn HostCalls, name: &str, given: &Arguments) -> Result<Answer, Error> {
    let (int, bytes) = (|index| given.int(index), |index| given.bytes(index));
    let mut out = Output::default();
    let none = |()| Vec::new();
    let one = |number: u32| vec![Part::Number(number.into())];
    Ok(match name {
        "log" => host.log(number_of!(LogLevel, int(0)?), &bytes(1)).map(none),
        "get_log_level" => host.get_log_level().map(one),
        "get_current_time_nanoseconds" => Ok(vec![Part::Time(host.get_current_time_nanoseconds())]),
        "clock_time_get" => Ok(vec![Part::Time(if int(0)? == 0 { host.realtime_ns() } else { host.monotonic_ns() })]),
        "set_tick_period_milliseconds" => host.set_tick_period_milliseconds(int(0)?).map(none),
        "get_buffer_bytes" => {
            let buffer = number_of!(BufferType, int(0)?);
            host.get_buffer_bytes(buffer, int(1)?, int(2)?, &mut out).map(|()| vec![Part::Bytes(out.into_vec())])
        }
        "get_buffer_status" => host
            .get_buffer_status(number_of!(BufferType, int(0)?))
            .map(|(length, flags)| vec![Part::Number(length.into()), Part::Number(flags.into())]),
        "set_buffer_bytes" => {
            host.set_buffer_bytes(number_of!(BufferType, int(0)?), int(1)?, int(2)?, &bytes(3)).map(none)
        }
        "get_header_map_size" => host.get_header_map_size(number_of!(MapType, int(0)?)).map(one),
        "get_header_map_pairs" => host
            .get_header_map_pairs(number_of!(MapType, int(0)?), &mut out)
            .map(|()| vec![Part::Pairs(out.into_vec())]),
        "set_header_map_pairs" => host.set_header_map_pairs(number_of!(MapType, int(0)?), &bytes(1)).map(none),
        "get_header_map_value" => host
            .get_header_map_value(number_of!(MapType, int(0)?), &bytes(1), &mut out)
            .map(|()| vec![Part::Bytes(out.into_vec())]),
        "add_header_map_value" => {
            host.add_header_map_value(number_of!(MapType, int(0)?), &bytes(1), &bytes(2)).map(none)
        }
        "replace_header_map_value" => {
            host.replace_header_map_value(number_of!(MapType, int(0)?), &bytes(1), &bytes(2)).map(none)
        }
        "remove_header_map_value" => host.remove_header_map_value(number_of!(MapType, int(0)?), &bytes(1)).map(none),
        "get_property" => host.get_property(&bytes(0), &mut out).map(|()| vec![Part::Bytes(out.into_vec())]),
        "set_property" => host.set_property(&bytes(0), &bytes(1)).map(none),
        "continue_stream" => host.continue_stream(number_of!(StreamType, int(0)?)).map(none),
        "close_stream" => host.close_stream(number_of!(StreamType, int(0)?)).map(none),
        "send_local_response" => {
            let (details, body, headers) = (bytes(1), bytes(2), bytes(3));
            let response = LocalResponse {
                status_code: int(0)?,
                details: &details,
                body: &body,
                headers: &headers,
                grpc_status: int(4)?,
            };
            host.send_local_response(response).map(none)
        }
        "http_call" | "grpc_call" | "grpc_stream" | "grpc_send" | "grpc_cancel" | "grpc_close" => {
            return callout(host, name, given);
        }
        "get_status" => {
            host.get_status(&mut out).map(|code| vec![Part::Number(code.into()), Part::Bytes(out.into_vec())])
        }
        "set_shared_data" => host.set_shared_data(&bytes(0), &bytes(1), int(2)?).map(none),
        "get_shared_data" => host
            .get_shared_data(&bytes(0), &mut out)
            .map(|cas| vec![Part::Bytes(out.into_vec()), Part::Number(cas.into())]),
        "register_shared_queue" => host.register_shared_queue(&bytes(0)).map(one),
        "resolve_shared_queue" => host.resolve_shared_queue(&bytes(0), &bytes(1)).map(one),
        "enqueue_shared_queue" => host.enqueue_shared_queue(int(0)?, &bytes(1)).map(none),
        "dequeue_shared_queue" => {
            host.dequeue_shared_queue(int(0)?, &mut out).map(|()| vec![Part::Bytes(out.into_vec())])
        }
        "define_metric" => host.define_metric(number_of!(MetricType, int(0)?), &bytes(1)).map(one),
        "increment_metric" => host.increment_metric(int(0)?, given.number(1)?).map(none),
        "record_metric" => host.record_metric(int(0)?, given.number(1)?.cast_unsigned()).map(none),
        "get_metric" => host.get_metric(int(0)?).map(|value| vec![Part::Number(value)]),
        "set_effective_context" => host.set_effective_context(int(0)?).map(none),
        "done" => host.done().map(none),
        "call_foreign_function" => {
            host.call_foreign_function(&bytes(0), &bytes(1), &mut out).map(|()| vec![Part::Bytes(out.into_vec())])
        }
        "envoy_resolve_dns" => host.resolve_dns(&bytes(0)).map(one),
        "fd_write" => {
            let stream = match int(0)? {
                1 => Stdio::Out,
                2 => Stdio::Err,
                _ => return Err("native plugins write to 1 and 2"),
            };
            let text: Vec<u8> = (1..given.0.len()).flat_map(bytes).collect();
            if !text.is_empty() {
                host.write_stdio(stream, text.strip_suffix(b"\n").unwrap_or(&text));
            }
            Ok(vec![Part::Number(text.len().try_into().unwrap_or(u64::MAX))])
        }
        _ => return Err("unknown step or hostcall"),
    })
}

fn callout(host: &dyn HostCalls, name: &str, given: &Arguments) -> Result<Answer, Error> {
    let (int, bytes) = (|index| given.int(index), |index| given.bytes(index));
    let none = |()| Vec::new();
    let one = |number: u32| vec![Part::Number(number.into())];
    let (first, second, third, fourth, fifth) = (bytes(0), bytes(1), bytes(2), bytes(3), bytes(4));
    let grpc = OutgoingGrpc {
        service: &first,
        service_name: &second,
        method: &third,
        initial_metadata: &fourth,
        message: b"",
        timeout_ms: 0,
    };
    Ok(match name {
        "http_call" => host
            .http_call(OutgoingHttp {
                upstream: &first,
                headers: &second,
                body: &third,
                trailers: &fourth,
                timeout_ms: int(4)?,
            })
            .map(one),
        "grpc_call" => host.grpc_call(OutgoingGrpc { message: &fifth, timeout_ms: int(5)?, ..grpc }).map(one),
        "grpc_stream" => host.grpc_stream(grpc).map(one),
        "grpc_send" => host.grpc_send(int(0)?, &second, int(2)? != 0).map(none),
        "grpc_cancel" => host.grpc_cancel(int(0)?).map(none),
        _ => host.grpc_close(int(0)?).map(none),
    })
}
