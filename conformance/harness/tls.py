"""A TLS connection seen from the outside: `wire.Peer` with Python's ssl between it and the socket, so that alerts, tickets
and close_notify are seen as they come."""

import asyncio
import hashlib
import ssl
import warnings

from . import wire
from .environment import ROOT

CERTIFICATES = ROOT / "certificates"
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
CLIENT_KEYS = {"ca", "sni", "cert", "alpn", "min", "max", "ciphers", "resume", "record", "name"}
SERVER_KEYS = {"cert", "ca", "require", "alpn", "min", "max", "ciphers", "record"}


class Failed(Exception):
    """There is no TLS connection. The text says what ended the handshake."""


def client_context(spec):
    """A client's context from {ca, cert, alpn, min, max, ciphers}; without `ca` no certificate is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(spec.get("ca")) and bool(spec.get("sni"))
    context.verify_mode = ssl.CERT_REQUIRED if spec.get("ca") else ssl.CERT_NONE
    return _common(context, spec, "ca")


def server_context(spec):
    """A server's context from {cert, ca, require, alpn, min, max, ciphers}; with `ca` it asks for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if spec.get("ca"):
        context.verify_mode = ssl.CERT_REQUIRED if spec.get("require", True) else ssl.CERT_OPTIONAL
    return _common(context, {"cert": "server", **spec}, "ca")


def _common(context, spec, ca):
    if spec.get(ca):
        context.load_verify_locations(CERTIFICATES / f"{spec[ca]}.pem")
    if spec.get("cert"):
        context.load_cert_chain(CERTIFICATES / f"{spec['cert']}.pem", CERTIFICATES / f"{spec['cert']}.key")
    if spec.get("alpn"):
        context.set_alpn_protocols(spec["alpn"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[str(spec.get("min", "1.2"))]
        context.maximum_version = _VERSIONS[str(spec.get("max", "1.3"))]
    old = str(spec.get("min", "1.2")) in ("1.0", "1.1")
    if spec.get("ciphers") or old:
        context.set_ciphers(spec.get("ciphers", "DEFAULT") + ("@SECLEVEL=0" if old else ""))
    return context


def name_of(der):
    """The name of the committed certificate that a peer presented."""
    if not der:
        return None
    for path in sorted(CERTIFICATES.glob("*.pem")):
        if hashlib.sha256(ssl.PEM_cert_to_DER_cert(_first(path.read_text()))).digest() == hashlib.sha256(der).digest():
            return path.stem
    return "unknown"


def _first(text):
    end = "-----END CERTIFICATE-----"
    return text[text.index("-----BEGIN") : text.index(end)] + end + "\n"


class TlsPeer(wire.Peer):
    """A `Peer` whose bytes are those inside of TLS. `handshake` comes first."""

    def __init__(self, reader, writer, context, server, sni=None, session=None):
        super().__init__(reader, writer)
        self.context = context
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.notified = False
        if server:
            context.sni_callback = _note_name
            self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        else:
            self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=sni, session=session)

    @property
    def session(self):
        """The session, to be resumed by another connection."""
        return self._object.session

    async def handshake(self):
        """Raises `Failed`."""
        try:
            while True:
                try:
                    self._object.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await self._flush()
                    await self._more()
        except ssl.SSLCertVerificationError as error:
            await self._flush()
            raise Failed(f"refused: {error.verify_message}") from None
        except ssl.SSLError as error:
            await self._flush()
            raise Failed(_reason(error)) from None
        except wire.Gone:
            raise Failed("closed") from None
        await self._flush()

    def facts(self, wanted=()):
        """The version, the protocol, the peer's certificate, and of the rest what is `wanted`."""
        made = self._object
        found = {"version": made.version()}
        if getattr(made, "asked_for", None) is not None:
            found["sni"] = made.asked_for
        if made.selected_alpn_protocol():
            found["alpn"] = made.selected_alpn_protocol()
        if name_of(made.getpeercert(True)):
            found["peer"] = name_of(made.getpeercert(True))
        if made.session_reused:
            found["resumed"] = True
        if "cipher" in wanted:
            found["cipher"] = made.cipher()[0]
        return found

    async def fill(self):
        """Reads once. Raises `Gone` at the end, be it close_notify, an alert, or the end of the TCP stream."""
        if self.ended:
            raise wire.Gone
        while True:
            try:
                data = self._object.read(1 << 18)
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLZeroReturnError:
                data = b""
                break
            except ssl.SSLError as error:
                self.alert = _reason(error)
                self.ended = True
                raise wire.Gone from None
        if not data:
            self.notified = self.ended = True
            raise wire.Gone
        self.buffer += data
        if self.keep:
            self.received += data

    async def send(self, data):
        """Writes all of it; a peer that is gone is not an error."""
        try:
            if data:
                self._object.write(data)
        except ssl.SSLError:
            return
        await self._flush()

    async def send_raw(self, data):
        """Bytes past TLS."""
        await super().send(data)

    def shut_write(self):
        """Sends close_notify, goes on reading."""
        try:
            self._object.unwrap()
        except ssl.SSLError:
            pass
        self._writer.write(self._outgoing.read())

    async def _more(self):
        try:
            data = await self._reader.read(1 << 18)
        except OSError:
            data = b""
            self.was_reset = True
        if not data:
            self.ended = True
            raise wire.Gone
        self._incoming.write(data)

    async def _flush(self):
        data = self._outgoing.read()
        if data:
            await super().send(data)


def _note_name(made, name, _context):
    made.asked_for = name


def _reason(error):
    """`alert: …` for what the peer said, else OpenSSL's reason."""
    text = error.reason or str(error)
    for version in ("SSLV3_ALERT_", "TLSV1_ALERT_", "TLSV13_ALERT_", "TLSV1_"):
        if text.startswith(version):
            return f"alert: {text.removeprefix(version).lower()}"
    return text.lower()


async def connect(port, spec, session=None):
    """A connection to a TLS port of loopback, before its handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    return TlsPeer(reader, writer, client_context(spec), False, spec.get("sni"), session)
