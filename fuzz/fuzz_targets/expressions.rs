#![no_main]

use std::cell::{Ref, RefCell};

use libfuzzer_sys::fuzz_target;
use sandgate_attributes::{AttributeSource, View};
use sandgate_expression::{Activation, Environment, Expression};
use sandgate_http::{HeaderMap, HeaderMapKind};

struct Request(RefCell<HeaderMap>);

impl AttributeSource for Request {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        Some(self.0.borrow())
    }
}

// An expression, of a plugin or of a filter, is refused with a reason, or ends with a value or a reason; twice with the same one.
fuzz_target!(|input: (&[u8], &[u8])| {
    let (text, header) = input;
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
    for name in [":path", ":authority", "x"] {
        headers.append(name.as_bytes(), header);
    }
    let request = Request(RefCell::new(headers));
    for environment in [Environment::plugins(), Environment::filters()] {
        let expression = match Expression::parse(text, &environment) {
            Ok(expression) => expression,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        let activation = Activation::stream(View::all(&request));
        let bytes = || {
            let mut out = Vec::new();
            expression.evaluate(&activation).map(|value| value.serialize(&mut out)).map(|serialized| (serialized, out))
        };
        assert_eq!(bytes(), bytes());
    }
});
