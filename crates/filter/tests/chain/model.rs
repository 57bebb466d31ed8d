//! Random chains and random traffic: nothing of a body is lost, doubled, reordered or led past a filter, and every stream
//! ends; also when filters reply, reset and overflow at random.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use sandgate_filter::{
    ConnectionInfo, DecodeEvent, EncodeEvent, FilterCallbacks, FilterManager, HttpFilter, Stream, StreamOptions,
};
use sandgate_http::{BodyBuffer, DataStatus, Direction, HeadersStatus, TrailersStatus};

use crate::harness::{REQ, RES, map};
use crate::script::{buffer, reply, text};

/// A small generator with a seed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

type Shared = Rc<RefCell<World>>;

struct World {
    random: Random,
    /// Filters that have stopped a direction and owe a continue.
    stopped: Vec<(FilterCallbacks, Direction)>,
    /// A callback runs: no other may begin.
    inside: bool,
    /// Filters reply and reset at random, and buffers are small.
    violent: bool,
}

/// Stops at random, and accumulates as a Wasm filter does. Takes nothing away.
struct Moody {
    world: Shared,
    seen: Rc<RefCell<[Seen; 2]>>,
}

#[derive(Default)]
struct Seen {
    headers: bool,
    trailers: bool,
    end: bool,
    buffering: bool,
    body: String,
}

impl Moody {
    fn call<T>(&mut self, cb: &FilterCallbacks, run: impl FnOnce(&mut Self, &mut World) -> T) -> T {
        let world = Rc::clone(&self.world);
        assert!(!std::mem::replace(&mut world.borrow_mut().inside, true), "a filter on top of another");
        let result = run(self, &mut world.borrow_mut());
        world.borrow_mut().disturb(cb);
        world.borrow_mut().inside = false;
        result
    }

    fn headers(&mut self, cb: &FilterCallbacks, direction: Direction, end: bool) -> HeadersStatus {
        self.call(cb, |filter, world| {
            let seen = &mut filter.seen.borrow_mut()[direction as usize];
            assert!(!std::mem::replace(&mut seen.headers, true), "headers twice");
            seen.end = end;
            let answer = match world.random.below(8) {
                0 => HeadersStatus::StopIteration,
                1 => HeadersStatus::StopAllIterationAndBuffer,
                2 => HeadersStatus::StopAllIterationAndWatermark,
                _ => return HeadersStatus::Continue,
            };
            world.owe(cb, direction);
            answer
        })
    }

    fn data(&mut self, cb: &FilterCallbacks, direction: Direction, data: &mut BodyBuffer, end: bool) -> DataStatus {
        self.call(cb, |filter, world| {
            let seen = &mut filter.seen.borrow_mut()[direction as usize];
            assert!(seen.headers && !seen.trailers && !seen.end, "data out of order");
            seen.end = end;
            seen.body.push_str(text(data).trim_matches('\''));
            if seen.buffering {
                assert!(cb.add_data(direction, data, false) || world.violent);
            }
            seen.buffering = false;
            match world.random.below(8) {
                0 => {
                    seen.buffering = true;
                    world.owe(cb, direction);
                    DataStatus::StopIterationAndBuffer
                }
                1 => {
                    world.owe(cb, direction);
                    DataStatus::StopIterationAndWatermark
                }
                2 if end => {
                    cb.add_trailers(direction);
                    DataStatus::Continue
                }
                3 => {
                    cb.continue_iteration(direction);
                    DataStatus::Continue
                }
                _ => DataStatus::Continue,
            }
        })
    }

    fn trailers(&mut self, cb: &FilterCallbacks, direction: Direction) -> TrailersStatus {
        self.call(cb, |filter, world| {
            let seen = &mut filter.seen.borrow_mut()[direction as usize];
            assert!(seen.headers && !std::mem::replace(&mut seen.trailers, true), "trailers out of order");
            if world.random.below(4) > 0 {
                return TrailersStatus::Continue;
            }
            world.owe(cb, direction);
            TrailersStatus::StopIteration
        })
    }
}

impl World {
    fn disturb(&mut self, callbacks: &FilterCallbacks) {
        match self.random.below(60) {
            0 if self.violent => callbacks.send_local_reply(reply(500, "reply")),
            1 if self.violent => callbacks.reset_stream("violence"),
            _ => {}
        }
    }

    fn owe(&mut self, callbacks: &FilterCallbacks, direction: Direction) {
        self.stopped.push((callbacks.clone(), direction));
        if self.random.below(6) == 0 {
            callbacks.continue_iteration(direction);
        }
        if self.random.below(6) == 0 {
            callbacks.continue_iteration(if direction == REQ { RES } else { REQ });
        }
    }
}

impl HttpFilter for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn decode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        self.headers(callbacks, REQ, end_stream)
    }

    fn decode_data(&mut self, callbacks: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.data(callbacks, REQ, data, end_stream)
    }

    fn decode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        self.trailers(callbacks, REQ)
    }

    fn encode_headers(&mut self, callbacks: &FilterCallbacks, end_stream: bool) -> HeadersStatus {
        self.headers(callbacks, RES, end_stream)
    }

    fn encode_data(&mut self, callbacks: &FilterCallbacks, data: &mut BodyBuffer, end_stream: bool) -> DataStatus {
        self.data(callbacks, RES, data, end_stream)
    }

    fn encode_trailers(&mut self, callbacks: &FilterCallbacks) -> TrailersStatus {
        self.trailers(callbacks, RES)
    }
}

/// What a far end has received.
#[derive(Default)]
struct Received {
    headers: bool,
    body: String,
    ended: bool,
    reset: bool,
}

impl Received {
    fn take(&mut self, part: Part) {
        assert!(!self.ended, "something after the end");
        match part {
            Part::Headers(end) => {
                assert!(!std::mem::replace(&mut self.headers, true));
                self.ended = end;
            }
            Part::Data(data, end) => {
                assert!(self.headers);
                self.body.push_str(text(&data).trim_matches('\''));
                self.ended = end;
            }
            Part::Trailers => {
                assert!(self.headers);
                self.ended = true;
            }
        }
    }
}

enum Part {
    Headers(bool),
    Data(BodyBuffer, bool),
    Trailers,
}

fn drain(manager: &mut FilterManager, up: &mut Received, down: &mut Received) {
    while let Some(event) = manager.next_decode_event() {
        up.take(match event {
            DecodeEvent::Headers { end_stream } => Part::Headers(end_stream),
            DecodeEvent::Data { data, end_stream } => Part::Data(data, end_stream),
            DecodeEvent::Trailers => Part::Trailers,
        });
    }
    while let Some(event) = manager.next_encode_event() {
        down.take(match event {
            EncodeEvent::Headers { end_stream } => Part::Headers(end_stream),
            EncodeEvent::Data { data, end_stream } => Part::Data(data, end_stream),
            EncodeEvent::Trailers => Part::Trailers,
            EncodeEvent::Reset => {
                down.reset = true;
                continue;
            }
            other => panic!("{other:?}"),
        });
        assert!(!down.reset, "something after a reset");
    }
}

fn release_one(world: &Shared, manager: &mut FilterManager) -> bool {
    let owed = {
        let mut world = world.borrow_mut();
        let count = world.stopped.len() as u64;
        if count == 0 {
            return false;
        }
        let at = usize::try_from(world.random.below(count)).unwrap();
        world.stopped.swap_remove(at)
    };
    owed.0.continue_iteration(owed.1);
    manager.run_pending();
    true
}

/// A stream and what has come out of it.
struct Exchange {
    world: Shared,
    manager: FilterManager,
    seen: Vec<Rc<RefCell<[Seen; 2]>>>,
    up: Received,
    down: Received,
}

impl Exchange {
    fn new(seed: u64, violent: bool) -> Self {
        let world = World { random: Random(seed), stopped: Vec::new(), inside: false, violent };
        let world = Rc::new(RefCell::new(world));
        let count = world.borrow_mut().random.below(5);
        let options = StreamOptions {
            buffer_limit: if violent { 5 } else { 0 },
            protocol: None,
            start_time: SystemTime::UNIX_EPOCH,
            start: Instant::now(),
        };
        let stream = Stream::new(ConnectionInfo::default().shared(), &options);
        let seen: Vec<Rc<RefCell<[Seen; 2]>>> = (0..count).map(|_| Rc::default()).collect();
        let filters = seen
            .iter()
            .map(|seen| Box::new(Moody { world: Rc::clone(&world), seen: Rc::clone(seen) }) as Box<dyn HttpFilter>);
        let manager = FilterManager::new(stream, filters.collect::<Vec<_>>());
        Self { world, manager, seen, up: Received::default(), down: Received::default() }
    }

    /// Sends one direction of random shape and releases every filter; what was sent.
    fn send(&mut self, direction: Direction) -> String {
        let (pieces, shape) = {
            let random = &mut self.world.borrow_mut().random;
            (random.below(5), random.below(3))
        };
        // Headers only, an end on the last piece, or trailers.
        let headers_only = pieces == 0 && shape == 0;
        match direction {
            REQ => {
                self.manager.stream().set_headers(REQ, map(&[(":path", "/")]));
                self.manager.decode_headers(headers_only);
            }
            RES => self.manager.encode_headers(map(&[(":status", "200")]), headers_only),
        }
        let mut sent = String::new();
        for piece in 0..pieces {
            let body = format!("{piece};");
            sent.push_str(&body);
            let end = piece + 1 == pieces && shape < 2;
            match direction {
                REQ => self.manager.decode_data(buffer(&body), end),
                RES => self.manager.encode_data(buffer(&body), end),
            }
            if self.world.borrow_mut().random.below(3) == 0 {
                self.release_one();
            }
            self.drain();
        }
        if !headers_only && (pieces == 0 || shape == 2) {
            match direction {
                REQ => self.manager.decode_trailers(map(&[("t", "1")])),
                RES => self.manager.encode_trailers(map(&[("t", "1")])),
            }
        }
        while self.release_one() {
            self.drain();
        }
        self.drain();
        sent
    }

    fn release_one(&mut self) -> bool {
        release_one(&self.world, &mut self.manager)
    }

    fn drain(&mut self) {
        drain(&mut self.manager, &mut self.up, &mut self.down);
    }
}

#[test]
fn random_chains_lose_nothing_and_end() {
    for seed in 0..10_000 {
        let mut exchange = Exchange::new(seed, false);
        for direction in [REQ, RES] {
            let sent = exchange.send(direction);
            let Exchange { manager, seen, up, down, .. } = &exchange;
            let received = if direction == REQ { up } else { down };
            assert_eq!(received.body, sent, "seed {seed}, {direction:?}: {manager:?}");
            assert!(received.ended, "seed {seed}, {direction:?} has not ended: {manager:?}");
            for seen in seen {
                let seen = &seen.borrow()[direction as usize];
                assert_eq!(seen.body, sent, "seed {seed}, {direction:?}: went past a filter: {manager:?}");
            }
        }
    }
}

/// Bodies of local replies: the filters', and those of overflows.
const REPLIES: [&str; 3] = ["reply", "Payload Too Large", "Internal Server Error"];

#[test]
fn random_violence_ends_every_stream_and_corrupts_nothing() {
    let (mut resets, mut replies) = (0, 0);
    for seed in 0..10_000 {
        let mut exchange = Exchange::new(seed, true);
        let request = exchange.send(REQ);
        let response = exchange.send(RES);
        // What a connection manager does with a stream that has waited too long.
        exchange.manager.local_reply(reply(504, "reply"));
        exchange.drain();
        let Exchange { manager, up, down, .. } = &exchange;
        assert!(request.starts_with(&up.body), "seed {seed}: {manager:?}");
        assert!(response.starts_with(&down.body) || REPLIES.contains(&&*down.body), "seed {seed}: {}", down.body);
        assert!(down.ended || down.reset, "seed {seed}: {manager:?}");
        assert!(manager.encode_complete());
        resets += usize::from(down.reset);
        replies += usize::from(!down.body.is_empty() && !response.starts_with(&down.body));
    }
    assert!(resets > 100 && replies > 100, "{resets} resets and {replies} replies are too few to prove anything");
}
