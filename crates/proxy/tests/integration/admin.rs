//! The admin interface over its own listener.

use crate::support::{Client, Proxy, Upstream};

#[test]
fn pages_are_served() {
    let proxy = Proxy::to(Upstream::ok().address);
    let mut admin = Client::connect(proxy.server.admin_address().unwrap());
    let ready = admin.get("/ready");
    assert_eq!(
        ready.head,
        "HTTP/1.1 200 OK\ncontent-type: text/plain; charset=UTF-8\ncache-control: no-cache, max-age=0\n\
         x-content-type-options: nosniff\ndate: <date>\nserver: envoy\ntransfer-encoding: chunked"
    );
    assert_eq!(ready.text(), "LIVE\n");
    assert_eq!(admin.get("/listeners").text(), format!("l::{}\n", proxy.address()));
    proxy.client().get("/");
    let stats = admin.get("/stats?filter=downstream_rq_2xx").text();
    assert!(
        stats.contains("http.in.downstream_rq_2xx: 1\n") && stats.contains("listener.l.http.in.downstream_rq_2xx: 1\n"),
        "{stats}"
    );
    assert_eq!(admin.get("/nope").status(), 404);
    assert_eq!(admin.get("/quitquitquit").status(), 405);
    let form = "POST /logging HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
    admin.send(form);
    assert_eq!(admin.response().text(), "active loggers:\n\n");
}

#[test]
fn quitting_ends_the_server() {
    let proxy = Proxy::to(Upstream::ok().address);
    let mut admin = Client::connect(proxy.server.admin_address().unwrap());
    admin.send("POST /quitquitquit HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(admin.response().text(), "OK\n");
    proxy.server.wait().unwrap();
}
