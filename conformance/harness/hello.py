"""A ClientHello of TLS, for those who only look at it."""

import struct


def client_hello(spec):
    """The record of {sni, alpn, versions}; always the same bytes."""
    extensions = b""
    if "sni" in spec:
        name = spec["sni"].encode("latin-1")
        extensions += _extension(0, _counted(">H", b"\0" + _counted(">H", name)))
    extensions += _extension(10, _counted(">H", b"\0\x1d\0\x17"))
    extensions += _extension(11, b"\x01\0")
    extensions += _extension(13, _counted(">H", b"\x04\x03\x08\x04\x04\x01"))
    if spec.get("alpn"):
        names = b"".join(_counted(">B", name.encode("latin-1")) for name in spec["alpn"])
        extensions += _extension(16, _counted(">H", names))
    versions = b"".join(bytes.fromhex(v) for v in spec.get("versions", ["0304", "0303"]))
    extensions += _extension(43, _counted(">B", versions))
    extensions += _extension(51, _counted(">H", b"\0\x1d" + _counted(">H", b"\x09" + b"\0" * 31)))
    ciphers = _counted(">H", b"\x13\x01\x13\x02\xc0\x2b\xc0\x2f\xc0\x30")
    body = b"\x03\x03" + bytes(range(32)) + _counted(">B", b"") + ciphers + b"\x01\0" + _counted(">H", extensions)
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + _counted(">H", message)


def _extension(number, data):
    return struct.pack(">H", number) + _counted(">H", data)


def _counted(form, data):
    return struct.pack(form, len(data)) + data
