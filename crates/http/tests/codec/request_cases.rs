//! Requests, and what the decoder says to them.

use crate::messages::{BAD, BOTH, CONTROL, Case, ENCODING, MANY};

const GET: &str = "[:authority h.com][:path /][:method GET]";
const POST: &str = "[:authority h.com][:path /][:method POST]";
const URL: &str = "400 http1.invalid_url";
const AUTHORITY: &str = "400 http.invalid_authority";
const LOW: &str = "426 low_version";
const LARGE: &str = "431 http1.headers_too_large";
const NOMINATED: &str = "400 http1.connection_header_rejected";

fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A request with these header lines behind `Host`.
fn get(lines: &[u8]) -> Vec<u8> {
    bytes(&[b"GET / HTTP/1.1\r\nHost: h.com\r\n", lines, b"\r\n"])
}

fn post(lines: &[u8], body: &[u8]) -> Vec<u8> {
    bytes(&[b"POST / HTTP/1.1\r\nHost: h.com\r\n", lines, b"\r\n", body])
}

fn chunked(body: &[u8]) -> Vec<u8> {
    post(b"Transfer-Encoding: chunked\r\n", body)
}

fn target(target: &[u8]) -> Vec<u8> {
    bytes(&[b"GET ", target, b" HTTP/1.1\r\nHost: h.com\r\n\r\n"])
}

fn line(line: &[u8]) -> Vec<u8> {
    bytes(&[line, b"\r\nHost: h.com\r\n\r\n"])
}

fn ok(rest: &str) -> String {
    format!("{GET}{rest} end")
}

fn with_body(head: &str, rest: &str, body: &str) -> String {
    format!("{head}{rest}\ndata {body}\nend")
}

fn hi(rest: &str) -> String {
    with_body(POST, rest, "hi")
}

/// The request cases of the table of measured differences, by their names there.
pub(crate) fn table_requests() -> Vec<Case> {
    let te = "[transfer-encoding chunked]";
    let many = (0..100).map(|i| format!("x{i}: a\r\n")).collect::<String>();
    let long = |n: usize| bytes(&[b"X: ", &vec![b'a'; n], b"\r\n"]);
    vec![
        ("basic", get(b""), ok("")),
        (
            "case+order",
            bytes(&[b"GET / HTTP/1.1\r\nX-B: 1\r\nHost: h.com\r\nX-A: 2\r\nx-b: 3\r\n\r\n"]),
            ok("[x-b 1][x-a 2][x-b 3]"),
        ),
        ("CL+TE", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), BOTH.into()),
        ("TE then CL", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"), BOTH.into()),
        ("TE: xchunked", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), ENCODING.into()),
        ("TE: gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), ENCODING.into()),
        ("TE: chunked, identity", post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), ENCODING.into()),
        ("TE : chunked (space)", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), BAD.into()),
        (
            "TE twice",
            post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
            ENCODING.into(),
        ),
        ("TE on 1.0", bytes(&[b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]), LOW.into()),
        ("CL dup same", post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"hi"), BAD.into()),
        ("CL dup diff", post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"hi"), BAD.into()),
        ("CL list 2, 2", post(b"Content-Length: 2, 2\r\n", b"hi"), BAD.into()),
        ("CL +2", post(b"Content-Length: +2\r\n", b"hi"), BAD.into()),
        ("chunk ext", chunked(b"2;a=b\r\nhi\r\n0\r\n\r\n"), hi(te)),
        ("chunk bare LF", chunked(b"2\nhi\n0\n\n"), format!("{POST}{te}\n{BAD}")),
        ("chunk size 0x2", chunked(b"0x2\r\nhi\r\n0\r\n\r\n"), format!("{POST}{te}\n{BAD}")),
        ("req trailers", chunked(b"2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n"), hi(te)),
        ("bare LF head", b"GET / HTTP/1.1\nHost: h.com\nX-A: 1\n\n".to_vec(), ok("[x-a 1]")),
        ("obs-fold", get(b"X-F: a\r\n b\r\nX-G: 1\r\n"), ok("[x-f a b][x-g 1]")),
        ("space in name", get(b"X A: 1\r\n"), BAD.into()),
        ("underscore name", get(b"x_a: 1\r\n"), ok("[x_a 1]")),
        ("NUL in value", get(b"x: a\0b\r\n"), CONTROL.into()),
        ("CR in value", get(b"x: a\rb\r\n"), ok("[x ab]")),
        ("ctl \\x01 in value", get(b"x: a\x01b\r\n"), CONTROL.into()),
        ("obs-text \\xff", get(b"x: a\xff\r\n"), ok("[x a\\xff]")),
        // 400 from the connection manager.
        ("no Host", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "[:path /][:method GET] end".into()),
        (
            "two Hosts",
            b"GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\nHost: b\r\n\r\n".to_vec(),
            "[:authority a,b][:path /][:method GET][x 1] end".into(),
        ),
        (
            "absolute URI",
            target(b"http://u.com/p?q"),
            "[:authority u.com][:scheme http][:path /p?q][:method GET] end".into(),
        ),
        // 400 from the connection manager.
        ("path fragment", target(b"/a#b"), "[:authority h.com][:path /a#b][:method GET] end".into()),
        (
            "path odd chars",
            target(b"/a<b>\"{}|\\^`[]"),
            "[:authority h.com][:path /a<b>\\\"{}|\\\\^`[]][:method GET] end".into(),
        ),
        ("path non-ascii", target(b"/a\x80"), BAD.into()),
        ("path //a/../b%2f", target(b"//a/../b%2f"), "[:authority h.com][:path //a/../b%2f][:method GET] end".into()),
        // 404 from the connection manager.
        ("path *", line(b"OPTIONS * HTTP/1.1"), "[:authority h.com][:path *][:method OPTIONS] end".into()),
        ("method FOO", line(b"FOO / HTTP/1.1"), BAD.into()),
        ("lower get", line(b"get / HTTP/1.1"), BAD.into()),
        ("HTTP/1.0", line(b"GET / HTTP/1.0"), LOW.into()),
        ("HTTP/1.2", line(b"GET / HTTP/1.2"), LOW.into()),
        ("HTTP/2.0", line(b"GET / HTTP/2.0"), LOW.into()),
        ("leading CRLF", line(b"\r\n\r\nGET / HTTP/1.1"), ok("")),
        ("two spaces", line(b"GET  /  HTTP/1.1"), ok("")),
        ("60KB hdr", get(&long(60_000)), ok(&format!("[x {}]", "a".repeat(60_000)))),
        ("70KB hdr", get(&long(70_000)), LARGE.into()),
        ("101 hdrs", get(many.as_bytes()), MANY.into()),
        ("GET body", bytes(&[&get(b"Content-Length: 2\r\n"), b"hi"]), with_body(GET, "[content-length 2]", "hi")),
        (
            "Expect 100",
            post(b"Content-Length: 2\r\nExpect: 100-continue\r\n", b""),
            format!("{POST}[content-length 2][expect 100-continue] expect\n…"),
        ),
        ("Expect foo", post(b"Content-Length: 2\r\nExpect: foo\r\n", b"hi"), hi("[content-length 2][expect foo]")),
        ("pipeline x2", [get(b""), get(b"x: 2\r\n")].concat(), format!("{}\n{}", ok(""), ok("[x 2]"))),
        ("Connection: X-H", get(b"Connection: X-H\r\nX-H: 1\r\nX-I: 2\r\n"), ok("[connection X-H][x-i 2]")),
        // 403 from the connection manager.
        (
            "Upgrade ws",
            get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
            format!("{GET}[connection Upgrade][upgrade websocket] upgrade\n…"),
        ),
        ("Upgrade h2c", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"), ok("")),
        // 404 from the router.
        (
            "CONNECT",
            b"CONNECT h.com:80 HTTP/1.1\r\nHost: x\r\n\r\nabc".to_vec(),
            "[:authority h.com:80][:method CONNECT] upgrade\ndata abc\n…".into(),
        ),
    ]
}

/// More requests, each observed in the same way.
pub(crate) fn more_requests() -> Vec<Case> {
    let te = "[transfer-encoding chunked]";
    let after_head = format!("{POST}{te}\n{BAD}");
    let after_body = format!("{POST}{te}\ndata hi\n{BAD}");
    let url =
        |authority: &str, path: &str| format!("[:authority {authority}][:scheme http][:path {path}][:method GET] end");
    let host = |value: &[u8]| bytes(&[b"GET / HTTP/1.1\r\nHost: ", value, b"\r\n\r\n"]);
    vec![
        ("TE in capitals", chunked_as(b"Chunked"), hi("[transfer-encoding Chunked]")),
        ("TE between tabs", chunked_as(b"\tchunked\t"), hi(te)),
        ("TE folded", chunked_as(b"\r\n chunked"), hi(te)),
        // Envoy takes this for a request without a body.
        ("TE with CR", chunked_as(b"chu\rnked"), BAD.into()),
        ("TE empty", chunked_as(b""), ENCODING.into()),
        ("TE identity", chunked_as(b"identity"), ENCODING.into()),
        ("TE with parameter", chunked_as(b"chunked;a"), ENCODING.into()),
        ("TE quoted", chunked_as(b"\"chunked\""), ENCODING.into()),
        ("TE with comma", chunked_as(b"chunked,"), ENCODING.into()),
        ("TE empty and CL", post(b"Transfer-Encoding: \r\nContent-Length: 2\r\n", b"hi"), BOTH.into()),
        ("TE on GET", get(b"Transfer-Encoding: gzip\r\n"), ENCODING.into()),
        ("CL negative", post(b"Content-Length: -2\r\n", b"hi"), BAD.into()),
        ("CL empty", post(b"Content-Length: \r\n", b"hi"), BAD.into()),
        ("CL and empty CL", post(b"Content-Length: 2\r\nContent-Length: \r\n", b"hi"), BAD.into()),
        ("CL with letter", post(b"Content-Length: 2a\r\n", b"hi"), BAD.into()),
        ("CL two words", post(b"Content-Length: 2 2\r\n", b"hi"), BAD.into()),
        ("CL folded", post(b"Content-Length:\r\n 2\r\n", b"hi"), hi("[content-length 2]")),
        ("CL with CR", post(b"Content-Length: 2\r2\r\n", b"hi"), BAD.into()),
        ("CL leading zero", post(b"Content-Length: 02\r\n", b"hi"), hi("[content-length 02]")),
        ("CL padded", post(b"Content-Length: 2 \t\r\n", b"hi"), hi("[content-length 2]")),
        ("CL zero", post(b"Content-Length: 0\r\n", b""), format!("{POST}[content-length 0] end")),
        ("CL over 64 bits", post(b"Content-Length: 18446744073709551616\r\n", b"hi"), BAD.into()),
        (
            "CL of 64 bits",
            post(b"Content-Length: 18446744073709551615\r\n", b"hi"),
            format!("{POST}[content-length 18446744073709551615]\ndata hi\n…"),
        ),
        ("chunk size padded", chunked(b"2 \t\r\nhi\r\n0\r\n\r\n"), hi(te)),
        ("chunk size indented", chunked(b" 2\r\nhi\r\n0\r\n\r\n"), after_head.clone()),
        ("chunk size missing", chunked(b"\r\nhi\r\n0\r\n\r\n"), after_head.clone()),
        ("chunk size no digit", chunked(b"g\r\nhi\r\n0\r\n\r\n"), after_head.clone()),
        ("chunk size two words", chunked(b"2 3\r\nhi\r\n0\r\n\r\n"), hi(te)),
        ("chunk size leading zeros", chunked(b"0000000000000000000002\r\nhi\r\n000\r\n\r\n"), hi(te)),
        ("chunk size capitals", chunked(b"A\r\n0123456789\r\n0\r\n\r\n"), with_body(POST, te, "0123456789")),
        ("chunk size over 64 bits", chunked(b"10000000000000000\r\nhi"), after_head.clone()),
        ("chunk size of 64 bits", chunked(b"ffffffffffffffff\r\nhi"), format!("{POST}{te}\ndata hi\n…")),
        ("chunk ext any bytes", chunked(b"2;a\0\xff\r\nhi\r\n0\r\n\r\n"), hi(te)),
        ("chunk ext bare LF", chunked(b"2;a\nhi\r\n0\r\n\r\n"), after_head.clone()),
        ("chunk ext CR", chunked(b"2;a\rb\r\nhi\r\n0\r\n\r\n"), after_head.clone()),
        ("chunk size two CR", chunked(b"2\r\r\nhi\r\n0\r\n\r\n"), after_head),
        // Envoy skips whatever stands between a chunk's data and the next line feed.
        ("chunk data bare LF", chunked(b"2\r\nhi\n0\r\n\r\n"), after_body.clone()),
        ("chunk data longer", chunked(b"2\r\nhix\r\n0\r\n\r\n"), after_body.clone()),
        ("chunk last bare LF", chunked(b"2\r\nhi\r\n0\n\r\n"), after_body.clone()),
        ("chunk end bare LF", chunked(b"2\r\nhi\r\n0\r\n\n"), hi(te)),
        ("trailer bad name", chunked(b"2\r\nhi\r\n0\r\nX T: 1\r\n\r\n"), after_body.clone()),
        ("trailer no colon", chunked(b"2\r\nhi\r\n0\r\nXT\r\n\r\n"), after_body),
        ("trailer NUL", chunked(b"2\r\nhi\r\n0\r\nXT: a\0b\r\n\r\n"), format!("{POST}{te}\ndata hi\n{CONTROL}")),
        ("trailer bare LF", chunked(b"2\r\nhi\r\n0\r\nXT: 1\n\n"), hi(te)),
        (
            "pipelined behind chunks",
            [chunked(b"2\r\nhi\r\n0\r\n\r\n"), get(b"")].concat(),
            format!("{}\n{}", hi(te), ok("")),
        ),
        (
            "pipelined behind an empty line",
            [post(b"Content-Length: 2\r\n", b"hi\r\n\r\n"), get(b"")].concat(),
            format!("{}\n{}", hi("[content-length 2]"), ok("")),
        ),
        ("pipelined junk", [get(b""), b"\0\0".to_vec()].concat(), format!("{}\n{BAD}", ok(""))),
        (
            "pipelined preface",
            [get(b""), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()].concat(),
            format!("{}\n{BAD}", ok("")),
        ),
        ("obs-fold tab", get(b"X-F: a\r\n\t  b\r\n"), ok("[x-f a\\t  b]")),
        ("obs-fold twice", get(b"X-F: a  \r\n b\r\n  c \r\n"), ok("[x-f a   b  c]")),
        ("obs-fold of nothing", get(b"X-F:\r\n b\r\n"), ok("[x-f b]")),
        ("obs-fold blank", get(b"X-F: a\r\n \r\nX-G: 1\r\n"), ok("[x-f a][x-g 1]")),
        ("obs-fold first", line(b"GET / HTTP/1.1\r\n X: a"), BAD.into()),
        ("name and tab", get(b"XA\t: 1\r\n"), BAD.into()),
        ("name missing", get(b": v\r\n"), BAD.into()),
        ("no colon", get(b"XA\r\n"), BAD.into()),
        ("name with colon first", get(b":path: /x\r\n"), BAD.into()),
        ("name of all kinds", get(b"!#$%&'*+-.^_`|~9a: 1\r\n"), ok("[!#$%&\\'*+-.^_`|~9a 1]")),
        ("name with parenthesis", get(b"x(a: 1\r\n"), BAD.into()),
        ("name with \\xff", get(b"x\xffa: 1\r\n"), BAD.into()),
        ("name with CR", get(b"x\ra: 1\r\n"), BAD.into()),
        ("name with NUL", get(b"x\0a: 1\r\n"), CONTROL.into()),
        ("name with DEL", get(b"x\x7fa: 1\r\n"), CONTROL.into()),
        ("value DEL", get(b"x: a\x7fb\r\n"), CONTROL.into()),
        ("value form feed", get(b"x: a\x0c\r\n"), CONTROL.into()),
        ("value tab", get(b"x: a\tb\r\n"), ok("[x a\\tb]")),
        ("value padded", get(b"x:  \t a \t \r\n"), ok("[x a]")),
        ("value empty", get(b"x:\r\n"), ok("[x ]")),
        ("value CR at its end", get(b"x: a\r\r\n"), ok("[x a]")),
        ("value CR at its start", get(b"x: \ra\r\n"), ok("[x a]")),
        ("value CR and space", get(b"x: a\r b\r\n"), ok("[x a b]")),
        ("value CR twice", get(b"x: a\r\rb\r\n"), ok("[x ab]")),
        ("value CR before fold", get(b"x: a\r\r\n b\r\n"), ok("[x a b]")),
        ("line of CR", get(b"\r\r\nx: 1\r\n"), BAD.into()),
        ("empty line of LF", b"GET / HTTP/1.1\r\nHost: h.com\r\n\n".to_vec(), ok("")),
        ("inline header twice", get(b"Accept: a\r\nx: 1\r\nAccept: b\r\n"), ok("[accept a,b][x 1]")),
        ("inline header empty first", get(b"X-Forwarded-For: \r\nx-forwarded-for: b\r\n"), ok("[x-forwarded-for b]")),
        ("inline header empty second", get(b"X-Forwarded-For: b\r\nx-forwarded-for: \r\n"), ok("[x-forwarded-for b]")),
        ("cookie twice", get(b"Cookie: a=1\r\nx: 1\r\nCookie: b=2\r\n"), ok("[cookie a=1][x 1][cookie b=2]")),
        ("Host empty", host(b""), "[:authority ][:path /][:method GET] end".into()),
        (
            "Host of all kinds",
            host(b"A!$&'()*+,;=%-._~:@[]"),
            "[:authority A!$&\\'()*+,;=%-._~:@[]][:path /][:method GET] end".into(),
        ),
        ("Host with space", host(b"a b"), AUTHORITY.into()),
        ("Host with slash", host(b"a/b"), AUTHORITY.into()),
        ("Host with \\xff", host(b"a\xff"), AUTHORITY.into()),
        ("Host with ?", host(b"a?b"), AUTHORITY.into()),
        ("Host with #", host(b"a#b"), AUTHORITY.into()),
        ("Host with \\", host(b"a\\b"), AUTHORITY.into()),
        ("Host with |", host(b"a|b"), AUTHORITY.into()),
        (
            "absolute without Host",
            b"GET http://u.com/p HTTP/1.1\r\nx: 1\r\n\r\n".to_vec(),
            "[:authority u.com][:scheme http][:path /p][:method GET][x 1] end".into(),
        ),
        ("absolute without path", target(b"http://u.com"), url("u.com", "/")),
        ("absolute with query only", target(b"http://u.com?a=b"), url("u.com", "?a=b")),
        ("absolute in capitals", target(b"HTTP://U.com/P"), url("U.com", "/P")),
        ("absolute with user", target(b"http://a:b@u.com/P"), url("u.com", "/P")),
        ("absolute with two @", target(b"http://a@b@u.com/P"), URL.into()),
        ("absolute with port", target(b"http://u.com:080/P"), url("u.com:080", "/P")),
        ("absolute with fragment", target(b"http://u.com/P#f"), url("u.com", "/P#f")),
        ("absolute IPv6", target(b"http://[fe80::1]:8/P"), url("[fe80::1]:8", "/P")),
        ("absolute IPv6 open", target(b"http://[::1/P"), URL.into()),
        ("absolute IPv6 junk", target(b"http://[::1]x/P"), URL.into()),
        ("absolute port letter", target(b"http://u.com:8a/P"), URL.into()),
        ("absolute port large", target(b"http://u.com:65536/P"), URL.into()),
        ("absolute port missing", target(b"http://u.com:/P"), URL.into()),
        ("absolute host missing", target(b"http:///P"), URL.into()),
        ("absolute host underscore", target(b"http://a_b/P"), URL.into()),
        ("absolute host quote", target(b"http://a\"b/P"), BAD.into()),
        ("absolute ftp", target(b"ftp://u.com/P"), "400 http1.invalid_scheme".into()),
        ("absolute https", target(b"HTTPS://u.com"), url("u.com", "/").replace("http]", "https]")),
        ("target relative", target(b"foo"), BAD.into()),
        ("target scheme only", target(b"http:/a"), BAD.into()),
        ("target scheme digit", target(b"1http://a/"), BAD.into()),
        ("target * for GET", target(b"*"), URL.into()),
        ("target \\x01", target(b"/\x01"), CONTROL.into()),
        ("target DEL", target(b"/\x7f"), CONTROL.into()),
        ("target with space", target(b"/a b"), BAD.into()),
        ("target with CR", target(b"/a\rb"), BAD.into()),
        ("words by tabs", line(b"GET\t/\tHTTP/1.1"), ok("")),
        ("words by CR", line(b"GET\r /\r HTTP/1.1\r"), ok("")),
        ("line ends with space", line(b"GET / HTTP/1.1 \t"), ok("")),
        ("line begins with space", line(b" GET / HTTP/1.1"), BAD.into()),
        ("line begins with LF", line(b"\n\nGET / HTTP/1.1"), ok("")),
        ("line begins with CR", line(b"\rGET / HTTP/1.1"), ok("")),
        ("no version", line(b"GET /"), LOW.into()),
        ("no target", line(b"GET HTTP/1.1"), BAD.into()),
        ("no words", line(b"GET"), BAD.into()),
        ("version 0.9", line(b"GET / HTTP/0.9"), LOW.into()),
        ("version 1.10", line(b"GET / HTTP/1.10"), BAD.into()),
        ("version 1", line(b"GET / HTTP/1"), BAD.into()),
        ("version in small letters", line(b"GET / http/1.1"), BAD.into()),
        ("version of another", line(b"GET / HTTX/1.1"), BAD.into()),
        ("TLS", b"\x16\x03\x01\x02".to_vec(), BAD.into()),
        ("line is refused before the head ends", b"FOO / HTTP/1.1\r\n".to_vec(), BAD.into()),
        (
            "Expect in capitals",
            post(b"Expect: 100-Continue\r\n", b""),
            format!("{POST}[expect 100-Continue] end expect"),
        ),
        (
            "Connection close",
            get(b"Connection: x, Close\r\nKeep-Alive: 5\r\n"),
            ok("[connection x, Close][keep-alive 5]") + " close",
        ),
        ("Connection close in a word", get(b"Connection: x;close\r\n"), ok("[connection x;close]")),
        ("Proxy-Connection close", get(b"Proxy-Connection: close\r\n"), ok("[proxy-connection close]") + " close"),
        ("Connection nominates 10", get(b"Connection: a,b,c,d,e,f,g,h,i,j\r\n"), NOMINATED.into()),
        (
            "Connection nominates 9",
            get(b"Connection: a,b,c,d,e,f,g,h,i\r\ni: 1\r\n"),
            ok("[connection a,b,c,d,e,f,g,h,i]"),
        ),
        ("Connection nominates pseudo", get(b"Connection: :path\r\n"), NOMINATED.into()),
        ("Connection nominates XFF", get(b"Connection: X-Forwarded-For\r\n"), NOMINATED.into()),
        ("Connection nominates XFP", get(b"Connection: X-Forwarded-Proto\r\n"), NOMINATED.into()),
        ("Connection nominates XFH", get(b"Connection: X-Forwarded-Host\r\n"), NOMINATED.into()),
        (
            "Connection nominates Host",
            get(b"Connection: host\r\n"),
            "[:path /][:method GET][connection host] end".into(),
        ),
        (
            "Connection nominates CL",
            post(b"Connection: Content-Length\r\nContent-Length: 2\r\n", b"hi"),
            hi("[connection Content-Length]"),
        ),
        (
            "Connection twice",
            get(b"Connection: x-a\r\nConnection: x-b\r\nx-a: 1\r\nx-b: 2\r\n"),
            ok("[connection x-a,x-b]"),
        ),
        (
            "Connection nominates TE",
            get(b"Connection: TE\r\nTE: gzip, trailers\r\n"),
            ok("[connection TE][te trailers]"),
        ),
        ("Connection nominates useless TE", get(b"Connection: TE\r\nTE: gzip\r\n"), ok("[connection TE]")),
        (
            "Connection nominates large TE",
            get(&[b"Connection: TE\r\nTE: ", &[b'a'; 256][..], b"\r\n"].concat()),
            NOMINATED.into(),
        ),
        ("TE without Connection", get(b"TE: gzip\r\n"), ok("")),
        ("Upgrade without Connection", get(b"Upgrade: websocket\r\n"), ok("[upgrade websocket]")),
        (
            "Upgrade keeps what Connection names",
            get(b"Connection: Upgrade, x-a\r\nUpgrade: WebSocket\r\nx-a: 1\r\n"),
            format!("{GET}[connection Upgrade, x-a][upgrade WebSocket][x-a 1] upgrade\n…"),
        ),
        (
            "Upgrade to h2c or another",
            get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AA\r\n"),
            format!("{GET}[connection Upgrade, HTTP2-Settings][upgrade h2c, websocket][http2-settings AA] upgrade\n…"),
        ),
        (
            "Upgrade with body",
            bytes(&[&get(b"Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n"), b"raw"]),
            format!("{GET}[connection Upgrade][upgrade x][content-length 1] upgrade\ndata raw\n…"),
        ),
        ("CONNECT without port", line(b"CONNECT h.com HTTP/1.1"), URL.into()),
        ("CONNECT path", line(b"CONNECT /a HTTP/1.1"), URL.into()),
        ("CONNECT *", line(b"CONNECT *:80 HTTP/1.1"), URL.into()),
        ("CONNECT fragment", line(b"CONNECT a#b:80 HTTP/1.1"), BAD.into()),
        (
            "CONNECT without Host",
            b"CONNECT [::1]:80 HTTP/1.1\r\n\r\n".to_vec(),
            "[:authority [::1]:80][:method CONNECT] upgrade\n…".into(),
        ),
        (
            "CONNECT with body",
            line(b"CONNECT h.com:80 HTTP/1.1\r\nContent-Length: 2"),
            "400 http1.body_disallowed".into(),
        ),
        ("CONNECT with chunks", line(b"CONNECT h.com:80 HTTP/1.1\r\nTransfer-Encoding: chunked"), ENCODING.into()),
    ]
}

fn chunked_as(encoding: &[u8]) -> Vec<u8> {
    bytes(&[b"POST / HTTP/1.1\r\nHost: h.com\r\nTransfer-Encoding: ", encoding, b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n"])
}
