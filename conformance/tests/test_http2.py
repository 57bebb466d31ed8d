"""Tests of the harness's HTTP/2: frames to bytes and back, messages as frames, two ends talking to each other."""

import asyncio
import unittest

from harness import frames, http2, wire


def parsed(data):
    """The frames in `data`."""

    async def run():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        peer = wire.Peer(reader, None)
        found = []
        try:
            while True:
                found.append(await frames.read(peer))
        except wire.Gone:
            return found

    return asyncio.run(run())


class Frames(unittest.TestCase):
    def test_a_padded_frame_is_read_without_its_padding(self):
        (frame,) = parsed(frames.to_bytes({"data": "ab", "pad": 3, "end": True}, 1))
        self.assertEqual((frame.kind, frame.payload, frame.ends_stream, frame.size), (frames.DATA, b"ab", True, 6))

    def test_a_split_block_is_continued(self):
        found = parsed(frames.to_bytes({"head": [["a", "1"], ["b", "2"]], "split": 4}, 3))
        self.assertEqual([f.kind for f in found], [frames.HEADERS, frames.CONTINUATION, frames.CONTINUATION])
        self.assertEqual([f.flags for f in found], [0, 0, frames.END_HEADERS])
        self.assertEqual(b"".join(f.payload for f in found), b"\0\x01a\x011\0\x01b\x012")

    def test_an_unfinished_block(self):
        (frame,) = parsed(frames.to_bytes({"head": [], "unfinished": True}, 1))
        self.assertEqual(frame.flags, 0)

    def test_connection_frames_are_of_stream_zero(self):
        for spec in ({"settings": {"ENABLE_PUSH": 0}}, {"ping": "12345678"}, {"goaway": "NO_ERROR"}):
            (frame,) = parsed(frames.to_bytes(spec, 5))
            self.assertEqual(frame.stream, 0)

    def test_long_integers(self):
        block = frames.field_block([["a", "b" * 300]])
        self.assertEqual(block[:5], b"\0\x01a\x7f\xad")

    def test_trailers_of_a_request_are_no_frame(self):
        self.assertFalse(frames.is_frame({"path": "/", "trailers": {"a": "1"}}))
        self.assertTrue(frames.is_frame({"trailers": [["a", "1"]]}))


class Messages(unittest.TestCase):
    def test_a_request(self):
        self.assertEqual(
            http2.request({"method": "POST", "headers": {"X": "1"}, "body": "hi", "trailers": {"t": "2"}}),
            [
                {"head": [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "example"), ("x", "1"), ("content-length", "2")]},
                {"data": b"hi"},
                {"trailers": [("t", "2")], "end": True},
            ],
        )

    def test_an_open_request_does_not_end(self):
        self.assertEqual(http2.request({"fields": [["a", "b"]], "open": True}), [{"head": [["a", "b"]]}])


class Connections(unittest.TestCase):
    def test_two_ends(self):
        async def run():
            served = asyncio.Event()

            async def serve(reader, writer):
                peer = wire.Peer(reader, writer)
                await peer.take(len(frames.PREFACE))
                server = http2.Http2(peer, False)
                server.on_stream(lambda stream: asyncio.ensure_future(answer(server, stream)))
                await server.start()
                await server.run()
                peer.close()
                served.set()

            async def answer(server, stream):
                await server.until(stream.over, 5)
                await server.send(http2.response({"body": bytes(stream.body), "trailers": {"t": "1"}}), stream.number)

            listener = await wire.listen(serve)
            port = listener.sockets[0].getsockname()[1]
            peer = wire.Peer(*await asyncio.open_connection("127.0.0.1", port))
            client = http2.Http2(peer, True)
            await client.start()
            task = asyncio.ensure_future(client.run())
            number = client.open_stream()
            body = b"x" * 200_000
            await client.send(http2.request({"method": "POST", "body": body}), number)
            stream = client.streams[number]
            self.assertTrue(await client.until(stream.over, 5))
            peer.close()
            await asyncio.wait_for(asyncio.gather(task, served.wait()), 5)
            listener.close()
            return stream

        stream = asyncio.run(run())
        self.assertEqual((stream.status(), len(stream.body), stream.trailers), (200, 200_000, ["t: 1"]))


if __name__ == "__main__":
    unittest.main()
