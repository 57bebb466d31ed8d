"""Tests of the harness's TLS: two ends talking to each other, and what each says of the other."""

import asyncio
import unittest

from harness import bootstrap, tls, wire


def talk(client, server):
    """What a client, that says `hi`, and a server, that echoes, tell of their handshake; the client's last words."""

    async def run():
        told = {}
        done = asyncio.Event()

        async def serve(reader, writer):
            peer = tls.TlsPeer(reader, writer, tls.server_context(server), True)
            try:
                await peer.handshake()
                told["server"] = peer.facts()
                await peer.send(await peer.take(2))
                peer.shut_write()
            except tls.Failed as error:
                told["server"] = str(error)
            except wire.Gone:
                pass
            peer.close()
            done.set()

        listener = await wire.listen(serve)
        peer = await tls.connect(listener.sockets[0].getsockname()[1], client)
        try:
            await peer.handshake()
            told["client"] = peer.facts()
            await peer.send(b"hi")
            await peer.take(3)
        except tls.Failed as error:
            told["client"] = str(error)
        except wire.Gone:
            told["echo"] = bytes(peer.buffer)
        told["end"] = peer.how_ended()
        peer.close()
        await done.wait()
        listener.close()
        return told

    return asyncio.run(run())


class Tls(unittest.TestCase):
    def test_facts(self):
        told = talk({"ca": "ca", "sni": "example.com", "alpn": ["h2"], "cert": "client"}, {"ca": "ca", "alpn": ["h2"]})
        self.assertEqual(told["client"], {"version": "TLSv1.3", "alpn": "h2", "peer": "server"})
        self.assertEqual(told["server"], {"version": "TLSv1.3", "sni": "example.com", "alpn": "h2", "peer": "client"})
        self.assertEqual(told["echo"], b"hi")

    def test_a_certificate_that_is_not_trusted(self):
        told = talk({"ca": "other-ca", "sni": "example.com"}, {})
        self.assertEqual(told["client"], "refused: unable to get local issuer certificate")
        self.assertEqual(told["server"], "alert: unknown_ca")

    def test_a_wrong_name(self):
        told = talk({"ca": "ca", "sni": "example.com"}, {"cert": "wrong-name"})
        self.assertTrue(told["client"].startswith("refused: Hostname mismatch"))

    def test_an_alert_after_the_handshake(self):
        told = talk({"ca": "ca", "sni": "example.com"}, {"ca": "ca"})
        self.assertEqual(told["end"], "closed, alert: certificate_required")


class Configuration(unittest.TestCase):
    def test_paths(self):
        self.assertEqual(bootstrap.certificates("{key.server}"), str(tls.CERTIFICATES / "server.key"))


if __name__ == "__main__":
    unittest.main()
