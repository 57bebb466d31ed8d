//! A chain of scripted filters with both its ends.

use std::rc::Rc;
use std::time::{Instant, SystemTime};

use sandgate_filter::{
    ConnectionInfo, DecodeEvent, EncodeEvent, FilterCallbacks, FilterManager, HttpFilter, Stream, StreamOptions,
};
use sandgate_http::{Direction, HeaderMap};

use crate::script::{Act, Answer, Handle, Log, On, Script, Table, buffer, text};

pub(crate) const REQ: Direction = Direction::Request;
pub(crate) const RES: Direction = Direction::Response;

pub(crate) struct Chain {
    pub(crate) manager: FilterManager,
    log: Log,
    handles: Vec<Handle>,
}

/// One line of a table without acts.
pub(crate) fn on(on: On, answer: Answer) -> (On, Vec<Act>, Answer) {
    (on, Vec::new(), answer)
}

/// A chain of filters `a`, `b`, … in the order of the configuration; buffer limit 100 bytes.
pub(crate) fn chain(tables: Vec<Table>) -> Chain {
    chain_with_limit(100, tables)
}

pub(crate) fn chain_with_limit(buffer_limit: usize, tables: Vec<Table>) -> Chain {
    let options = StreamOptions {
        buffer_limit,
        protocol: Some("HTTP/1.1"),
        start_time: SystemTime::UNIX_EPOCH,
        start: Instant::now(),
    };
    chain_over(Stream::new(ConnectionInfo::default().shared(), &options), tables)
}

/// A chain over a stream that is there.
pub(crate) fn chain_over(stream: Rc<Stream>, tables: Vec<Table>) -> Chain {
    let log = Log::default();
    let mut handles = Vec::new();
    let filters: Vec<Box<dyn HttpFilter>> = tables
        .into_iter()
        .zip(["a", "b", "c", "d", "e", "f"])
        .map(|(table, name)| {
            let handle = Handle::default();
            handles.push(handle.clone());
            Box::new(Script::new(name, log.clone(), table, handle)) as Box<dyn HttpFilter>
        })
        .collect();
    Chain { manager: FilterManager::new(stream, filters), log, handles }
}

pub(crate) fn map(headers: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.as_bytes(), value.as_bytes());
    }
    map
}

impl Chain {
    pub(crate) fn req_headers(&mut self, end: bool) {
        self.req_headers_with(&[(":method", "POST"), (":path", "/")], end);
    }

    pub(crate) fn req_headers_with(&mut self, headers: &[(&str, &str)], end: bool) {
        self.manager.stream().set_headers(REQ, map(headers));
        self.manager.decode_headers(end);
    }

    pub(crate) fn req_data(&mut self, body: &str, end: bool) {
        self.manager.decode_data(buffer(body), end);
    }

    pub(crate) fn req_trailers(&mut self) {
        self.manager.decode_trailers(map(&[("t", "1")]));
    }

    pub(crate) fn res_headers(&mut self, end: bool) {
        self.manager.encode_headers(map(&[(":status", "200")]), end);
    }

    pub(crate) fn res_data(&mut self, body: &str, end: bool) {
        self.manager.encode_data(buffer(body), end);
    }

    pub(crate) fn res_trailers(&mut self) {
        self.manager.encode_trailers(map(&[("t", "1")]));
    }

    /// Headers, body and trailers of either direction, by name, so that a test can run over both.
    pub(crate) fn headers(&mut self, direction: Direction, end: bool) {
        match direction {
            REQ => self.req_headers(end),
            RES => self.res_headers(end),
        }
    }

    pub(crate) fn data(&mut self, direction: Direction, body: &str, end: bool) {
        match direction {
            REQ => self.req_data(body, end),
            RES => self.res_data(body, end),
        }
    }

    pub(crate) fn trailers(&mut self, direction: Direction) {
        match direction {
            REQ => self.req_trailers(),
            RES => self.res_trailers(),
        }
    }

    /// What came out at the far end of a direction since this was last asked.
    pub(crate) fn out(&mut self, direction: Direction) -> Vec<String> {
        match direction {
            REQ => self.up(),
            RES => self.down(),
        }
    }

    /// What came out for the router since this was last asked.
    pub(crate) fn up(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.manager.next_decode_event())
            .map(|event| match event {
                DecodeEvent::Headers { end_stream } => format!("headers{}", end(end_stream)),
                DecodeEvent::Data { data, end_stream } => format!("data {}{}", text(&data), end(end_stream)),
                DecodeEvent::Trailers => "trailers".to_owned(),
            })
            .collect()
    }

    /// What came out for the codec since this was last asked.
    pub(crate) fn down(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.manager.next_encode_event())
            .map(|event| match event {
                EncodeEvent::Informational(_) => "1xx".to_owned(),
                EncodeEvent::Headers { end_stream } => format!("headers{}", end(end_stream)),
                EncodeEvent::Data { data, end_stream } => format!("data {}{}", text(&data), end(end_stream)),
                EncodeEvent::Trailers => "trailers".to_owned(),
                EncodeEvent::Reset => "reset".to_owned(),
            })
            .collect()
    }

    /// What the filters saw since this was last asked.
    pub(crate) fn log(&mut self) -> Vec<String> {
        self.log.take()
    }

    /// The log itself, which outlives the chain.
    pub(crate) fn shared_log(&self) -> Log {
        self.log.clone()
    }

    /// A filter's callbacks, used from outside; what it asks for is done at once.
    pub(crate) fn outside(&mut self, filter: usize, act: impl FnOnce(&FilterCallbacks)) {
        let callbacks = self.handles[filter].borrow().clone().expect("called before");
        act(&callbacks);
        self.manager.run_pending();
    }

    /// The response headers as `name: value` lines.
    pub(crate) fn response(&self) -> Vec<String> {
        let stream = self.manager.stream();
        let headers = stream.headers(RES).expect("a response");
        headers.iter().map(|(n, v)| format!("{}: {}", n.escape_ascii(), v.escape_ascii())).collect()
    }

    pub(crate) fn details(&self) -> String {
        self.manager.stream().info().response_code_details.clone().unwrap_or_default()
    }
}

fn end(end_stream: bool) -> &'static str {
    if end_stream { " end" } else { "" }
}

/// The name of a filter's callback in a direction.
pub(crate) fn on_headers(direction: Direction) -> On {
    if direction == REQ { On::ReqHeaders } else { On::ResHeaders }
}

pub(crate) fn on_data(direction: Direction) -> On {
    if direction == REQ { On::ReqData } else { On::ResData }
}

pub(crate) fn on_trailers(direction: Direction) -> On {
    if direction == REQ { On::ReqTrailers } else { On::ResTrailers }
}

/// Runs a test for the request and then for the response.
pub(crate) fn both(test: impl Fn(Direction)) {
    test(REQ);
    test(RES);
}

/// Tables in the order in which `direction` runs through them.
pub(crate) fn directed(direction: Direction, mut tables: Vec<Table>) -> Chain {
    if direction == RES {
        tables.reverse();
    }
    let mut chain = chain(tables);
    if direction == RES {
        chain.req_headers(true);
        chain.up();
        chain.log();
    }
    chain
}

/// The log with `req `/`res ` and the filters' names as places in the order of the direction: `1: headers end`.
pub(crate) fn seen(chain: &mut Chain, direction: Direction) -> Vec<String> {
    let count = chain.handles.len();
    chain
        .log()
        .iter()
        .map(|line| {
            let (name, what) = line.split_once(": ").unwrap();
            let index = usize::from(name.as_bytes()[0] - b'a');
            let place = if direction == REQ { index } else { count - 1 - index };
            format!("{}: {}", place + 1, what.trim_start_matches("req ").trim_start_matches("res "))
        })
        .collect()
}

/// The filter's index in the configuration from its place (from 1) in the order of the direction.
pub(crate) fn index_of(chain: &Chain, direction: Direction, place: usize) -> usize {
    if direction == REQ { place - 1 } else { chain.handles.len() - place }
}
