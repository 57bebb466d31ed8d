//! A filter that does what a table says and writes down what it saw.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use sandgate_filter::{FilterCallbacks, HttpFilter, Informational};
use sandgate_http::{BodyBuffer, DataStatus, Direction, HeaderMap, HeadersStatus, LocalReply, TrailersStatus};

pub(crate) type Log = Rc<RefCell<Vec<String>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    ReqHeaders,
    ReqData,
    ReqTrailers,
    Res1xx,
    ResHeaders,
    ResData,
    ResTrailers,
    Log,
    Destroy,
}

/// What a filter answers; each callback takes those that it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Continue,
    Stop,
    StopAllBuffer,
    StopAllWatermark,
    Buffer,
    Watermark,
    NoBuffer,
}

/// What a filter does before it answers.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Continue(Direction),
    Reply(u32, &'static str),
    Reset(&'static str),
    /// Adds body.
    Add(Direction, &'static str),
    AddTrailers(Direction),
    /// As Envoy's Wasm filter does when it buffers: moves the piece into the buffer and looks at all of it.
    Accumulate(Direction),
    /// Replaces the piece.
    Replace(&'static str),
    /// Replaces what is buffered.
    ReplaceBuffer(Direction, &'static str),
    SetHeader(Direction, &'static str, &'static str),
    RemoveHeader(Direction, &'static str),
}

/// For a callback, in the order of its calls: acts and the answer. Without an entry: nothing, continue.
pub(crate) type Table = Vec<(On, Vec<Act>, Answer)>;

pub(crate) struct Script {
    name: &'static str,
    log: Log,
    table: VecDeque<(On, Vec<Act>, Answer)>,
    handle: Handle,
}

/// Where a filter leaves its callbacks for use from outside.
pub(crate) type Handle = Rc<RefCell<Option<FilterCallbacks>>>;

impl Script {
    pub(crate) fn new(name: &'static str, log: Log, table: Table, handle: Handle) -> Self {
        Self { name, log, table: table.into(), handle }
    }

    fn run(&mut self, on: On, callbacks: &FilterCallbacks, mut piece: Option<&mut BodyBuffer>) -> Answer {
        *self.handle.borrow_mut() = Some(callbacks.clone());
        let Some(at) = self.table.iter().position(|(o, ..)| *o == on) else { return Answer::Continue };
        let (_, acts, answer) = self.table.remove(at).unwrap();
        for act in acts {
            match act {
                Act::Continue(direction) => callbacks.continue_iteration(direction),
                Act::Reply(status, body) => callbacks.send_local_reply(reply(status, body)),
                Act::Reset(details) => callbacks.reset_stream(details),
                Act::Add(direction, body) => {
                    let ok = callbacks.add_data(direction, &mut buffer(body), false);
                    self.say(&format!("add {ok}"));
                }
                Act::AddTrailers(direction) => {
                    let ok = callbacks.add_trailers(direction);
                    self.say(&format!("add_trailers {ok}"));
                }
                Act::Accumulate(direction) => {
                    let ok = callbacks.add_data(direction, piece.as_mut().unwrap(), false);
                    let all = text(&callbacks.buffered(direction).unwrap());
                    self.say(&format!("all {all} {ok}"));
                }
                Act::Replace(body) => **piece.as_mut().unwrap() = buffer(body),
                Act::ReplaceBuffer(direction, body) => {
                    *callbacks.buffered(direction).unwrap() = buffer(body);
                }
                Act::SetHeader(direction, name, value) => {
                    callbacks.stream().headers_mut(direction).unwrap().set(name.as_bytes(), value.as_bytes());
                }
                Act::RemoveHeader(direction, name) => {
                    callbacks.stream().headers_mut(direction).unwrap().remove(name.as_bytes());
                }
            }
        }
        answer
    }

    fn say(&self, what: &str) {
        self.log.borrow_mut().push(format!("{}: {what}", self.name));
    }

    fn headers(&mut self, on: On, what: &str, callbacks: &FilterCallbacks, end: bool) -> HeadersStatus {
        self.say(&format!("{what}{}", if end { " end" } else { "" }));
        match self.run(on, callbacks, None) {
            Answer::Continue => HeadersStatus::Continue,
            Answer::Stop => HeadersStatus::StopIteration,
            Answer::StopAllBuffer => HeadersStatus::StopAllIterationAndBuffer,
            Answer::StopAllWatermark => HeadersStatus::StopAllIterationAndWatermark,
            answer => panic!("{answer:?} to headers"),
        }
    }

    fn data(&mut self, on: On, what: &str, cb: &FilterCallbacks, data: &mut BodyBuffer, end: bool) -> DataStatus {
        self.say(&format!("{what} {}{}", text(data), if end { " end" } else { "" }));
        match self.run(on, cb, Some(data)) {
            Answer::Continue => DataStatus::Continue,
            Answer::Buffer => DataStatus::StopIterationAndBuffer,
            Answer::Watermark => DataStatus::StopIterationAndWatermark,
            Answer::NoBuffer => DataStatus::StopIterationNoBuffer,
            answer => panic!("{answer:?} to data"),
        }
    }

    fn trailers(&mut self, on: On, what: &str, callbacks: &FilterCallbacks) -> TrailersStatus {
        self.say(what);
        match self.run(on, callbacks, None) {
            Answer::Continue => TrailersStatus::Continue,
            Answer::Stop => TrailersStatus::StopIteration,
            answer => panic!("{answer:?} to trailers"),
        }
    }
}

impl HttpFilter for Script {
    fn name(&self) -> &str {
        self.name
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        self.headers(On::ReqHeaders, "req headers", callbacks, end_stream)
    }

    fn decode_data(&mut self, callbacks: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.data(On::ReqData, "req data", callbacks, data, end_stream)
    }

    fn decode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        self.trailers(On::ReqTrailers, "req trailers", callbacks)
    }

    fn encode_1xx(&mut self, callbacks: &FilterCallbacks, _: &mut HeaderMap) -> Informational {
        self.say("res 1xx");
        match self.run(On::Res1xx, callbacks, None) {
            Answer::Continue => Informational::Continue,
            _ => Informational::StopIteration,
        }
    }

    fn encode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        self.headers(On::ResHeaders, "res headers", callbacks, end_stream)
    }

    fn encode_data(&mut self, callbacks: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.data(On::ResData, "res data", callbacks, data, end_stream)
    }

    fn encode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        self.trailers(On::ResTrailers, "res trailers", callbacks)
    }

    fn on_log(&mut self, callbacks: &FilterCallbacks) {
        self.say("log");
        self.run(On::Log, callbacks, None);
    }

    fn on_destroy(&mut self, callbacks: &FilterCallbacks) {
        self.say("destroy");
        self.run(On::Destroy, callbacks, None);
    }
}

pub(crate) fn reply(status: u32, body: &str) -> LocalReply {
    LocalReply { status, body: body.into(), details: "scripted".to_owned(), ..LocalReply::default() }
}

pub(crate) fn buffer(body: &str) -> BodyBuffer {
    let mut buffer = BodyBuffer::new();
    buffer.push(bytes::Bytes::copy_from_slice(body.as_bytes()));
    buffer
}

pub(crate) fn text(data: &BodyBuffer) -> String {
    let bytes: Vec<u8> = data.segments().flat_map(|segment| segment.iter().copied()).collect();
    format!("'{}'", String::from_utf8(bytes).unwrap())
}
