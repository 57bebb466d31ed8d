"""The gRPC server of grpcio in the place of the harness's own: what the proxy is told goes over the wire as Google writes it."""

import grpc

from .grpc_server import GrpcServer

_LARGEST = 64 << 20


class _Call:
    """One stream that the proxy has opened."""

    def __init__(self, path, requests, context):
        self.path = path
        self._requests = requests
        self._context = context
        self._over = False

    def over(self):
        """Whether nothing more comes from the proxy, or goes to it."""
        return self._over or self._context.done()

    async def messages(self):
        """The messages of the proxy, as they come, until it ends the stream."""
        async for message in self._requests:
            yield message
        self._over = True

    async def send(self, message):
        """A message; to a proxy that is gone it is lost."""
        try:
            await self._context.write(message)
        except grpc.RpcError:
            self._over = True

    async def end(self, status, message=""):
        """Ends the stream with a gRPC status."""
        self._over = True
        code = next(code for code in grpc.StatusCode if code.value[0] == status)
        await self._context.abort(code, message)


class _Every(grpc.GenericRpcHandler):
    """Takes all calls as streams of bytes."""

    def __init__(self, serve):
        self._serve = serve

    def service(self, handler_call_details):
        """The handler of a method, whatever it is."""

        async def stream(requests, context):
            await self._serve(_Call(handler_call_details.method, requests, context))

        return grpc.stream_stream_rpc_method_handler(stream)


class GrpcioServer(GrpcServer):
    """Listens, at one port, from `start` or `restart` to `kill`. Without TLS."""

    async def restart(self):
        """Listens, if it does not, at the port that it had."""
        if self._server is None:
            limits = [("grpc.max_receive_message_length", _LARGEST), ("grpc.max_send_message_length", _LARGEST)]
            self._server = grpc.aio.server(options=limits)
            self._server.add_generic_rpc_handlers((_Every(self._serve),))
            self._server.add_insecure_port(f"127.0.0.1:{self.port}")
            await self._server.start()

    async def kill(self):
        """Nobody listens, and all streams are ended."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None
