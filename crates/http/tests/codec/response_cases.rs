//! Responses, and what the decoder says to them.

use crate::messages::{BAD, BOTH, CONTROL, Case, ENCODING, MANY};

fn response(head: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", head].concat()
}

/// The response cases of the table of measured differences, by their names there (without `r:`).
pub(crate) fn table_responses() -> Vec<Case> {
    let many = (0..119).map(|i| format!("x{i}: a\r\n")).collect::<String>();
    let te = "[:status 200][transfer-encoding chunked]";
    vec![
        (
            "103",
            [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n".to_vec(), response(b"Content-Length: 0\r\n\r\n")].concat(),
            "[:status 103][link a]\n[:status 200][content-length 0] end".into(),
        ),
        (
            "trailers",
            response(b"Transfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n"),
            format!("{te}[trailer x-t]\ndata hi\nend"),
        ),
        (
            "trailers unannounced",
            response(b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n"),
            format!("{te}\ndata hi\nend"),
        ),
        ("until-close", response(b"\r\nhello"), "[:status 200] close\ndata hello\nend".into()),
        (
            "CL+TE",
            response(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
            BOTH.into(),
        ),
        (
            "dup order",
            response(b"X-B: 1\r\nX-A: 2\r\nx-b: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"),
            "[:status 200][x-b 1][x-a 2][x-b 3][set-cookie a][set-cookie b][content-length 0] end".into(),
        ),
        ("CL 2,3", response(b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi"), BAD.into()),
        (
            "obs-fold",
            response(b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
            "[:status 200][x a b][content-length 0] end".into(),
        ),
        (
            "reason",
            b"HTTP/1.1 200 Fancy Reason\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "[:status 200][content-length 0] end".into(),
        ),
        (
            "no reason",
            b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "[:status 200][content-length 0] end".into(),
        ),
        (
            "70KB hdr",
            response(&[b"X: ", &[b'a'; 70_000][..], b"\r\nContent-Length: 0\r\n\r\n"].concat()),
            format!("[:status 200][x {}][content-length 0] end", "a".repeat(70_000)),
        ),
        ("120 hdrs", response(&[many.as_bytes(), b"Content-Length: 0\r\n\r\n"].concat()), MANY.into()),
        ("204+CL", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n".to_vec(), "[:status 204] end".into()),
    ]
}

/// More responses, each observed in the same way.
pub(crate) fn more_responses() -> Vec<Case> {
    let done = "[:status 200][content-length 0] end";
    let status = |line: &[u8]| [line, b"\r\nContent-Length: 0\r\n\r\n"].concat();
    let chunks = |body: &[u8]| response(&[b"Transfer-Encoding: chunked\r\n\r\n", body].concat());
    let te = "[:status 200][transfer-encoding chunked]";
    vec![
        (
            "TE in capitals",
            response(b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"),
            "[:status 200][transfer-encoding Chunked]\nend".into(),
        ),
        ("TE gzip, chunked", response(b"Transfer-Encoding: gzip, chunked\r\n\r\n"), ENCODING.into()),
        ("TE identity", response(b"Transfer-Encoding: identity\r\n\r\nhi"), ENCODING.into()),
        ("CL twice", response(b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"), BAD.into()),
        ("CL list", response(b"Content-Length: 2, 2\r\n\r\nhi"), BAD.into()),
        ("CL plus", response(b"Content-Length: +2\r\n\r\nhi"), BAD.into()),
        ("CL", response(b"Content-Length: 2\r\n\r\nhi"), "[:status 200][content-length 2]\ndata hi\nend".into()),
        (
            "CL cut off",
            response(b"Content-Length: 5\r\n\r\nhi"),
            format!("[:status 200][content-length 5]\ndata hi\n{BAD}"),
        ),
        (
            "CL and more",
            response(b"Content-Length: 2\r\n\r\nhijunk"),
            format!("[:status 200][content-length 2]\ndata hi\nend\n{BAD}"),
        ),
        ("no body until close", response(b"\r\n"), "[:status 200] close\nend".into()),
        ("chunk bad", chunks(b"zz\r\n"), format!("{te}\n{BAD}")),
        ("chunk cut off", chunks(b"5\r\nhi"), format!("{te}\ndata hi\n{BAD}")),
        ("chunk bare LF", chunks(b"2\nhi\n0\n\n"), format!("{te}\n{BAD}")),
        ("204 with CL", b"HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nhi".to_vec(), BAD.into()),
        ("204 with TE", b"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), BAD.into()),
        (
            "304 with CL",
            b"HTTP/1.1 304 x\r\nContent-Length: 2\r\n\r\n".to_vec(),
            "[:status 304][content-length 2] end".into(),
        ),
        (
            "304 with TE",
            b"HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            "[:status 304][transfer-encoding chunked] end".into(),
        ),
        (
            "100",
            [b"HTTP/1.1 100 Continue\r\nx: 1\r\n\r\n".repeat(2), response(b"Content-Length: 0\r\n\r\n")].concat(),
            format!("[:status 100][x 1]\n[:status 100][x 1]\n{done}"),
        ),
        ("100 with CL", b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\n".to_vec(), BAD.into()),
        ("103 and no more", b"HTTP/1.1 103 x\r\n\r\n".to_vec(), "[:status 103]\nnothing".into()),
        ("101 unasked", b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n".to_vec(), "[:status 101][upgrade x] close\nend".into()),
        ("reason of all bytes", status(b"HTTP/1.1 200 \xff\x80\tx"), done.into()),
        ("reason NUL", status(b"HTTP/1.1 200 a\0b"), CONTROL.into()),
        ("status 99", status(b"HTTP/1.1 99 x"), BAD.into()),
        ("status 099", status(b"HTTP/1.1 099 x"), BAD.into()),
        ("status 1000", status(b"HTTP/1.1 1000 x"), "[:status 1000][content-length 0] end".into()),
        ("status 0200", status(b"HTTP/1.1 0200 x"), done.into()),
        ("status +200", status(b"HTTP/1.1 +200 x"), done.into()),
        ("status 2x0", status(b"HTTP/1.1 2x0 x"), BAD.into()),
        ("status large", status(b"HTTP/1.1 65536 x"), BAD.into()),
        ("status missing", status(b"HTTP/1.1"), BAD.into()),
        ("words by any space", status(b"HTTP/1.1\t 200  OK"), done.into()),
        ("version 1.0", status(b"HTTP/1.0 200 OK"), format!("{done} close")),
        (
            "version 1.0 keep-alive",
            status(b"HTTP/1.0 200 OK\r\nConnection: keep-alive"),
            "[:status 200][connection keep-alive][content-length 0] end".into(),
        ),
        ("version 2.0", status(b"HTTP/2.0 200 OK"), format!("{done} close")),
        ("version in small letters", status(b"http/1.1 200 OK"), BAD.into()),
        ("another protocol", status(b"ICY 200 OK"), BAD.into()),
        ("garbage after a good start", b"HTTx HTTP/1.1".to_vec(), BAD.into()),
        ("garbage without a line", b"hello".to_vec(), BAD.into()),
        ("empty line first", status(b"\r\nHTTP/1.1 200 OK"), BAD.into()),
        ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_vec(), done.into()),
        ("fold first", status(b"HTTP/1.1 200 OK\r\n X: a"), BAD.into()),
        ("name with space", status(b"HTTP/1.1 200 OK\r\nx y: a"), BAD.into()),
        ("name and space", status(b"HTTP/1.1 200 OK\r\nx : a"), BAD.into()),
        ("name missing", status(b"HTTP/1.1 200 OK\r\n: a"), BAD.into()),
        ("name with colon first", status(b"HTTP/1.1 200 OK\r\n:path: a"), BAD.into()),
        ("value \\x01", status(b"HTTP/1.1 200 OK\r\nx: \x01"), CONTROL.into()),
        ("value CR", status(b"HTTP/1.1 200 OK\r\nx: a\rb"), "[:status 200][x ab][content-length 0] end".into()),
        (
            "Host is a header",
            status(b"HTTP/1.1 200 OK\r\nHost: a\r\nHost: b"),
            "[:status 200][host a][host b][content-length 0] end".into(),
        ),
        (
            "inline header twice",
            status(b"HTTP/1.1 200 OK\r\nVary: a\r\nx: 1\r\nVary: b"),
            "[:status 200][vary a,b][x 1][content-length 0] end".into(),
        ),
        (
            "Connection close",
            status(b"HTTP/1.1 200 OK\r\nConnection: x-a, close\r\nx-a: 1"),
            "[:status 200][connection x-a, close][x-a 1][content-length 0] end close".into(),
        ),
        ("nothing", Vec::new(), "nothing".into()),
        ("cut off in the head", b"HTTP/1.1 200 OK\r\ncont".to_vec(), BAD.into()),
        ("cut off at once", b"H".to_vec(), BAD.into()),
    ]
}
