"""A peer on a real socket that answers in its own way, a little at a time, and goes on until the client has gone.

Each way of answering is a function of the connection. Nothing in it ever ends by itself.
"""

import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]
GAP = 0.02
"""Seconds between two pieces of an answer: many pieces fit into the shortest time limit of a test."""


def said(words: bytes) -> Answer:
    """Answer with these bytes."""
    return lambda connection: connection.sendall(words)


def hanging_up(words: bytes) -> Answer:
    """Answer with these bytes and end the connection."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_RDWR)

    return answer


def ok(body: bytes, *headers: bytes) -> Answer:
    """Answer 200 with a body."""
    lines = [b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers, b"", body]
    return said(b"\r\n".join(lines))


def dripping(beginning: bytes, piece: bytes, gap: float = GAP) -> Answer:
    """Answer with a beginning, then one piece after another."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(piece)
            time.sleep(gap)

    return answer


OPENED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
EMPTY_BLOCK = b"5\r\n\0\0\0\xff\xff\r\n"
"""A chunk with a block of deflate that unpacks to nothing."""

START_OF_GZIP = zlib.compressobj(9, zlib.DEFLATED, 31).flush(zlib.Z_FULL_FLUSH)

GZIP_OPENED = (
    OPENED
    + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"%x\r\n%s\r\n" % (len(START_OF_GZIP), START_OF_GZIP)
)

HEADER = dripping(b"HTTP/1.1 200 OK\r\nx-slow: ", b"a")
BODY = dripping(OPENED + b"content-length: 1000000\r\n\r\n", b" ")
CONTINUE = dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
GZIP = dripping(GZIP_OPENED, EMPTY_BLOCK)
SLOW = {"a header": HEADER, "a body": BODY, "answers 100": CONTINUE, "a gzip stream of nothing": GZIP}
"""The four ways in which an answer never ended once."""


@dataclass
class Peer:
    """Where it listens, the requests it was sent, and how many connections were made."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def peer(answer: Answer, *, reads: bool = True, first: dict[str, Answer] | None = None) -> Iterator[Peer]:
    """Serve on a port of this machine for as long as the block runs.

    Args:
        answer: what happens on a connection once a request has come.
        reads: whether requests are read at all; if not, the answer begins with the connection.
        first: other answers, by a text in the line of the request.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        made = Peer(listening.getsockname()[1])
        open_ones: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                made.connections += 1
                open_ones.append(connection)
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                while not reads or (request := _request(connection)):
                    if reads:
                        made.requests.append(request)
                    line = made.requests[-1].split(b"\r\n")[0].decode() if reads else ""
                    chosen = next((one for text, one in (first or {}).items() if text in line), answer)
                    chosen(connection)
                    if not reads:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
            thread.join()
            for one in open_ones:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def _request(connection: socket.socket) -> bytes:
    """Return one request, its body included; nothing if the client has gone."""
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(65_536)
        if not part:
            return b""
        found += part
    head, _, body = found.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
