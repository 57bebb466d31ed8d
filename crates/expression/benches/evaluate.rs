//! What an expression costs: compiled once, evaluated over a request's attributes.
//!
//! `cargo bench -p sandgate-expression`. Prints nanoseconds, the best of several rounds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may stop at the first surprise")]

use std::cell::{Ref, RefCell};
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use sandgate_attributes::{AttributeSource, View};
use sandgate_expression::{Activation, Environment, Expression, Value};
use sandgate_http::{HeaderMap, HeaderMapKind};

const ROUNDS: usize = 15;
const EVALUATIONS: u32 = 20_000;
const EXPRESSIONS: [(&str, &str); 4] = [
    ("one attribute", "request.method == 'GET'"),
    (
        "four clauses",
        "request.method == 'GET' && request.path.startsWith('/api/') && 'x-user' in request.headers && source.port > 1024",
    ),
    (
        "four clauses, a pattern and a list",
        "request.host.matches('^[a-z]+[.]example$') && request.headers['x-user'] in ['a', 'b', 'c'] && request.protocol == 'HTTP/1.1' && response.code != 200",
    ),
    ("a fold of ten", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(x, x < 11)"),
];

struct Request(RefCell<HeaderMap>, SocketAddr);

impl AttributeSource for Request {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        Some(self.0.borrow())
    }

    fn protocol(&self) -> Option<&'static str> {
        Some("HTTP/1.1")
    }

    fn response_code(&self) -> Option<u32> {
        Some(404)
    }

    fn downstream_remote_address(&self) -> Option<SocketAddr> {
        Some(self.1)
    }
}

fn main() {
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
    for (name, value) in [
        (":authority", "bench.example"),
        (":path", "/api/things?id=7"),
        (":method", "GET"),
        ("user-agent", "bench/1.0"),
        ("accept", "*/*"),
        ("x-user", "c"),
    ] {
        headers.append(name.as_bytes(), value.as_bytes());
    }
    let request = Request(RefCell::new(headers), SocketAddr::from(([127, 0, 0, 1], 40_000)));
    let environment = Environment::plugins();
    for (name, text) in EXPRESSIONS {
        let compile = best(1000, || drop(black_box(Expression::parse(text.as_bytes(), &environment))));
        let expression = Expression::parse(text.as_bytes(), &environment).unwrap_or_else(|error| panic!("{error}"));
        let evaluate = best(EVALUATIONS, || {
            let value = expression.evaluate(&Activation::stream(View::all(&request)));
            assert!(matches!(black_box(value), Ok(Value::Bool(true))), "{text}");
        });
        println!("{name:>36} {evaluate:>6.0} ns, compiled in {compile:>7.0} ns");
    }
}

fn best(times: u32, mut action: impl FnMut()) -> f64 {
    let round = |_| {
        let begun = Instant::now();
        (0..times).for_each(|_| action());
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
