"""Sockets that check the limits of the present exchange at every operation: name, connection, TLS, each send and read.

These are httpcore's public interfaces for a network of one's own. httpcore's own sockets know the time-out of one
operation only: each partial send, each read and each address of a name begins it anew, and a name has none.
"""

import select
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

import httpcore

from shopify_xero_pipeline.http.exchange import current_exchange

CHUNK_BYTES = 65_536
"""Bytes that are handed to the kernel at once; the limits are checked before each piece."""

Address = tuple[Any, ...]


class Network(httpcore.NetworkBackend):
    """TCP connections of this machine."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a name that accepts.

        Args:
            host: a name or an address.
            port: of the host.
            timeout: seconds for each address; None leaves only the limit of the exchange.
            local_address: not supported.
            socket_options: not supported.

        Raises:
            httpcore.ConnectError: the name is unknown, or no address accepts.
            httpcore.ConnectTimeout: no address accepted in time.
        """
        assert local_address is None
        assert not socket_options
        with _raised_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            failure = OSError(f"{host} has no address")
            for family, kind, protocol, _, address in _resolved(host, port):
                try:
                    return Stream(_connected(family, kind, protocol, address, timeout))
                except OSError as error:
                    failure = error
            raise failure


class Stream(httpcore.NetworkStream):
    """One connection, encrypted or not."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, or wait for it; nothing means that the peer has ended the connection.

        Raises:
            AnswerTooLargeError: as much as is allowed was received already.
            httpcore.ReadError: the connection broke.
            httpcore.ReadTimeout: nothing came in time.
        """
        exchange = current_exchange()
        with _raised_as(httpcore.ReadTimeout, httpcore.ReadError):
            self._connection.settimeout(exchange.seconds(timeout))
            part = self._connection.recv(exchange.bytes_left(max_bytes))
        exchange.count_received(len(part))
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it.

        Raises:
            httpcore.WriteError: the connection broke.
            httpcore.WriteTimeout: the peer did not take it in time.
        """
        rest = memoryview(buffer)
        with _raised_as(httpcore.WriteTimeout, httpcore.WriteError):
            while rest:
                self._connection.settimeout(current_exchange().seconds(timeout))
                rest = rest[self._connection.send(rest[:CHUNK_BYTES]) :]

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the same connection, encrypted.

        Raises:
            httpcore.ConnectError: the peer does not show a valid certificate, or speaks no TLS.
            httpcore.ConnectTimeout: the handshake did not end in time; `ssl` bounds all of it by one time-out.
        """
        try:
            with _raised_as(httpcore.ConnectTimeout, httpcore.ConnectError):
                self._connection.settimeout(current_exchange().seconds(timeout))
                return Stream(ssl_context.wrap_socket(self._connection, server_hostname=server_hostname))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks of a connection; None for what it does without."""
        if info == "ssl_object" and isinstance(self._connection, ssl.SSLSocket):
            return self._connection
        if info == "is_readable":
            return _is_readable(self._connection)
        return None


def _connected(family: int, kind: int, protocol: int, address: Address, timeout: float | None) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(current_exchange().seconds(timeout))
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _resolved(host: str, port: int) -> list[tuple[int, int, int, str, Address]]:
    """Return the addresses of a name.

    `getaddrinfo` takes no time-out, so a thread calls it. If the time is over the thread is left behind, and ends when
    the resolver gives up.

    Raises:
        OSError: the name is unknown.
        TimeoutError: the resolver did not answer in time.
    """
    answers: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(OSError(f"{host} cannot be resolved ({error})"))

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=current_exchange().seconds())
    except Empty:
        raise TimeoutError(f"{host} was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    found: list[tuple[int, int, int, str, Address]] = answer
    return found


def _is_readable(connection: socket.socket) -> bool:
    """Tell whether something came on a connection that rests: the peer ended it, or sent what was not asked for."""
    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def _raised_as(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
