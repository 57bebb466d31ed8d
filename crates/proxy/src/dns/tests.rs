//! The stub resolver beside name servers on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandgate_config::model::{DnsLookupFamily, NameServers};
use sandgate_host::DnsAddress;
use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::message::{Answer, answer, question};
use super::system::{Hosts, ResolvConf};
use super::{Dns, DnsError, Family};

/// A name server that knows a few names, over UDP and TCP at one port.
struct NameServer {
    address: SocketAddr,
    /// What was asked: over what, for which name, and whether for IPv6.
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    async fn start() -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let address = tcp.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
                for reply in replies(&buffer[..length], "udp", &heard) {
                    udp.send_to(&reply, client).await.unwrap();
                }
            }
        });
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut message).await.unwrap();
                for reply in replies(&message, "tcp", &heard) {
                    stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
                    stream.write_all(&reply).await.unwrap();
                }
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn replies(bytes: &[u8], over: &str, asked: &Mutex<Vec<String>>) -> Vec<Vec<u8>> {
    let query = Packet::parse(bytes).unwrap();
    let name = query.questions[0].qname.to_string();
    let v6 = query.questions[0].qtype == QTYPE::TYPE(TYPE::AAAA);
    asked.lock().unwrap().push(format!("{over} {name} {}", if v6 { 6 } else { 4 }));
    let mut reply = query.clone().into_reply();
    let mut add = |name: &'static str, ttl, rdata| {
        reply.answers.push(ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, ttl, rdata));
    };
    let v4 = |last: u32| RData::A(A { address: 0x0a00_0000 + last });
    match (name.as_str(), v6) {
        ("v4.test", false) => {
            add("v4.test", 30, v4(1));
            add("V4.test", 20, v4(2));
            add("other.test", 20, v4(3));
        }
        ("both.test" | "both.domain", false) => {
            add(if name == "both.test" { "both.test" } else { "both.domain" }, 1, v4(9))
        }
        ("both.test", true) => add("both.test", 7, RData::AAAA(AAAA { address: 5 })),
        ("alias.test", false) => {
            add("alias.test", 60, RData::CNAME(CNAME(Name::new_unchecked("b.test"))));
            add("b.test", 5, RData::CNAME(CNAME(Name::new_unchecked("c.test"))));
            add("c.test", 90, v4(4));
        }
        ("loop.test", false) => {
            add("loop.test", 60, RData::CNAME(CNAME(Name::new_unchecked("loop.test"))));
        }
        ("long.test", false) if over == "udp" => reply.set_flags(PacketFlag::TRUNCATION),
        ("long.test", false) => add("long.test", 8, v4(8)),
        ("broken.test", _) => *reply.rcode_mut() = RCODE::ServerFailure,
        ("silent.test", _) => return Vec::new(),
        ("forged.test", false) => {
            add("forged.test", 8, v4(6));
            let mut forged = reply.clone();
            forged.set_id(forged.id().wrapping_add(1));
            let forged = forged.build_bytes_vec().unwrap();
            return vec![b"\xff".to_vec(), forged, reply.build_bytes_vec().unwrap()];
        }
        ("v4.test" | "alias.test" | "loop.test" | "long.test" | "forged.test", true) => {}
        _ => *reply.rcode_mut() = RCODE::NameError,
    }
    vec![reply.build_bytes_vec().unwrap()]
}

fn dns(config: NameServers, system: &str, hosts: &str) -> Dns {
    Dns::with_files(&config, &ResolvConf::parse(system), Hosts::parse(hosts))
}

fn ask(server: &NameServer) -> Dns {
    let config = NameServers { servers: vec![server.address], ..NameServers::default() };
    dns(
        config,
        "search domain other.\noptions ndots:1",
        "127.0.0.7 this.test THIS # that\n::7 this.test\nnonsense that\n",
    )
}

fn address(ip: &str, ttl_s: u32) -> DnsAddress {
    DnsAddress { ip: ip.parse().unwrap(), ttl_s }
}

#[tokio::test]
async fn families_are_asked_for_in_turn() {
    let server = NameServer::start().await;
    let dns = ask(&server);
    let (v4, v6) = ([address("10.0.0.9", 1)], [address("::5", 7)]);
    for (family, found, asked) in [
        (DnsLookupFamily::Auto, &v6[..], &["6"][..]),
        (DnsLookupFamily::V4Preferred, &v4[..], &["4"][..]),
        (DnsLookupFamily::V4Only, &v4[..], &["4"][..]),
        (DnsLookupFamily::V6Only, &v6[..], &["6"][..]),
        (DnsLookupFamily::All, &[v4[0], v6[0]][..], &["4", "6"][..]),
    ] {
        assert_eq!(dns.resolve("both.test", family).await.unwrap(), found, "{family:?}");
        let asked: Vec<_> = asked.iter().map(|of| format!("udp both.test {of}")).collect();
        assert_eq!(server.asked(), asked, "{family:?}");
    }
    let found = dns.resolve("v4.test", DnsLookupFamily::Auto).await.unwrap();
    assert_eq!(found, [address("10.0.0.1", 30), address("10.0.0.2", 20)]);
}

#[tokio::test]
async fn aliases_are_followed() {
    let server = NameServer::start().await;
    let dns = ask(&server);
    assert_eq!(dns.resolve("alias.test", DnsLookupFamily::V4Only).await.unwrap(), [address("10.0.0.4", 5)]);
    assert_eq!(dns.resolve("loop.test", DnsLookupFamily::V4Only).await.unwrap(), []);
}

#[tokio::test]
async fn long_answers_come_over_tcp() {
    let server = NameServer::start().await;
    let found = ask(&server).resolve("long.test", DnsLookupFamily::V4Only).await.unwrap();
    assert_eq!(found, [address("10.0.0.8", 8)]);
    assert_eq!(server.asked(), ["udp long.test 4", "tcp long.test 4"]);
    let config = NameServers { servers: vec![server.address], use_tcp: true, ..NameServers::default() };
    dns(config, "", "").resolve("v4.test", DnsLookupFamily::V4Only).await.unwrap();
    assert_eq!(server.asked(), ["tcp v4.test 4"]);
}

#[tokio::test]
async fn what_is_no_answer_is_waited_out() {
    let server = NameServer::start().await;
    let found = ask(&server).resolve("forged.test", DnsLookupFamily::V4Only).await.unwrap();
    assert_eq!(found, [address("10.0.0.6", 8)]);
}

#[tokio::test]
async fn an_unknown_name_has_no_addresses_and_a_broken_server_no_answer() {
    let server = NameServer::start().await;
    let dns = ask(&server);
    assert_eq!(dns.resolve("none.test", DnsLookupFamily::Auto).await.unwrap(), []);
    server.asked();
    assert_eq!(dns.resolve("broken.test", DnsLookupFamily::V4Only).await, Err(DnsError::Refused(RCODE::ServerFailure)));
    assert_eq!(server.asked().len(), 3);
    for name in ["a b", "a\0b", "\u{e4}.test", &"x".repeat(64)] {
        assert_eq!(dns.resolve(name, DnsLookupFamily::Auto).await, Err(DnsError::BadName), "{name:?}");
    }
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_silent() {
    let (one, two) = (NameServer::start().await, NameServer::start().await);
    let config = NameServers {
        servers: vec![one.address, two.address],
        query_timeout: Some(Duration::from_millis(20)),
        query_tries: Some(2),
        ..NameServers::default()
    };
    let dns = dns(config, "", "");
    assert_eq!(dns.resolve("silent.test", DnsLookupFamily::V6Only).await, Err(DnsError::NoAnswer));
    assert_eq!((one.asked().len(), two.asked().len()), (2, 2));
}

#[tokio::test]
async fn search_domains_count_for_short_names() {
    let server = NameServer::start().await;
    let dns = ask(&server);
    assert_eq!(dns.resolve("both", DnsLookupFamily::V4Only).await.unwrap(), [address("10.0.0.9", 1)]);
    assert_eq!(server.asked(), ["udp both.domain 4"]);
    assert_eq!(dns.resolve("nil.test", DnsLookupFamily::V4Only).await.unwrap(), []);
    assert_eq!(server.asked(), ["udp nil.test 4", "udp nil.test.domain 4", "udp nil.test.other 4"]);
    dns.resolve("both.", DnsLookupFamily::V4Only).await.unwrap();
    assert_eq!(server.asked(), ["udp both 4"]);
    let config = NameServers { servers: vec![server.address], no_search: true, ..NameServers::default() };
    self::dns(config, "search domain", "").resolve("both", DnsLookupFamily::V4Only).await.unwrap();
    assert_eq!(server.asked(), ["udp both 4"]);
}

#[tokio::test]
async fn some_names_need_no_server() {
    let server = NameServer::start().await;
    let dns = ask(&server);
    for (name, family, found) in [
        ("127.0.0.1", DnsLookupFamily::Auto, "127.0.0.1"),
        ("::2", DnsLookupFamily::Auto, "::2"),
        ("localhost", DnsLookupFamily::Auto, "::1"),
        ("a.LocalHost.", DnsLookupFamily::V4Only, "127.0.0.1"),
        ("This", DnsLookupFamily::V4Only, "127.0.0.7"),
        ("this.test", DnsLookupFamily::Auto, "::7"),
    ] {
        assert_eq!(dns.resolve(name, family).await.unwrap(), [address(found, 0)], "{name}");
    }
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn the_systems_configuration_is_read_as_far_as_it_goes() {
    let conf = ResolvConf::parse(
        "# nameserver 1.1.1.1\nnameserver 10.0.0.1 ; first\nnameserver 127.0.0.1:5353\nnameserver [::1]:54\nnameserver ::2\nnameserver x\n\
         domain a.b\nsearch c. d\noptions ndots:3 timeout:1 attempts:99 edns0 timeout:x\nsortlist 1\n",
    );
    let servers: Vec<SocketAddr> =
        ["10.0.0.1:53", "127.0.0.1:5353", "[::1]:54", "[::2]:53"].map(|text| text.parse().unwrap()).into();
    assert_eq!(conf.servers(), servers);
    assert_eq!((conf.search.as_slice(), conf.ndots), (&["c".to_owned(), "d".to_owned()][..], 3));
    assert_eq!((conf.timeout, conf.tries), (Duration::from_secs(1), 5));
    assert_eq!(ResolvConf::parse("").servers(), ["127.0.0.1:53".parse::<SocketAddr>().unwrap()]);

    let other =
        NameServers { servers: vec!["1.2.3.4:5".parse().unwrap()], as_fallback: true, ..NameServers::default() };
    assert_eq!(Dns::with_files(&other, &conf, Hosts::default()).servers, servers);
    assert_eq!(Dns::with_files(&other, &ResolvConf::parse(""), Hosts::default()).servers, other.servers);
}

#[test]
fn bytes_of_any_kind_are_no_answer() {
    let mut question = question(7, "a.test", Family::V4).unwrap();
    assert_eq!(answer(&question, 7, "a.test", Family::V4), None);
    question[2] |= 0x80;
    assert_eq!(answer(&question, 7, "A.test", Family::V4), Some(Answer::Addresses(Vec::new())));
    assert_eq!(answer(&question, 8, "a.test", Family::V4), None);
    assert_eq!(answer(&question, 7, "a.test", Family::V6), None);
    assert_eq!(answer(&question, 7, "b.test", Family::V4), None);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let mut bytes = question.clone();
        bytes.extend((0..random.usize(..40)).map(|_| random.u8(..)));
        for _ in 0..random.usize(..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = *random.choice(&[0, 1, 5, 12, 0xc0, 0xff, random.clone().u8(..)]).unwrap();
        }
        bytes.truncate(random.usize(..=bytes.len()));
        let _ = answer(&bytes, 7, "a.test", Family::V4);
    }
    let ip: IpAddr = "10.0.0.1".parse().unwrap();
    assert!(Family::V4.is_of(ip) && !Family::V6.is_of(ip));
}
