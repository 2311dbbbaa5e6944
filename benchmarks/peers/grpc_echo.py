"""The limit of gRPC: one grpc.aio server that answers each call with its message, under uvloop as ours is."""

import sys

import grpc
import uvloop


async def _echo(message: bytes, _: grpc.aio.ServicerContext) -> bytes:
    return message


async def main(address: str) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server()
    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(_echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
