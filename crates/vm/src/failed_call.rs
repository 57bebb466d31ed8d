//! A hostcall that did not answer `OK`, decoded for people.

use std::fmt;

use sandgate_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};

use crate::HostCalls;
use crate::guest::{Guest, Phase};
use crate::marshal::{bytes, check};
use crate::wasi::errno_name;

/// Bytes of an argument that are shown.
const SHOWN: usize = 60;

/// A hostcall with its arguments and why it failed, as far as that can be known without the host.
#[derive(Debug)]
pub struct FailedCall<'a> {
    /// The import, as `proxy_get_header_map_value`, or as `fd_read` for one of WASI.
    pub function: &'static str,
    /// What the guest was answered.
    pub answer: Answer,
    /// In the order of the ABI, without where results go.
    pub arguments: Vec<Argument<'a>>,
    /// The argument at fault and what is wrong with it. Without it the host knows more.
    pub fault: Option<CallFault>,
}

/// The number that the guest got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a hostcall of the ABI.
    Status(Status),
    /// Of WASI.
    Errno(u32),
}

/// One argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// Its name in the ABI.
    pub name: &'static str,
    /// What the guest gave.
    pub value: ArgumentValue<'a>,
}

/// What a guest gave for an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentValue<'a> {
    /// A number.
    Number(u64),
    /// A pointer and a length, as the bytes that they mean.
    Bytes(&'a [u8]),
    /// A pointer and a length that mean nothing in the guest's memory.
    Outside {
        /// Where the bytes would be.
        pointer: u32,
        /// How many.
        length: u32,
    },
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFault {
    /// The argument at fault, if it is one.
    pub argument: Option<&'static str>,
    /// What is wrong.
    pub reason: String,
}

/// Decodes the call and hands it to the host, if that wants to know. `raw` are names and values of all parameters.
#[cold]
#[inline(never)]
pub(crate) fn explain<G: Guest>(guest: &mut G, function: &'static str, raw: &[(&'static str, u64)], status: Status) {
    let (memory, state) = guest.split();
    if !state.host.explains() {
        return;
    }
    let refused = state.phase == Phase::Allocator && function != "proxy_log";
    let memory = &*memory;
    let mut arguments = Vec::new();
    let mut fault = refused.then(|| CallFault {
        argument: None,
        reason: "it was called by the guest's allocator, where only proxy_log and WASI work".to_owned(),
    });
    let mut raw = raw.iter().copied().peekable();
    while let Some((name, value)) = raw.next() {
        // What is wrong with it, if that is answered so.
        let (answered, found) = if let Some(length) = raw.next_if(|(next, _)| next.strip_suffix("_len") == Some(name)) {
            (Status::InvalidMemoryAccess, slice(memory, name, value, length.1, &mut arguments))
        } else if name.starts_with("ret_") {
            (Status::InvalidMemoryAccess, room(memory, name, value, function))
        } else {
            arguments.push(Argument { name, value: ArgumentValue::Number(value) });
            (Status::BadArgument, number(name, value))
        };
        fault = fault.or(found.filter(|_| answered == status));
    }
    if status == Status::InvalidMemoryAccess && fault.is_none() {
        let reason = "there is no room for the result: the guest's allocator returned 0 or a place outside memory";
        fault = Some(CallFault { argument: None, reason: reason.to_owned() });
    }
    state.host.explain(&FailedCall { function, answer: Answer::Status(status), arguments, fault });
}

/// The same for a function of WASI, of which only name and answer are told.
#[cold]
#[inline(never)]
pub(crate) fn explain_wasi<G: Guest>(guest: &mut G, function: &'static str, errno: u32) {
    let state = guest.state();
    if state.host.explains() {
        let answer = Answer::Errno(errno);
        state.host.explain(&FailedCall { function, answer, arguments: Vec::new(), fault: None });
    }
}

fn slice<'a>(
    memory: &'a [u8],
    name: &'static str,
    pointer: u64,
    length: u64,
    arguments: &mut Vec<Argument<'a>>,
) -> Option<CallFault> {
    let (pointer, length) = (low(pointer), low(length));
    let (value, fault) = match bytes(memory, pointer, length) {
        Ok(bytes) => (ArgumentValue::Bytes(bytes), None),
        Err(_) => {
            let size = memory.len();
            let reason = format!("{length} bytes at {pointer:#x} are not within the guest's memory of {size:#x} bytes");
            (ArgumentValue::Outside { pointer, length }, Some(CallFault { argument: Some(name), reason }))
        }
    };
    arguments.push(Argument { name, value });
    fault
}

/// Where a result goes: nothing to show unless it is outside memory.
fn room(memory: &[u8], name: &'static str, pointer: u64, function: &str) -> Option<CallFault> {
    let pointer = low(pointer);
    // A foreign function's result need not be wanted.
    if pointer == 0 && function == "proxy_call_foreign_function" {
        return None;
    }
    let wide = name == "ret_time" || function == "proxy_get_metric";
    let fits = if wide { check::<8>(memory, pointer) } else { check::<4>(memory, pointer) };
    let reason = || format!("{pointer:#x} is no place for a result in the guest's memory of {:#x} bytes", memory.len());
    fits.err().map(|_| CallFault { argument: Some(name), reason: reason() })
}

/// Numbers that the ABI gives meanings to.
fn number(name: &'static str, value: u64) -> Option<CallFault> {
    let number = low(value);
    let (known, what, most) = match name {
        "level" => (LogLevel::from_u32(number).is_some(), "log level", 5),
        "map" => (MapType::from_u32(number).is_some(), "type of map", 7),
        "buffer" => (BufferType::from_u32(number).is_some(), "type of buffer", 8),
        "stream" => (StreamType::from_u32(number).is_some(), "type of stream", 3),
        "kind" => (MetricType::from_u32(number).is_some(), "type of metric", 2),
        _ => return None,
    };
    (!known).then(|| CallFault { argument: Some(name), reason: format!("there is no {what} {number} (0 to {most})") })
}

#[expect(clippy::cast_possible_truncation, reason = "it came from 32 bits")]
fn low(value: u64) -> u32 {
    value as u32
}

// === impl FailedCall ===

impl FailedCall<'_> {
    /// The number given for an argument; 0 if there is none of the name.
    #[must_use]
    pub fn number(&self, name: &str) -> u32 {
        match self.argument(name) {
            Some(ArgumentValue::Number(number)) => low(number),
            _ => 0,
        }
    }

    /// The bytes given for an argument; none if they are not there.
    #[must_use]
    pub fn bytes(&self, name: &str) -> &[u8] {
        match self.argument(name) {
            Some(ArgumentValue::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    fn argument(&self, name: &str) -> Option<ArgumentValue<'_>> {
        self.arguments.iter().find(|argument| argument.name == name).map(|argument| argument.value)
    }
}

/// As `proxy_get_header_map_value(map: 2 HttpResponseHeaders, key: "x-a") = 2 BadArgument`.
impl fmt::Display for FailedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function)?;
        for (index, argument) in self.arguments.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}: {}", argument.name, argument.value)?;
            if let ArgumentValue::Number(number) = argument.value {
                write_meaning(f, argument.name, low(number))?;
            }
        }
        write!(f, ") = {}", self.answer)
    }
}

fn write_meaning(f: &mut fmt::Formatter<'_>, name: &str, number: u32) -> fmt::Result {
    match name {
        "map" => MapType::from_u32(number).map_or(Ok(()), |map| write!(f, " {map:?}")),
        "buffer" => BufferType::from_u32(number).map_or(Ok(()), |buffer| write!(f, " {buffer:?}")),
        "stream" => StreamType::from_u32(number).map_or(Ok(()), |stream| write!(f, " {stream:?}")),
        "kind" => MetricType::from_u32(number).map_or(Ok(()), |kind| write!(f, " {kind:?}")),
        _ => Ok(()),
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{} {status:?}", status.code()),
            Self::Errno(errno) => write!(f, "{errno} {}", errno_name(*errno)),
        }
    }
}

impl fmt::Display for ArgumentValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Outside { pointer, length } => write!(f, "{length} bytes at {pointer:#x}"),
            Self::Bytes(bytes) => {
                let shown = bytes.get(..SHOWN).unwrap_or(bytes);
                write!(f, "\"{}\"", shown.escape_ascii())?;
                if shown.len() < bytes.len() { write!(f, "… ({} bytes)", bytes.len()) } else { Ok(()) }
            }
        }
    }
}
