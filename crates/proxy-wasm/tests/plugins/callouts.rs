//! Answers go to the contexts that asked.

use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use sandgate_abi::Callback;

use crate::recorder::NUMBER;
use crate::vms::{TestVm, vm};

fn say(line: &str) {
    hostcalls::log(LogLevel::Info, line).unwrap();
}

/// Asks over HTTP, by a gRPC call, or over a gRPC stream, as the end of the stream and the number of headers say.
mod caller {
    use super::*;

    proxy_wasm::main! {{ proxy_wasm::set_http_context(|id, _| Box::new(Caller(id))); }}

    struct Caller(u32);

    impl Context for Caller {
        fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
            say(&format!("{}: http {token} {headers} {body} {trailers}", self.0));
        }
        fn on_grpc_call_response(&mut self, token: u32, status: u32, size: usize) {
            say(&format!("{}: call {token} {status} {size}", self.0));
        }
        fn on_grpc_stream_initial_metadata(&mut self, token: u32, count: u32) {
            say(&format!("{}: initial {token} {count}", self.0));
        }
        fn on_grpc_stream_message(&mut self, token: u32, size: usize) {
            say(&format!("{}: message {token} {size}", self.0));
        }
        fn on_grpc_stream_trailing_metadata(&mut self, token: u32, count: u32) {
            say(&format!("{}: trailing {token} {count}", self.0));
        }
        fn on_grpc_stream_close(&mut self, token: u32, status: u32) {
            say(&format!("{}: close {token} {status}", self.0));
        }
    }

    impl HttpContext for Caller {
        fn on_http_request_headers(&mut self, kind: usize, _: bool) -> Action {
            match kind {
                0 => self.dispatch_http_call("c", vec![], None, vec![], Duration::ZERO).unwrap(),
                1 => self.dispatch_grpc_call("c", "s", "m", vec![], None, Duration::ZERO).unwrap(),
                _ => self.open_grpc_stream("c", "s", "m", vec![]).unwrap(),
            };
            Action::Pause
        }
    }
}

/// Contexts 2 and 3, of which 3 has asked.
fn asking(kind: u32) -> TestVm {
    let mut vm = vm(&proxy_wasm::plugins![caller], "caller");
    vm.create(2, 1);
    vm.create(3, 1);
    let asked = vm.call(Callback::RequestHeaders { context: 3, count: kind, end_of_stream: false });
    assert_eq!(asked, Ok(Some(1)));
    vm.asked();
    vm
}

fn answer() -> Callback {
    Callback::HttpCallResponse { root: 1, token: NUMBER, headers: 4, body_size: 5, trailers: 6 }
}

#[test]
fn an_http_answer_goes_to_the_context_that_asked() {
    let mut vm = asking(0);
    vm.call(answer()).unwrap();
    assert_eq!(vm.asked(), ["set_effective_context(3)", &format!("log(Info, 3: http {NUMBER} 4 5 6)")]);
    let again = vm.call(answer()).unwrap_err().to_string();
    assert!(again.ends_with("invalid token_id"), "{again}");
}

#[test]
fn an_answer_to_a_context_that_is_gone_is_dropped() {
    let mut vm = asking(0);
    vm.call(Callback::Delete { context: 3 }).unwrap();
    assert_eq!(vm.call(answer()), Ok(None));
    assert!(vm.asked().is_empty());
}

#[test]
fn a_grpc_call_is_answered_once() {
    let mut vm = asking(1);
    vm.call(Callback::GrpcReceive { root: 1, token: NUMBER, size: 9 }).unwrap();
    assert_eq!(vm.asked(), ["set_effective_context(3)", &format!("log(Info, 3: call {NUMBER} 0 9)")]);
    vm.call(Callback::GrpcClose { root: 1, token: NUMBER, status: 0 }).unwrap();
    let stray = format!("log(Trace, an answer for token {NUMBER}, which is no gRPC call or stream)");
    assert_eq!(vm.asked(), [stray], "its end comes with its message");
}

#[test]
fn a_grpc_call_that_fails_says_so() {
    let mut vm = asking(1);
    vm.call(Callback::GrpcClose { root: 1, token: NUMBER, status: 14 }).unwrap();
    assert_eq!(vm.asked(), ["set_effective_context(3)", &format!("log(Info, 3: call {NUMBER} 14 0)")]);
}

#[test]
fn a_grpc_stream_goes_on_until_it_is_closed() {
    let mut vm = asking(2);
    let token = NUMBER;
    vm.call(Callback::GrpcReceiveInitialMetadata { root: 1, token, count: 1 }).unwrap();
    vm.call(Callback::GrpcReceive { root: 1, token, size: 2 }).unwrap();
    vm.call(Callback::GrpcReceive { root: 1, token, size: 3 }).unwrap();
    vm.call(Callback::GrpcReceiveTrailingMetadata { root: 1, token, count: 4 }).unwrap();
    vm.call(Callback::GrpcClose { root: 1, token, status: 5 }).unwrap();
    let said: Vec<_> = vm.asked().into_iter().filter(|call| call.starts_with("log")).collect();
    let expected = ["initial", "message", "message", "trailing", "close"].into_iter().zip([1, 2, 3, 4, 5]);
    assert_eq!(said, expected.map(|(what, n)| format!("log(Info, 3: {what} {token} {n})")).collect::<Vec<_>>());
    vm.call(Callback::GrpcReceive { root: 1, token, size: 2 }).unwrap();
    assert!(vm.asked()[0].starts_with("log(Trace, "));
}

/// TCP contexts, made by the root.
mod tcp {
    use super::*;

    proxy_wasm::main! {{ proxy_wasm::set_root_context(|_| Box::new(Root)); }}

    struct Root;
    struct Connection(u32);

    impl Context for Root {}
    impl RootContext for Root {
        fn create_stream_context(&self, id: u32) -> Option<Box<dyn StreamContext>> {
            Some(Box::new(Connection(id)))
        }
        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::StreamContext)
        }
    }

    impl Context for Connection {
        fn on_done(&mut self) -> bool {
            false
        }
    }
    impl StreamContext for Connection {
        fn on_new_connection(&mut self) -> Action {
            say(&format!("{}: connected", self.0));
            Action::Continue
        }
        fn on_downstream_data(&mut self, size: usize, end: bool) -> Action {
            say(&format!("{}: {size} {end}", self.0));
            Action::Pause
        }
        fn on_upstream_close(&mut self, peer: proxy_wasm::types::PeerType) {
            say(&format!("{}: {peer:?}", self.0));
        }
        fn on_log(&mut self) {
            say(&format!("{}: log", self.0));
        }
    }
}

#[test]
fn connections_have_contexts_of_their_own_kind() {
    let mut vm = vm(&proxy_wasm::plugins!["other name" => tcp], "other name");
    vm.create(2, 1);
    assert_eq!(vm.call(Callback::NewConnection { context: 2 }), Ok(Some(0)));
    assert_eq!(vm.call(Callback::DownstreamData { context: 2, size: 8, end_of_stream: true }), Ok(Some(1)));
    assert_eq!(vm.call(Callback::UpstreamConnectionClose { context: 2, peer: 2 }), Ok(None));
    assert_eq!(vm.call(Callback::Done { context: 2 }), Ok(Some(0)));
    assert_eq!(vm.call(Callback::Log { context: 2 }), Ok(None));
    let said = ["connected", "8 true", "Remote", "log"].map(|what| format!("log(Info, 2: {what})"));
    assert_eq!(vm.asked(), said);
    let request = vm.call(Callback::RequestHeaders { context: 2, count: 0, end_of_stream: true });
    assert!(request.unwrap_err().to_string().ends_with("invalid context_id 2"), "not an HTTP stream");
}
