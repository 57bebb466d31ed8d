//! The probe's scripts (`plugins/probe/README.md`), interpreted over the typed operations.
//!
//! Left out is what needs a guest's memory: `@`, `end`, the pseudo calls, `memory_allocate`, WASI but for `fd_write`, ABIs before 0.2.1;
//! and the traps that do not end. A script that has any of it is refused.

mod call;
mod expression;
mod names;
mod reader;
mod report;
mod run;
mod script;
mod stats;

use std::collections::HashMap;
use std::rc::Rc;

use sandgate_abi::{BufferType, Callback, LogLevel};
use sandgate_vm::{HostCalls, NativePlugin, Output};

use self::expression::Value;
use self::run::Frame;
use self::script::Script;

/// One VM of the probe's twin.
#[derive(Default)]
pub struct Probe {
    /// The VM configuration's, once it was read; `None` in it: it has an error.
    vm_script: Option<Option<Rc<Script>>>,
    roots: HashMap<u32, Root>,
    contexts: HashMap<u32, Context>,
}

/// What a plugin's contexts share.
#[derive(Default)]
struct Root {
    script: Rc<Script>,
    variables: HashMap<String, Value>,
    /// By callback, how often it ran.
    nth: HashMap<&'static str, i64>,
    /// The context that was made last.
    stream: u32,
    /// Of the last hostcall.
    status: u32,
    second: u32,
}

struct Context {
    root: u32,
    calls: HashMap<&'static str, i64>,
    /// The request's headers, once read.
    request: Option<Vec<u8>>,
    report: Vec<u8>,
}

// === impl Probe ===

impl NativePlugin for Probe {
    fn call(&mut self, host: &dyn HostCalls, callback: Callback) -> Option<u32> {
        let (name, _) = names::of(callback.kind());
        let [id, second, ..] = callback.arguments();
        if name == "context_create" {
            self.create(host, id, second);
        }
        let mut good = true;
        if name == "vm_start" {
            good = matches!(self.vm_script, Some(Some(_)));
        }
        if name == "configure" && second > 0 {
            match read(host, BufferType::PluginConfiguration) {
                Some(script) => self.root_of(id).script = script,
                None => return Some(0),
            }
        }
        let vm_script = self.vm_script.clone().flatten().unwrap_or_default();
        let scripts = [vm_script, Rc::clone(&self.root_of(id).script)];
        let Some(context) = self.contexts.get_mut(&id) else { unknown(id) };
        let Some(root) = self.roots.get_mut(&context.root) else { unknown(context.root) };
        let result = Frame::new(host, callback, id, context, root).run(&scripts);
        if name == "delete" && self.contexts.get(&id).is_some_and(|context| context.root != id) {
            self.contexts.remove(&id);
        }
        Some(if good { result } else { 0 })
    }
}

impl Probe {
    fn create(&mut self, host: &dyn HostCalls, id: u32, parent: u32) {
        let root =
            if parent == 0 { id } else { self.contexts.get(&parent).map_or_else(|| unknown(parent), |c| c.root) };
        let context = Context { root, calls: HashMap::new(), request: None, report: Vec::new() };
        self.contexts.insert(id, context);
        self.roots.entry(root).or_default().stream = if parent == 0 { 0 } else { id };
        if parent == 0 && self.vm_script.is_none() {
            self.vm_script = Some(read(host, BufferType::VmConfiguration));
        }
    }

    fn root_of(&mut self, id: u32) -> &mut Root {
        let Some(context) = self.contexts.get(&id) else { unknown(id) };
        self.roots.entry(context.root).or_default()
    }
}

/// The script in a buffer. An error in it is told.
fn read(host: &dyn HostCalls, buffer: BufferType) -> Option<Rc<Script>> {
    let mut out = Output::default();
    let text = match host.get_buffer_bytes(buffer, 0, i32::MAX.cast_unsigned(), &mut out) {
        Ok(()) => out.into_vec(),
        Err(_) => Vec::new(),
    };
    match Script::parse(&text) {
        Ok(script) => Some(Rc::new(script)),
        Err((line, error)) => {
            let line = format!("script error: line {line}: {error}");
            host.log(LogLevel::Error, line.as_bytes()).unwrap_or_default();
            None
        }
    }
}

#[expect(clippy::panic, reason = "the host must not do that; it is a trap")]
fn unknown(context: u32) -> ! {
    panic!("a callback for the unknown context {context}")
}
