"""Sockets that check the limits of the current exchange before each name look-up, connection, handshake, send and read.

They implement httpcore's public interfaces for network backends. httpcore's own sockets apply a time-out to a single
operation: each partial send, each read and each address restarts it, and a name look-up has none.
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
"""Size of one send in bytes; the limits are checked before each."""

Address = tuple[Any, ...]


class Network(httpcore.NetworkBackend):
    """The TCP network of this machine."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of a host that accepts the connection.

        Args:
            host: name or address.
            port: TCP port.
            timeout: seconds for each address; None applies only the limit of the exchange.
            local_address: not supported.
            socket_options: not supported.

        Raises:
            httpcore.ConnectError: the name is unknown, or no address accepts the connection.
            httpcore.ConnectTimeout: no address accepts it in time.
        """
        assert local_address is None
        assert not socket_options
        with _map_errors(httpcore.ConnectTimeout, httpcore.ConnectError):
            failure = OSError(f"{host} has no address")
            for family, kind, protocol, _, address in _resolve(host, port):
                try:
                    return Stream(_connect(family, kind, protocol, address, timeout))
                except OSError as error:
                    failure = error
            raise failure


class Stream(httpcore.NetworkStream):
    """A connection, plain or encrypted."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return received bytes, waiting for the first; empty when the peer has closed the connection.

        Raises:
            AnswerTooLargeError: the size limit is used up.
            httpcore.ReadError: the connection broke.
            httpcore.ReadTimeout: nothing arrived in time.
        """
        exchange = current_exchange()
        with _map_errors(httpcore.ReadTimeout, httpcore.ReadError):
            self._connection.settimeout(exchange.seconds(timeout))
            part = self._connection.recv(exchange.bytes_left(max_bytes))
        exchange.count_received(len(part))
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send the whole buffer.

        Raises:
            httpcore.WriteError: the connection broke.
            httpcore.WriteTimeout: the peer did not accept it in time.
        """
        rest = memoryview(buffer)
        with _map_errors(httpcore.WriteTimeout, httpcore.WriteError):
            while rest:
                self._connection.settimeout(current_exchange().seconds(timeout))
                rest = rest[self._connection.send(rest[:CHUNK_BYTES]) :]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection with TLS.

        Args:
            ssl_context: trusted certificates.
            server_hostname: name in the peer's certificate.
            timeout: seconds of the handshake; None applies only the limit of the exchange.

        Raises:
            httpcore.ConnectError: the peer has no valid certificate, or no TLS.
            httpcore.ConnectTimeout: the handshake did not end in time; `ssl` applies one time-out to all of it.
        """
        try:
            with _map_errors(httpcore.ConnectTimeout, httpcore.ConnectError):
                self._connection.settimeout(current_exchange().seconds(timeout))
                return Stream(ssl_context.wrap_socket(self._connection, server_hostname=server_hostname))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Return the properties that httpcore needs; None for all others."""
        if info == "ssl_object" and isinstance(self._connection, ssl.SSLSocket):
            return self._connection
        if info == "is_readable":
            return _is_readable(self._connection)
        return None


def _connect(family: int, kind: int, protocol: int, address: Address, timeout: float | None) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(current_exchange().seconds(timeout))
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _resolve(host: str, port: int) -> list[tuple[int, int, int, str, Address]]:
    """Return the addresses of a host, as `getaddrinfo` does.

    `getaddrinfo` has no time-out, so a thread calls it. After a time-out the thread ends when the resolver gives up.

    Raises:
        OSError: the name is unknown.
        TimeoutError: the resolver did not answer in time.
    """
    results: SimpleQueue[Any] = SimpleQueue()

    def look_up() -> None:
        try:
            results.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.put(OSError(f"{host} cannot be resolved ({error})"))

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    try:
        result = results.get(timeout=current_exchange().seconds())
    except Empty:
        raise TimeoutError(f"{host} was not resolved in time") from None
    if isinstance(result, OSError):
        raise result
    addresses: list[tuple[int, int, int, str, Address]] = result
    return addresses


def _is_readable(connection: socket.socket) -> bool:
    """Return whether an idle connection has input: the peer closed it, or sent bytes without a request."""
    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def _map_errors(timeout: type[Exception], failure: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise failure(str(error)) from error
