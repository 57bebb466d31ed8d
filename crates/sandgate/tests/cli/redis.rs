//! A client of Redis and Debian's `redis-server`, through the TCP proxy with a plugin in front that counts commands; and a value of a
//! gigabyte.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _, copy, sink};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Server, free_ports, poll, request};

/// A Redis server that keeps nothing; killed when dropped.
struct Redis(Child);

/// A client, as Redis' own ones are.
struct Client(BufReader<TcpStream>);

// === impl Redis ===

impl Redis {
    /// Nothing where there is no such program: the gate installs it.
    fn start(port: u16) -> Option<Self> {
        let port_text = port.to_string();
        let arguments = ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let child = Command::new("redis-server").args(arguments).stdout(Stdio::null()).spawn().ok()?;
        poll("Redis to answer", || Client::connect(port).is_some_and(|mut client| client.ask(&[b"PING"]) == b"PONG"));
        Some(Self(child))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// === impl Client ===

impl Client {
    fn connect(port: u16) -> Option<Self> {
        TcpStream::connect(("127.0.0.1", port)).ok().map(|stream| Self(BufReader::new(stream)))
    }

    fn send(&mut self, command: &[&[u8]]) {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            bytes.extend(format!("${}\r\n", word.len()).into_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&bytes).unwrap();
    }

    /// A status, a number, or a string; an error with its sign.
    fn receive(&mut self) -> Vec<u8> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if let Some(length) = line.strip_prefix('$') {
            let mut string = vec![0; length.parse::<usize>().unwrap() + 2];
            self.0.read_exact(&mut string).unwrap();
            string.truncate(string.len() - 2);
            return string;
        }
        line.strip_prefix(['+', ':']).unwrap_or(line).into()
    }

    fn ask(&mut self, command: &[&[u8]]) -> Vec<u8> {
        self.send(command);
        self.receive()
    }
}

fn config(port: u16, redis: u16, admin: u16) -> String {
    format!(
        r#"
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: count
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm
          config:
            name: redis
            vm_config: {{code: {{local: {{filename: plugins/redis/redis.wasm}}}}}}
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: redis
          cluster: redis
  clusters:
  - name: redis
    type: STATIC
    load_assignment: {{cluster_name: redis, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {redis}}}}}}}}}]}}]}}
"#
    )
}

#[test]
fn a_plugin_counts_what_clients_ask_of_redis() {
    let [port, redis_port, admin] = free_ports();
    let Some(_redis) = Redis::start(redis_port) else { return };
    let _server = Server::start(&config(port, redis_port, admin), admin, &[]);
    let mut client = Client::connect(port).unwrap();
    assert_eq!(client.ask(&[b"PING"]), b"PONG");
    // Larger than what is read at once, and with a command in it that is none.
    let value = b"*1\r\n$4\r\nPING\r\n".repeat(40_000);
    assert_eq!(client.ask(&[b"SET", b"key", &value]), b"OK");
    assert_eq!(client.ask(&[b"get", b"key"]), value);
    // Many at once.
    (0..100).for_each(|_| client.send(&[b"INCR", b"count"]));
    let answers: Vec<_> = (0..100).map(|_| client.receive()).collect();
    assert_eq!(answers.last().map(Vec::as_slice), Some(&b"100"[..]));
    let mut other = Client::connect(port).unwrap();
    assert_eq!(other.ask(&[b"GET", b"count"]), b"100");
    assert!(other.ask(&[b"NOSUCH"]).starts_with(b"-ERR"));

    let counted = |name: &str, count: u32| {
        let line = format!("wasmcustom.{name}: {count}\n");
        poll(&line, || {
            let stats = request(admin, "GET /stats?filter=wasmcustom HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            stats.is_some_and(|stats| stats.contains(&line))
        });
    };
    counted("redis_commands", 105);
    counted("redis_commands_incr", 100);
    counted("redis_commands_get", 2);
    counted("redis_commands_set", 1);
    counted("redis_commands_ping", 1);
    counted("redis_commands_nosuch", 1);
}

/// What the server has in memory, in KiB.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn a_gigabyte_passes_a_plugin_without_staying() {
    const SIZE: u64 = 1 << 30;
    let [port, admin] = free_ports();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(&config(port, upstream.local_addr().unwrap().port(), admin), admin, &[]);
    let receiving = std::thread::spawn(move || {
        let (mut stream, _) = upstream.accept().unwrap();
        copy(&mut stream, &mut sink()).unwrap()
    });
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${SIZE}\r\n");
    client.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    client.write_all(&piece).unwrap();
    let before = resident(&server);
    (1..SIZE / piece.len() as u64).for_each(|_| client.write_all(&piece).unwrap());
    client.write_all(b"\r\n").unwrap();
    drop(client);
    assert_eq!(receiving.join().unwrap(), head.len() as u64 + SIZE + 2);
    // The kernel counts by thread, and only about: what has not grown may seem less.
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more than after the first megabyte");
}
