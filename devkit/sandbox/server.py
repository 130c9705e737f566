"""The wire: a raw ASGI app on uvicorn that can also cut, silence and slow down its connections."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .answers import Answer, gateway, internal_error
from .control import PREFIX as CONTROL_PREFIX
from .control import control
from .faults import AFTER, BEFORE, ActiveFault, Stage
from .fields import BadInput
from .sandbox import ENDPOINT_OF_PATH, Request, Sandbox

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_REQUEST_BYTES = 2**20
KEEP_ALIVE_S = 75
PARENT_POLL_S = 0.5
FLUSH_S = 0.05  # until the loop has handed written bytes to the kernel

logger = logging.getLogger("sandbox")


class Cut(Exception):
    """A fault ended the connection: there is nobody left to answer."""


class Wire:
    """One request's connection, with the means to harm it."""

    def __init__(self, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
        self._transport, self._receive, self._send = transport, receive, send

    async def send(self, answer: Answer) -> None:
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def suffer(self, fault: ActiveFault) -> None:
        """The wire faults that need no answer: they strike before the act or instead of the answer."""
        if fault.name == "reset":
            await self._reset()
        elif fault.name == "delay":
            # Not cut short when the caller hangs up: a slow pool acts all the same.
            await _first_of(fault.cleared.wait(), within_s=fault.options["seconds"])
        elif fault.name == "silence":
            await _first_of(fault.cleared.wait(), self._hangup(), within_s=fault.options["seconds"])
            await self.close()

    async def send_half(self, answer: Answer) -> None:
        await self._start(answer)
        half = answer.body[: len(answer.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(FLUSH_S)
        await self._reset()

    async def drip(self, answer: Answer, *, bytes_per_second: float, seconds: float) -> None:
        await self._start(answer)
        piece = max(1, int(bytes_per_second / 10))
        end = asyncio.get_running_loop().time() + seconds
        for at in range(0, len(answer.body), piece):
            if asyncio.get_running_loop().time() >= end or self._transport.is_closing():
                await self.close()
            more = at + piece < len(answer.body)
            await self._send({"type": "http.response.body", "body": answer.body[at : at + piece], "more_body": more})
            await asyncio.sleep(piece / bytes_per_second)

    async def _start(self, answer: Answer) -> None:
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", str(len(answer.body)).encode()),
            *answer.headers,
        ]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})

    async def _reset(self) -> None:
        # Zero linger makes the kernel send RST instead of FIN.
        peer: socket.socket = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.close()

    async def close(self) -> None:
        self._transport.abort()
        await _first_of(self._hangup(), within_s=1)
        raise Cut

    async def _hangup(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _first_of(*ends: Coroutine[Any, Any, object], within_s: float) -> None:
    waits = [asyncio.ensure_future(end) for end in ends]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class App:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wire = Wire(scope["extensions"]["sandbox.transport"]["transport"], receive, send)
        request = await read_request(scope, receive)
        if request is None:
            await wire.send(gateway(413, "Request Entity Too Large"))
        elif request.path.startswith(CONTROL_PREFIX):
            await wire.send(self._control(request))
        else:
            await self._pool(request, wire)

    async def _pool(self, request: Request, wire: Wire) -> None:
        sandbox = self.sandbox
        endpoint = ENDPOINT_OF_PATH.get(request.path)
        struck = sandbox.faults.draw(endpoint) if endpoint and sandbox.faults.active else []
        status: int | None = None
        world = sandbox.world
        try:
            await self._suffer(wire, struck, BEFORE)
            answer = self._answer(endpoint, request, struck)
            await self._suffer(wire, struck, AFTER)
            status = answer.status
            await self._deliver(wire, answer, struck)
        except Cut:
            status = None
        finally:
            if sandbox.world is world:
                sandbox.note(endpoint, request, status, struck)

    def _control(self, request: Request) -> Answer:
        try:
            return control(self.sandbox, request)
        except Exception:
            logger.exception("the sandbox itself failed on %s", request.path)
            return internal_error()

    def _answer(self, endpoint: str | None, request: Request, struck: list[ActiveFault]) -> Answer:
        try:
            return self.sandbox.answer(endpoint, request, struck)
        except Exception:
            logger.exception("the sandbox itself failed on %s", request.path)
            return internal_error()

    async def _suffer(self, wire: Wire, struck: list[ActiveFault], phase: str) -> None:
        world = self.sandbox.world
        for fault in struck:
            if fault.kind.stage is Stage.WIRE and fault.phase == phase:
                await wire.suffer(fault)
        if self.sandbox.world is not world:
            # It was held over a reset: the world that it asks is gone, and the new one must not notice.
            await wire.close()

    async def _deliver(self, wire: Wire, answer: Answer, struck: list[ActiveFault]) -> None:
        by_name = {fault.name: fault for fault in struck}
        if "reset_mid_body" in by_name:
            await wire.send_half(answer)
        elif "slow_drip" in by_name:
            await wire.drip(answer, **by_name["slow_drip"].options)
        else:
            await wire.send(answer)


async def read_request(scope: Scope, receive: Receive) -> Request | None:
    """None when the body is too large."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST_BYTES:
            return None
    return Request(
        method=scope["method"],
        path=scope["path"],
        headers=dict(scope["headers"]),
        body=body,
        address=scope["client"][0] if scope["client"] else "",
        query=scope["query_string"],
    )


class Protocol(HttpToolsProtocol):
    """Hands the connection's transport to the app."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"sandbox.transport": {"transport": self.transport}}


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again after a clean end, and the process would not exit with 0.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        yield

    def stop(self) -> None:
        self.should_exit = True

    async def stop_with_parent(self, parent: int) -> None:
        while os.getppid() == parent:
            await asyncio.sleep(PARENT_POLL_S)
        self.stop()


def bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as reason:
        listener.close()
        if reason.errno == errno.EADDRINUSE:
            raise BadInput(f"port {port} on {host} is in use; take another, or 0 for any free one") from None
        raise BadInput(f"cannot listen on {host} port {port}: {reason.strerror or reason}") from None
    return listener


def serve(sandbox: Sandbox, listener: socket.socket, *, parent: int | None, ready: Callable[[], None]) -> None:
    """Runs until SIGTERM or SIGINT, or until the parent process is gone when one is given; calls `ready` once."""
    # Before the loop has its own handlers, Ctrl-C is an exception: nothing was served yet, so nothing needs an end.
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sandbox, listener, parent, ready))


async def _serve(sandbox: Sandbox, listener: socket.socket, parent: int | None, ready: Callable[[], None]) -> None:
    config = uvicorn.Config(
        App(sandbox),
        http=Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    server = Server(config, ready)
    watch = asyncio.create_task(server.stop_with_parent(parent)) if parent is not None else None
    await server.serve(sockets=[listener])
    if watch is not None:
        watch.cancel()
