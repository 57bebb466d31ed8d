#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::lifecycle::ServerState;
use crate::stats::HttpStats;

fn context() -> AdminContext {
    AdminContext::new(StatsStore::new(), Arc::default())
}

fn get(context: &AdminContext, path: &str) -> AdminResponse {
    respond(context, b"GET", path.as_bytes())
}

#[test]
fn ready_follows_the_state() {
    let context = context();
    assert_eq!((get(&context, "/ready").status, &*get(&context, "/ready").body), (503, "PRE_INITIALIZING\n"));
    context.lifecycle.set(ServerState::Live);
    assert_eq!((get(&context, "/ready").status, &*get(&context, "/ready").body), (200, "LIVE\n"));
    context.lifecycle.set(ServerState::Draining);
    assert_eq!((get(&context, "/ready").status, &*get(&context, "/ready").body), (503, "DRAINING\n"));
}

#[test]
fn listeners_are_listed_as_text_and_json() {
    let context = context();
    context.add_listener("main", "127.0.0.1:8000".parse().unwrap());
    context.add_listener("six", "[::1]:8001".parse().unwrap());
    assert_eq!(get(&context, "/listeners").body, "main::127.0.0.1:8000\nsix::[::1]:8001\n");
    let answer = get(&context, "/listeners?format=json");
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer.content_type, JSON);
    assert_eq!(json["listener_statuses"][1]["local_address"]["socket_address"]["address"], "::1");
    assert!(answer.body.starts_with("{\n \"listener_statuses\": [\n  {\n   \"name\": \"main\","));
}

#[tokio::test]
async fn quitting_wants_post() {
    let context = context();
    let refused = get(&context, "/quitquitquit");
    assert_eq!((refused.status, &*refused.body), (405, "Method GET not allowed, POST required."));
    assert_eq!(respond(&context, b"POST", b"/quitquitquit").body, "OK\n");
    context.lifecycle.quit_requested().await;
}

#[test]
fn an_unknown_path_gets_the_list_of_pages() {
    let answer = get(&context(), "/nope?x");
    assert_eq!(answer.status, 404);
    assert!(answer.body.starts_with("invalid path. admin commands are:\n  /help: "));
    assert!(answer.body.contains("\n  /quitquitquit (POST): exit the server\n"));
}

#[test]
fn stats_are_filtered_by_a_decoded_expression() {
    let context = context();
    let http = HttpStats::new(&context.stats, "in");
    http.downstream_rq_total().inc();
    assert_eq!(get(&context, "/stats?filter=rq_total%24&usedonly").body, "http.in.downstream_rq_total: 1\n");
    assert_eq!(get(&context, "/stats?filter=%5B").status, 400);
    assert_eq!(get(&context, "/stats?format=json&filter=cx_idle").content_type, JSON);
}

#[test]
fn server_info_is_json_with_the_state() {
    let context = context();
    context.lifecycle.set(ServerState::Live);
    let json: serde_json::Value = serde_json::from_str(&get(&context, "/server_info").body).unwrap();
    assert_eq!(json["state"], "LIVE");
}
