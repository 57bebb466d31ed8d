"""The step `until`: asks again and again, until the answer is as wanted."""

import asyncio
import re

from . import pieces, tls, wire

# Requests that bear it are not recorded by upstreams: how many there are depends on the time.
MARK = "x-until"
_EVERY = 0.03
_ANSWER_WAIT = 3.0


async def reached(spec, ports, timeout):
    """None when the answer is as `spec` wants it: {request, status, body, headers, refused, closed, failed, port, to, tls, peer}; or
    what the last one was."""
    port = ports.listeners[spec["port"]] if "port" in spec else ports.listener
    end = asyncio.get_running_loop().time() + timeout
    while True:
        answer = await _ask(spec, port)
        if _wanted(spec, answer):
            return None
        if asyncio.get_running_loop().time() > end:
            return answer
        await asyncio.sleep(_EVERY)


def _wanted(spec, answer):
    if spec.get("refused") or spec.get("closed"):
        return answer == ("refused" if spec.get("refused") else "closed")
    if isinstance(answer, str):
        return answer == spec.get("failed")
    peer, status, headers, body = answer
    return (
        status == spec.get("status", 200)
        and bool(re.search(spec.get("body", ""), body))
        and spec.get("peer", peer) == peer
        and all(_has(headers, name, pattern) for name, pattern in (spec.get("headers") or {}).items())
    )


def _has(headers, name, pattern):
    values = [value for key, value in headers if key.lower() == name]
    return not values if pattern is None else any(re.search(pattern, value) for value in values)


async def _ask(spec, port):
    """(certificate of the proxy, status, headers, body), or a word for what else there was."""
    request = dict(spec.get("request") or {})
    request["headers"] = [*map(list, _pairs(request.get("headers"))), [MARK, "1"], ["connection", "close"]]
    peer = None
    try:
        async with asyncio.timeout(_ANSWER_WAIT):
            reader, writer = await asyncio.open_connection(spec.get("to", "127.0.0.1"), port, limit=1 << 20)
            peer = wire.Peer(reader, writer)
            name = None
            if "tls" in spec:
                peer = tls.TlsPeer(reader, writer, tls.client_context(spec["tls"]), False, spec["tls"].get("sni"))
                await peer.handshake()
                name = peer.facts().get("peer")
            await peer.send(pieces.request(request))
            message = wire.Message(await peer.head())
            await peer.body(message, message.headers, "response")
            return name, message.status(), message.headers, message.body.decode("latin-1")
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "no answer"
    except tls.Failed as error:
        return str(error)
    except (OSError, wire.Gone, wire.Malformed):
        return "closed"
    finally:
        if peer:
            peer.close()


def _pairs(headers):
    return headers.items() if isinstance(headers, dict) else headers or []
