"""HTTP/2 frames, to bytes and from bytes, right or wrong: nothing here knows what is allowed (RFC 9113 section 6)."""

import struct

from . import pieces

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_PAYLOAD = 16384

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
TYPES = {
    "DATA": DATA,
    "HEADERS": HEADERS,
    "PRIORITY": PRIORITY,
    "RST_STREAM": RST_STREAM,
    "SETTINGS": SETTINGS,
    "PUSH_PROMISE": PUSH_PROMISE,
    "PING": PING,
    "GOAWAY": GOAWAY,
    "WINDOW_UPDATE": WINDOW_UPDATE,
    "CONTINUATION": CONTINUATION,
}
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

# What a frame is described by; `trailers` alone is one, too.
KEYS = {"bytes", "head", "block", "data", "rst", "settings", "ping", "goaway", "window", "priority", "frame"}

SETTING = {
    "HEADER_TABLE_SIZE": 1,
    "ENABLE_PUSH": 2,
    "MAX_CONCURRENT_STREAMS": 3,
    "INITIAL_WINDOW_SIZE": 4,
    "MAX_FRAME_SIZE": 5,
    "MAX_HEADER_LIST_SIZE": 6,
    "ENABLE_CONNECT_PROTOCOL": 8,
}
ERRORS = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)


def frame(kind, flags, stream, payload):
    """One frame, whatever the size of its payload."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def is_frame(spec):
    """Whether a mapping of a case describes a frame, and not a message."""
    return bool(KEYS & set(spec)) or ("trailers" in spec and set(spec) <= {"trailers", "stream", "end"})


def error_name(code):
    """The name of an error code."""
    return ERRORS[code] if code < len(ERRORS) else f"0x{code:x}"


def error_code(name):
    """The code of a name, or a number as it is."""
    return ERRORS.index(name) if isinstance(name, str) else name


def field_block(fields):
    """A header block in which every field is a literal without indexing and without Huffman coding (RFC 7541 6.2.2)."""
    return b"".join(b"\0" + _string(pieces.to_bytes(n)) + _string(pieces.to_bytes(v)) for n, v in fields)


def _string(data):
    return _integer(len(data), 7) + data


def _integer(value, bits):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    found = [limit]
    value -= limit
    while value >= 128:
        found.append(value % 128 + 128)
        value //= 128
    return bytes([*found, value])


def to_bytes(spec, stream):
    """The bytes of what a case describes as one frame (README.md, Frames). `stream`: its stream unless it names one."""
    stream = spec.get("stream", stream)
    end = END_STREAM if spec.get("end") else 0
    if "bytes" in spec:
        return pieces.to_bytes(spec["bytes"])
    if "head" in spec or "trailers" in spec or "block" in spec:
        return _headers(spec, stream)
    if "data" in spec:
        flags, payload = _padded(spec, end, pieces.to_bytes(spec["data"]))
        return frame(DATA, flags, stream, payload)
    if "rst" in spec:
        return frame(RST_STREAM, 0, stream, struct.pack(">I", error_code(spec["rst"])))
    if "settings" in spec:
        return frame(SETTINGS, ACK if spec["settings"] == "ack" else 0, spec.get("stream", 0), settings(spec["settings"]))
    if "ping" in spec:
        return frame(PING, ACK if spec.get("ack") else 0, spec.get("stream", 0), pieces.to_bytes(spec["ping"]))
    if "goaway" in spec:
        payload = struct.pack(">II", spec.get("last", 0), error_code(spec["goaway"])) + pieces.to_bytes(spec.get("debug"))
        return frame(GOAWAY, 0, spec.get("stream", 0), payload)
    if "window" in spec:
        return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", spec["window"]))
    if "priority" in spec:
        return frame(PRIORITY, 0, stream, _priority(spec["priority"]))
    kind = spec["frame"]
    kind = TYPES[kind] if isinstance(kind, str) else kind
    return frame(kind, spec.get("flags", 0), stream, pieces.to_bytes(spec.get("payload")))


def settings(values):
    """The payload of a SETTINGS frame: a mapping, a list of pairs, or `ack`."""
    if values == "ack":
        return b""
    pairs = values.items() if isinstance(values, dict) else values
    return b"".join(struct.pack(">HI", SETTING.get(key, key), value) for key, value in pairs)


def _headers(spec, stream):
    if "block" in spec:
        block = pieces.to_bytes(spec["block"])
    else:
        block = field_block(spec.get("head") or spec.get("trailers") or [])
    end = END_STREAM if spec.get("end", "trailers" in spec) else 0
    size = spec.get("split", MAX_PAYLOAD - 512)
    parts = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
    prefix = _priority(spec["priority"]) if "priority" in spec else b""
    flags, payload = _padded(spec, end | (PRIORITISED if prefix else 0), prefix + parts[0])
    complete = 0 if spec.get("unfinished") else END_HEADERS
    found = frame(HEADERS, flags | (complete if len(parts) == 1 else 0), stream, payload)
    for index, part in enumerate(parts[1:], 2):
        found += frame(CONTINUATION, complete if index == len(parts) else 0, stream, part)
    return found


def _padded(spec, flags, payload):
    if "pad" not in spec:
        return flags, payload
    return flags | PADDED, bytes([spec["pad"]]) + payload + bytes(spec["pad"])


def _priority(spec):
    depends = spec.get("depends", 0) | (0x80000000 if spec.get("exclusive") else 0)
    return struct.pack(">IB", depends, spec.get("weight", 16) - 1)


class Frame:
    """A received frame, without padding and priority."""

    def __init__(self, kind, flags, stream, payload):
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.size = len(payload)
        if kind in (DATA, HEADERS) and flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == HEADERS and flags & PRIORITISED:
            payload = payload[5:]
        self.payload = payload

    @property
    def ends_stream(self):
        """Whether the peer sends no more on the stream."""
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    def numbers(self):
        """The payload as 32-bit numbers."""
        return struct.unpack(f">{len(self.payload) // 4}I", self.payload[: len(self.payload) // 4 * 4])

    def settings(self):
        """The pairs of a SETTINGS frame."""
        return [struct.unpack_from(">HI", self.payload, at) for at in range(0, len(self.payload) - 5, 6)]


async def read(peer):
    """The next frame of a `wire.Peer`."""
    head = await peer.take(9)
    kind, flags, stream = struct.unpack(">BBI", head[3:])
    payload = await peer.take(int.from_bytes(head[:3], "big"))
    return Frame(kind, flags, stream & 0x7FFFFFFF, payload)
