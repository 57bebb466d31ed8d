//! The probe's scripts, interpreted by a native plugin over the typed operations.
//!
//! Knows the part of `plugins/probe/README.md` that these tests use: one step a line, no raw pointers, no WASI but
//! `fd_write`.

mod call;
mod expression;

use std::collections::HashMap;

use sandgate_abi::{BufferType, Callback, CallbackKind, LogLevel};
use sandgate_host::{HostCalls, NativePlugin};
use sandgate_vm::Output;

use self::expression::{Reader, Value};

#[derive(Debug, Default)]
pub(crate) struct NativeProbe {
    vm_script: Option<String>,
    roots: HashMap<u32, Root>,
    root_of: HashMap<u32, u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Root {
    script: String,
    pub(crate) variables: HashMap<String, Value>,
    pub(crate) nth: HashMap<&'static str, i64>,
    pub(crate) stream: i64,
    pub(crate) status: u32,
}

/// One running callback.
pub(crate) struct Frame<'a> {
    pub(crate) host: &'a dyn HostCalls,
    pub(crate) name: &'static str,
    pub(crate) context: u32,
    pub(crate) root_id: u32,
    pub(crate) arguments: Vec<(&'static str, i64)>,
    pub(crate) root: &'a mut Root,
    pub(crate) round: i64,
    returned: Option<u32>,
}

impl NativePlugin for NativeProbe {
    fn call(&mut self, host: &dyn HostCalls, callback: Callback) -> Option<u32> {
        let arguments = arguments(&callback);
        let context = u32::try_from(arguments[0].1).unwrap();
        if let Callback::ContextCreate { context, parent } = callback {
            let root = if parent == 0 { context } else { self.root_of[&parent] };
            self.root_of.insert(context, root);
            let root = self.roots.entry(root).or_default();
            root.stream = if parent == 0 { 0 } else { i64::from(context) };
            if parent == 0 && self.vm_script.is_none() {
                self.vm_script = Some(read(host, BufferType::VmConfiguration));
            }
        }
        let root_id = *self.root_of.get(&context).expect("a callback for an unknown context");
        let root = self.roots.get_mut(&root_id).unwrap();
        if let Callback::Configure { config_size: 1.., .. } = callback {
            root.script = read(host, BufferType::PluginConfiguration);
        }
        let name = callback.kind().export().trim_start_matches("proxy_on_").trim_start_matches("envoy_on_");
        *root.nth.entry(name).or_default() += 1;
        let scripts = [self.vm_script.clone().unwrap_or_default(), root.script.clone()];
        let mut frame = Frame { host, name, context, root_id, arguments, root, round: 0, returned: None };
        if scripts.iter().any(|script| script.lines().any(|line| line.trim() == "trace")) {
            let values: Vec<_> = frame.arguments.iter().map(|(_, value)| value.to_string()).collect();
            frame.log(&format!("> {name}({})", values.join(", ")));
        }
        for script in &scripts {
            frame.run(script);
        }
        let usual = u32::from(matches!(
            callback.kind(),
            CallbackKind::VmStart | CallbackKind::Configure | CallbackKind::ValidateConfiguration | CallbackKind::Done
        ));
        let result = frame.returned.unwrap_or(usual);
        if let Callback::Delete { context } = callback {
            self.root_of.remove(&context);
        }
        Some(result)
    }
}

fn read(host: &dyn HostCalls, buffer: BufferType) -> String {
    let mut out = Output::default();
    host.get_buffer_bytes(buffer, 0, u32::MAX, &mut out).unwrap();
    String::from_utf8(out.chunks().flatten().copied().collect()).unwrap()
}

impl Frame<'_> {
    pub(crate) fn log(&self, line: &str) {
        self.host.log(LogLevel::Info, line.as_bytes()).unwrap();
    }

    pub(crate) fn argument(&self, name: &str) -> Option<i64> {
        self.arguments.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    fn run(&mut self, script: &str) {
        let mut active = false;
        for line in script.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') || line == "trace" {
                continue;
            }
            if let Some(head) = line.strip_prefix("on ") {
                active = self.matches(head.strip_suffix(':').unwrap_or_else(|| panic!("no colon: {line}")));
            } else if active {
                self.step(line, false);
            }
            if self.returned.is_some() {
                return;
            }
        }
    }

    fn matches(&mut self, head: &str) -> bool {
        let (names, condition) = head.split_once(" when ").map_or((head, None), |(n, c)| (n, Some(c)));
        let named = names.split(',').map(str::trim).any(|name| name == self.name || name == "any");
        named && condition.is_none_or(|condition| Reader::new(condition, self).condition())
    }

    fn step(&mut self, line: &str, quiet: bool) {
        if let Some(rest) = line.strip_prefix("quiet ") {
            self.step(rest, true);
        } else if let Some(rest) = line.strip_prefix("if ") {
            let mut reader = Reader::new(rest, self);
            let go = reader.condition();
            let step = reader.rest().trim_start().strip_prefix(':').unwrap().trim();
            if go {
                self.step(step, quiet);
            }
        } else if let Some(rest) = line.strip_prefix("times ") {
            let mut reader = Reader::new(rest, self);
            let rounds = reader.value().number();
            let step = reader.rest().trim_start().strip_prefix(':').unwrap().trim();
            for round in 0..rounds {
                self.round = round;
                self.step(step, quiet);
            }
        } else if let Some(rest) = line.strip_prefix("say ") {
            let said = Reader::new(rest, self).value().bytes();
            self.log(&format!("{}: {}", self.name, String::from_utf8_lossy(&said)));
        } else if let Some(rest) = line.strip_prefix("return ") {
            self.returned = Some(Reader::new(rest, self).value().number() as u32);
        } else if let Some(kind) = line.strip_prefix("trap ") {
            panic!("{kind}");
        } else if let Some((name, rest)) = line.strip_prefix('$').and_then(|rest| rest.split_once('=')) {
            let called = call::name(rest.trim()).is_some();
            let value = if called { self.call(rest.trim(), quiet) } else { Some(Reader::new(rest, self).value()) };
            if let Some(value) = value {
                self.root.variables.insert(name.trim().to_owned(), value);
            }
        } else {
            self.call(line, quiet);
        }
    }
}

fn arguments(callback: &Callback) -> Vec<(&'static str, i64)> {
    let flag = i64::from;
    match *callback {
        Callback::ContextCreate { context, parent } => vec![("context", context.into()), ("parent", parent.into())],
        Callback::VmStart { root, config_size }
        | Callback::Configure { root, config_size }
        | Callback::ValidateConfiguration { root, config_size } => {
            vec![("context", root.into()), ("size", config_size.into())]
        }
        Callback::Tick { root } => vec![("context", root.into())],
        Callback::RequestHeaders { context, count, end_of_stream }
        | Callback::ResponseHeaders { context, count, end_of_stream } => {
            vec![("context", context.into()), ("count", count.into()), ("eos", flag(end_of_stream))]
        }
        Callback::RequestBody { context, size, end_of_stream }
        | Callback::DownstreamData { context, size, end_of_stream }
        | Callback::UpstreamData { context, size, end_of_stream }
        | Callback::ResponseBody { context, size, end_of_stream } => {
            vec![("context", context.into()), ("size", size.into()), ("eos", flag(end_of_stream))]
        }
        Callback::RequestTrailers { context, count } | Callback::ResponseTrailers { context, count } => {
            vec![("context", context.into()), ("count", count.into())]
        }
        Callback::NewConnection { context } => vec![("context", context.into())],
        Callback::DownstreamConnectionClose { context, peer } | Callback::UpstreamConnectionClose { context, peer } => {
            vec![("context", context.into()), ("peer", peer.into())]
        }
        Callback::ResolveDns { root, token, size } => {
            vec![("context", root.into()), ("token", token.into()), ("size", size.into())]
        }
        Callback::StatsUpdate { root, size } => vec![("context", root.into()), ("size", size.into())],
        Callback::QueueReady { root, queue } => vec![("context", root.into()), ("token", queue.into())],
        Callback::GrpcReceiveInitialMetadata { root, token, count }
        | Callback::GrpcReceiveTrailingMetadata { root, token, count } => {
            vec![("context", root.into()), ("token", token.into()), ("count", count.into())]
        }
        Callback::GrpcReceive { root, token, size } => {
            vec![("context", root.into()), ("token", token.into()), ("size", size.into())]
        }
        Callback::HttpCallResponse { root, token, headers, body_size, trailers } => vec![
            ("context", root.into()),
            ("token", token.into()),
            ("count", headers.into()),
            ("size", body_size.into()),
            ("trailers", trailers.into()),
        ],
        Callback::GrpcClose { root, token, status } => {
            vec![("context", root.into()), ("token", token.into()), ("code", status.into())]
        }
        Callback::Done { context } | Callback::Log { context } | Callback::Delete { context } => {
            vec![("context", context.into())]
        }
        other => panic!("the host made a callback that it has no business with: {other:?}"),
    }
}
