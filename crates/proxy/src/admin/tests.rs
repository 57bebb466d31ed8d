#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::sync::Mutex;

use super::*;
use crate::lifecycle::ServerState;
use crate::stats::HttpStats;

fn context() -> AdminContext {
    AdminContext::new(StatsStore::new(), Arc::default())
}

fn post(context: &AdminContext, path: &str) -> AdminResponse {
    respond(context, AdminRequest { method: b"POST", path: path.as_bytes(), ..AdminRequest::default() })
}

fn get(context: &AdminContext, path: &str) -> AdminResponse {
    respond(context, AdminRequest { method: b"GET", path: path.as_bytes(), ..AdminRequest::default() })
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
    assert_eq!(post(&context, "/quitquitquit").body, "OK\n");
    context.lifecycle.quit_requested().await;
}

#[test]
fn an_unknown_path_gets_the_list_of_pages() {
    let answer = get(&context(), "/nope?x");
    assert_eq!(answer.status, 404);
    assert!(answer.body.starts_with("invalid path. admin commands are:\n  /: Admin home page\n"));
    assert!(answer.body.contains("\n  /quitquitquit (POST): exit the server\n"));
}

#[test]
fn every_page_answers() {
    let context = context();
    for page in pages::PAGES {
        let answer = post(&context, page.path);
        assert!(matches!(answer.status, 200 | 400 | 501 | 503), "{} {}", page.path, answer.status);
        assert_eq!(get(&context, page.path).status == 405, page.mutates, "{}", page.path);
        let sorted = pages::PAGES.iter().filter(|other| other.path <= page.path).count();
        assert_eq!(
            pages::PAGES.iter().position(|other| other.path == page.path),
            sorted.checked_sub(1),
            "{}",
            page.path
        );
    }
    assert!(get(&context, "/").body.contains("<a href='/server_info'>server_info</a>"));
}

#[test]
fn a_drain_is_told_to_the_server() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut context = context();
    let ears = Arc::clone(&told);
    context.act = Box::new(move |action| ears.lock().unwrap().push(action));
    post(&context, "/drain_listeners");
    post(&context, "/drain_listeners?graceful&inboundonly=x");
    let form = AdminRequest {
        method: b"POST",
        path: b"/drain_listeners",
        content_type: b"application/x-www-form-urlencoded",
        body: b"skip_exit=1",
    };
    assert_eq!(respond(&context, form).body, "OK\n");
    let (all, inbound) = (DrainDirection::All, DrainDirection::InboundOnly);
    assert_eq!(
        *told.lock().unwrap(),
        [
            AdminAction::Drain { direction: all, graceful: false, stop: true },
            AdminAction::Drain { direction: inbound, graceful: true, stop: true },
            AdminAction::Drain { direction: all, graceful: false, stop: false },
        ]
    );
}

#[test]
fn a_failed_health_check_can_be_taken_back() {
    let context = context();
    context.lifecycle.set(ServerState::Live);
    post(&context, "/healthcheck/fail");
    assert_eq!((get(&context, "/ready").status, context.lifecycle.health_check_failed()), (503, true));
    post(&context, "/healthcheck/ok");
    assert_eq!(get(&context, "/ready").status, 200);
}

#[test]
fn runtime_values_are_set_and_shown() {
    let mut context = context();
    assert_eq!(post(&context, "/runtime_modify?a=1").body, "No admin layer specified");
    let layers = vec![sandgate_config::model::RuntimeLayer::default()];
    context.runtime = Arc::new(Runtime::new(&sandgate_config::model::LayeredRuntime { layers }));
    assert_eq!(post(&context, "/runtime_modify").status, 400);
    assert_eq!(post(&context, "/runtime_modify?a=1&a=2&b=x+y").body, "OK\n");
    let json: serde_json::Value = serde_json::from_str(&get(&context, "/runtime").body).unwrap();
    assert_eq!(json["entries"]["a"]["final_value"], "1");
    assert_eq!(json["entries"]["b"]["layer_values"][0], "x+y");
    assert_eq!(json["layers"][0], "");
}

#[test]
fn paths_may_be_forbidden() {
    let mut context = context();
    let exact = |text: &str| sandgate_config::model::StringMatcher {
        pattern: sandgate_config::model::StringPattern::Exact(text.to_owned()),
        ignore_case: false,
    };
    context.allow_paths = vec![StringMatcher::new(&exact("/help")), StringMatcher::new(&exact("/certs?a"))];
    assert_eq!([get(&context, "/help").status, get(&context, "/certs?a").status], [200, 200]);
    let refused = get(&context, "/help?x");
    assert_eq!((refused.status, &*refused.body), (403, "request to path /help?x not allowed"));
    assert_eq!([get(&context, "/nope").status, get(&context, "/").status], [403, 403]);
}

/// Two loggers.
#[derive(Default)]
struct Loggers(Mutex<[String; 2]>);

impl LogControl for Loggers {
    fn loggers(&self) -> Vec<(&'static str, &'static str)> {
        let levels = self.0.lock().unwrap();
        let known = |index: usize| ["info", "debug"].into_iter().find(|level| *level == levels[index]).unwrap_or("off");
        vec![("a", known(0)), ("b", known(1))]
    }

    fn is_level(&self, level: &str) -> bool {
        ["info", "debug", "off"].contains(&level)
    }

    fn set(&self, logger: Option<&str>, level: &str) {
        let mut levels = self.0.lock().unwrap();
        for (index, name) in ["a", "b"].into_iter().enumerate() {
            if logger.is_none_or(|wanted| wanted == name) {
                levels[index] = level.to_owned();
            }
        }
    }
}

#[test]
fn levels_change_all_or_none() {
    let mut context = context();
    context.logging = Some(Arc::new(Loggers::default()));
    assert_eq!(post(&context, "/logging?level=info").body, "active loggers:\n  a: info\n  b: info\n\n");
    for (query, error) in [
        ("level=loud", "unknown logger level"),
        ("a=debug&b=debug", "invalid number of parameters"),
        ("c=debug", "unknown logger name"),
        ("paths=a:debug,c:debug", "unknown logger name"),
        ("paths=a:debug,b", "empty logger name or empty logger level"),
        ("group=a:debug", "group parameter requires fine-grain logging to be enabled"),
    ] {
        let answer = post(&context, &format!("/logging?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(
            answer.body.starts_with(&format!("error: {error}\n\nusage: /logging?<name>=")),
            "{query}: {}",
            answer.body
        );
        assert!(answer.body.ends_with("active loggers:\n  a: info\n  b: info\n\n"), "{query}: {}", answer.body);
    }
    assert_eq!(post(&context, "/logging?b=debug").body, "active loggers:\n  a: info\n  b: debug\n\n");
    assert_eq!(post(&context, "/logging?paths=a:debug,b:off").body, "active loggers:\n  a: debug\n  b: off\n\n");
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
