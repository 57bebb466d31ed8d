"""Bytes as cases write them: text (one character, one byte), or {repeat, count}, {hex}, {grpc}, {websocket}, {client_hello}, or a list."""

import struct

from . import hello

# Any of these makes a mapping bytes, and not a message.
KEYS = {"repeat", "hex", "grpc", "websocket", "client_hello"}
_MASK = b"mask"


def is_bytes(spec):
    """Whether a mapping stands for bytes."""
    return bool(KEYS & set(spec))


def to_bytes(value):
    """The bytes that `value` stands for."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, (int, float)):
        return str(value).encode()
    if isinstance(value, list):
        return b"".join(to_bytes(part) for part in value)
    if isinstance(value, dict) and set(value) == {"repeat", "count"}:
        return to_bytes(value["repeat"]) * value["count"]
    if isinstance(value, dict) and set(value) == {"hex"}:
        return bytes.fromhex(value["hex"])
    if isinstance(value, dict) and set(value) <= {"grpc", "flag"} and "grpc" in value:
        message = to_bytes(value["grpc"])
        return struct.pack(">BI", value.get("flag", 0), len(message)) + message
    if isinstance(value, dict) and set(value) == {"client_hello"}:
        return hello.client_hello(value["client_hello"])
    if isinstance(value, dict) and set(value) <= {"websocket", "opcode", "mask", "fin"} and "websocket" in value:
        return _websocket(value)
    raise ValueError(f"not bytes: {value!r}")


def _websocket(spec):
    """One frame of RFC 6455; `opcode` 1 is text, 2 binary, 8 close, 9 ping; clients mask."""
    data = to_bytes(spec["websocket"])
    masked = 0x80 if spec.get("mask") else 0
    first = (0x80 if spec.get("fin", True) else 0) | spec.get("opcode", 1)
    if len(data) < 126:
        head = struct.pack(">BB", first, masked | len(data))
    elif len(data) < 1 << 16:
        head = struct.pack(">BBH", first, masked | 126, len(data))
    else:
        head = struct.pack(">BBQ", first, masked | 127, len(data))
    if not masked:
        return head + data
    return head + _MASK + bytes(byte ^ _MASK[i % 4] for i, byte in enumerate(data))


def header_lines(headers):
    """Header lines of a list of [name, value] (or of a mapping, when no name repeats)."""
    items = headers.items() if isinstance(headers, dict) else headers or []
    return b"".join(to_bytes(name) + b": " + to_bytes(value) + b"\r\n" for name, value in items)


def framed(message, default_length):
    """Framing header lines and encoded body of a message that has `body` or `chunked` (and `trailers`)."""
    if "chunked" in message:
        chunks = message["chunked"]
        parts = [to_bytes(chunk) for chunk in (chunks if isinstance(chunks, list) else [chunks])]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part)
        return b"transfer-encoding: chunked\r\n", body + b"0\r\n" + header_lines(message.get("trailers")) + b"\r\n"
    if "body" in message or default_length:
        body = to_bytes(message.get("body"))
        return b"content-length: %d\r\n" % len(body), body
    return b"", b""


def request(spec):
    """The bytes of a request: raw, or {method, path, version, host, headers, body | chunked, trailers}."""
    if not isinstance(spec, dict) or not _is_message(spec):
        return to_bytes(spec)
    line = f"{spec.get('method', 'GET')} {spec.get('path', '/')} {spec.get('version', 'HTTP/1.1')}\r\n"
    name = spec.get("host", "example")
    host = "" if name is None else f"host: {name}\r\n"
    framing, body = framed(spec, False)
    return line.encode("latin-1") + host.encode("latin-1") + header_lines(spec.get("headers")) + framing + b"\r\n" + body


def response(spec):
    """The bytes of a response: raw, or {status, reason, headers, body | chunked, trailers}."""
    if not isinstance(spec, dict) or not _is_message(spec):
        return to_bytes(spec)
    line = f"HTTP/1.1 {spec.get('status', 200)} {spec.get('reason', 'OK')}\r\n".encode("latin-1")
    framing, body = framed(spec, True)
    return line + header_lines(spec.get("headers")) + framing + b"\r\n" + body


def _is_message(spec):
    return not is_bytes(spec)


def method_of(data):
    """The method in the first line of a request."""
    line = data.lstrip(b"\r\n").split(b" ", 1)
    return line[0].decode("latin-1")
