//! One running callback.

use std::hint::black_box;
use std::panic::resume_unwind;
use std::rc::Rc;

use sandgate_abi::{Callback, CallbackKind, LogLevel, MapType, pairs};
use sandgate_vm::{HostCalls, LocalResponse, Output};

use super::expression::{Condition, Value};
use super::names;
use super::reader::Error;
use super::script::{Script, Step};
use super::{Context, Root};

/// Longer reports are not collected.
const MAX_REPORT: usize = 65536;

pub(super) struct Frame<'a> {
    pub(super) host: &'a dyn HostCalls,
    pub(super) name: &'static str,
    kind: CallbackKind,
    arguments: Vec<(&'static str, u32)>,
    id: u32,
    context: &'a mut Context,
    pub(super) root: &'a mut Root,
    result: u32,
    returned: bool,
    silent: bool,
    /// Of `times`.
    round: i64,
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        host: &'a dyn HostCalls,
        callback: Callback,
        id: u32,
        context: &'a mut Context,
        root: &'a mut Root,
    ) -> Self {
        use CallbackKind as K;
        let kind = callback.kind();
        let (name, arguments) = names::of(kind);
        let result = matches!(kind, K::VmStart | K::Configure | K::ValidateConfiguration | K::Done).into();
        let arguments = arguments.iter().copied().zip(callback.arguments()).collect();
        *context.calls.entry(name).or_default() += 1;
        *root.nth.entry(name).or_default() += 1;
        Self { host, name, kind, arguments, id, context, root, result, returned: false, silent: false, round: 0 }
    }

    /// Runs the blocks that match; what the callback returns.
    pub(super) fn run(mut self, scripts: &[Rc<Script>]) -> u32 {
        self.silent = scripts.iter().any(|script| script.silent);
        if scripts.iter().any(|script| script.trace) {
            let values: Vec<_> = self.arguments.iter().map(|(_, value)| value.cast_signed().to_string()).collect();
            let line = format!("> {}({})", self.name, values.join(", "));
            self.report(line.as_bytes());
        }
        if self.kind == CallbackKind::RequestHeaders && scripts.iter().any(|script| script.reads_request) {
            self.ensure_request();
        }
        for script in scripts {
            if let Err((line, error)) = self.run_script(script) {
                let line = format!("{}: script error: line {line}: {error}", self.name);
                self.host.log(LogLevel::Error, line.as_bytes()).unwrap_or_default();
            }
        }
        self.result
    }

    fn run_script(&mut self, script: &Script) -> Result<(), (usize, Error)> {
        for block in &script.blocks {
            if !block.callbacks.contains(self.kind) {
                continue;
            }
            if !Condition::all_hold(&block.when, self).map_err(|error| (0, error))? {
                continue;
            }
            for (line, step) in &block.steps {
                if self.returned {
                    return Ok(());
                }
                self.step(step, false).map_err(|error| (*line, error))?;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step, quiet: bool) -> Result<(), Error> {
        match step {
            Step::Call(call) => {
                call.make(self, quiet)?;
            }
            Step::Keep(name, call) => {
                if let Some(value) = call.make(self, quiet)? {
                    self.root.variables.insert(name.clone(), value);
                }
            }
            Step::Set(name, value) => {
                let value = value.value(self)?;
                self.root.variables.insert(name.clone(), value);
            }
            Step::Quiet(step) => self.step(step, true)?,
            Step::If(conditions, step) => {
                if Condition::all_hold(conditions, self)? {
                    self.step(step, quiet)?;
                }
            }
            Step::Times(rounds, step) => {
                for round in 0..rounds.value(self)?.number()? {
                    if self.returned {
                        break;
                    }
                    self.round = round;
                    self.step(step, quiet)?;
                }
            }
            Step::Say(value) => {
                let said = value.value(self)?.bytes();
                let line = [self.name.as_bytes(), b": ", &said].concat();
                self.report(&line);
            }
            Step::Return(value) => {
                self.result = low(value.value(self)?.number()?);
                self.returned = true;
            }
            Step::Reply(status) => {
                let status = low(status.value(self)?.number()?);
                self.reply(status);
            }
            Step::Stamp(name) => {
                let name = name.value(self)?.bytes();
                let lines = self.report_text().replace('\n', "; ");
                let _ = self.host.add_header_map_value(MapType::HttpResponseHeaders, &name, lines.as_bytes());
            }
            Step::Silent => self.silent = true,
            Step::Trap(kind) => trap(kind),
            Step::Spin(rounds) => {
                for round in 0..rounds.value(self)?.number()? {
                    black_box(round);
                }
            }
        }
        Ok(())
    }

    fn reply(&mut self, status: u32) {
        let body = &self.context.report;
        let response = LocalResponse { status_code: status, details: b"", body, headers: b"", grpc_status: u32::MAX };
        let _ = self.host.send_local_response(response);
        use CallbackKind as K;
        if matches!(self.kind, K::RequestHeaders | K::RequestBody | K::ResponseHeaders | K::ResponseBody) {
            self.result = 1;
        }
    }

    /// Collects a line, and logs it unless silent.
    pub(super) fn report(&mut self, line: &[u8]) {
        if self.context.report.len() + line.len() < MAX_REPORT {
            self.context.report.extend_from_slice(line);
            self.context.report.push(b'\n');
        }
        if !self.silent {
            let _ = self.host.log(LogLevel::Info, line);
        }
    }

    fn report_text(&self) -> String {
        let lines = self.context.report.strip_suffix(b"\n").unwrap_or_default();
        String::from_utf8_lossy(lines).into_owned()
    }

    /// What `$name` stands for.
    pub(super) fn named(&mut self, name: &str) -> Value {
        let argument = self.arguments.iter().find(|(argument, _)| *argument == name).map(|(_, value)| *value);
        Value::Number(match name {
            "root" => self.context.root.into(),
            "stream" => self.root.stream.into(),
            "call" => self.context.calls.get(self.name).copied().unwrap_or(0),
            "nth" => self.root.nth.get(self.name).copied().unwrap_or(0),
            "status" => self.root.status.into(),
            "second" => self.root.second.into(),
            "i" => self.round,
            "path" => return Value::Bytes(self.request_header(b":path")),
            "method" => return Value::Bytes(self.request_header(b":method")),
            "report" => return Value::Bytes(self.report_text().into_bytes()),
            "1" | "2" | "3" | "4" | "5" => {
                let position: usize = name.parse().unwrap_or(1);
                self.arguments.get(position - 1).map_or(0, |(_, value)| (*value).into())
            }
            "context" => argument.unwrap_or(self.id).into(),
            _ => match argument {
                Some(value) => value.into(),
                None => return self.root.variables.get(name).cloned().unwrap_or(Value::Number(0)),
            },
        })
    }

    pub(super) fn request_header(&mut self, name: &[u8]) -> Vec<u8> {
        self.ensure_request();
        let request = self.context.request.as_deref().unwrap_or_default();
        let mut pairs = pairs::decode(request).into_iter().flatten();
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_vec()).unwrap_or_default()
    }

    fn ensure_request(&mut self) {
        // The root context of an access log hears of one request after the other.
        let logger = self.kind == CallbackKind::Log && self.id == self.context.root;
        if self.context.request.is_some() && !logger {
            return;
        }
        let mut out = Output::default();
        if self.host.get_header_map_pairs(MapType::HttpRequestHeaders, &mut out).is_ok() && !out.is_empty() {
            self.context.request = Some(out.into_vec());
        }
    }
}

/// The low 32 bits, which is what goes over the ABI.
pub(super) fn low(number: i64) -> u32 {
    u32::try_from(number & i64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// A panic that nobody is told of but the engine, as of a trap.
fn trap(kind: &str) -> ! {
    resume_unwind(Box::new(kind.to_owned()))
}
