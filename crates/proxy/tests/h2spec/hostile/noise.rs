//! Conversations with mistakes by chance: the same ones in each run.

use std::net::Shutdown;

use crate::connection::{Connection, PREFACE, get, never, post};
use crate::frame::{
    END_HEADERS, END_STREAM, WHOLE, code, continuation, data, frame, go_away, headers, ping, priority, rst_stream,
    setting, settings, window_update,
};
use crate::hpack::block;
use crate::target::{CONFIG, Proxy};

/// Numbers by chance.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn stream(&mut self) -> u32 {
        u32::try_from(self.below(12)).unwrap()
    }

    fn any_frame(&mut self) -> Vec<u8> {
        let stream = self.stream();
        let flags = u8::try_from(self.below(256)).unwrap();
        match self.below(14) {
            0 => headers(stream, WHOLE, block(get())),
            1 => headers(stream, END_HEADERS, block(post())),
            2 => headers(stream, WHOLE, never()),
            3 => headers(stream, flags, block(get())),
            4 => data(stream, 0, "data"),
            5 => data(stream, END_STREAM, "data"),
            6 => rst_stream(stream, code::CANCEL),
            7 => window_update(stream, 1000),
            8 => settings(&[(setting::INITIAL_WINDOW_SIZE, u32::try_from(self.below(70_000)).unwrap())]),
            9 => ping(flags, [0; 8]),
            10 => priority(stream, self.stream(), true, 3),
            11 => continuation(stream, END_HEADERS, block(get())),
            12 => go_away(stream, code::NO_ERROR, b"x"),
            _ => frame(u8::try_from(self.below(12)).unwrap(), flags, stream, &[7; 20][..self.below(20)]),
        }
    }
}

/// Each conversation ends with the client's end; afterwards nothing is left.
fn endured(conversations: impl Iterator<Item = Vec<u8>>) {
    let proxy = Proxy::new(CONFIG);
    for bytes in conversations {
        let mut client = Connection::raw(proxy.address());
        client.send(bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        client.expect_closed();
    }
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn frames_in_any_order() {
    let mut random = Random(1);
    endured((0..300).map(|_| {
        let count = 1 + random.below(30);
        let frames: Vec<_> = (0..count).flat_map(|_| random.any_frame()).collect();
        [PREFACE, &settings(&[]), &frames].concat()
    }));
}

#[test]
fn frames_with_flipped_bytes() {
    let mut random = Random(2);
    endured((0..300).map(|_| {
        let mut bytes = [settings(&[]), headers(1, END_HEADERS, block(post())), data(1, END_STREAM, "data")].concat();
        bytes.extend(headers(3, WHOLE, block(get())));
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        [PREFACE, &bytes].concat()
    }));
}
