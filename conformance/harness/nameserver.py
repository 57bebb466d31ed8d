"""An upstream that is asked for names, over UDP."""

import asyncio
import contextlib
import ipaddress
import struct

_TYPES = {"A": 1, "AAAA": 28}
_CODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


def is_name_server(spec):
    """Whether an upstream is to be a `NameServer`."""
    return spec.get("mode") == "names"


class NameServer:
    """Knows the `names` of the case: {NAME: {A: [[address, ttl], …], AAAA: …}}, or a code, or `silent`; of all others that there
    are none. What it was asked is recorded as a set: how often and in which order depends on the resolver."""

    def __init__(self, spec, name):
        self.name = name
        self._names = spec.get("names", {})
        self._asked = set()
        self._open = None
        self.requests = []
        self.port = 0

    async def start(self):
        """Binds a port of loopback."""
        loop = asyncio.get_running_loop()
        self._open, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), ("127.0.0.1", 0))
        self.port = self._open.get_extra_info("sockname")[1]

    async def stop(self):
        """Closes it."""
        if self._open:
            self._open.close()

    def answer(self, query):
        """The answer to a query; nothing if there is none."""
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]])
            at += query[at] + 1
        question = query[12 : at + 5]
        (kind,) = struct.unpack(">H", question[-4:-2])
        name = b".".join(labels).decode("latin-1").lower()
        known = self._names.get(name, "NXDOMAIN")
        self._asked.add(name)
        if known == "silent":
            return b""
        code = _CODES[known] if isinstance(known, str) else 0
        records = []
        for name_of_type, number in _TYPES.items():
            for address, ttl in known.get(name_of_type, []) if kind == number and not code else []:
                data = ipaddress.ip_address(address).packed
                records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data)
        return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question + b"".join(records)

    def received(self):
        """Nothing of it is compared as bytes."""
        return b""

    def record(self):
        """The names that were asked for."""
        return sorted(self._asked)

    async def settle(self):
        """Nothing is told of its connections."""

    def proxy_ports(self):
        """None are told apart."""
        return []

    def use_log(self, wait_log):
        """A name server does not wait."""


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server):
        self._server = server
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, addr):
        with contextlib.suppress(IndexError, struct.error):
            answer = self._server.answer(data)
            if answer:
                self._transport.sendto(answer, addr)
