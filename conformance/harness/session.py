"""What streams of both protocols keep: the answers that were sent, and what the proxy said to them."""

RESOURCE = "envoy.service.discovery.v3.Resource"


class Sent:
    """The answers of one stream by their nonces."""

    def __init__(self):
        self._versions = {}
        self._open = set()

    def add(self, nonce, version, awaited=True):
        """An answer was sent, and what the proxy says to it is `awaited`."""
        self._versions[nonce] = version
        if awaited:
            self._open.add(nonce)

    def awaits(self):
        """Whether an answer was neither taken nor refused yet."""
        return bool(self._open)

    def answered(self, request):
        """Of a request, what it says of an earlier answer: whose nonce it bears (`answers`, a version), and how it refuses it."""
        nonce = request.response_nonce
        self._open.discard(nonce)
        found = {}
        if nonce:
            found["answers"] = self._versions.get(nonce, "unknown")
        if request.HasField("error_detail"):
            found |= {"error": request.error_detail.message, "code": request.error_detail.code}
        return found


def named_node(request):
    """The id of the node that a request names; None if it names none."""
    return request.node.id if request.HasField("node") else None
