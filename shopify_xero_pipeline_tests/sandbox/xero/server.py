"""A real socket for a test: uvicorn in a thread on a free port of the loopback."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from shopify_xero_pipeline.sandbox.transport import ASGIApp


class _Announcing(uvicorn.Server):
    """A server that says when it listens, so that nobody has to wait and look."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an app and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each answer takes 40 ms
    config = uvicorn.Config(
        app,
        log_config=None,
        lifespan="off",
        ws="none",
        loop="asyncio",
        date_header=False,  # the app's Date has its own clock's time
        timeout_graceful_shutdown=1,
    )
    server = _Announcing(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert server.listening.wait(10)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
