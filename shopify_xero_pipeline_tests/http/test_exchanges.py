"""An exchange ends within its time, whatever the peer does, and receives no more than is allowed. Over real sockets."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.http import transport
from shopify_xero_pipeline.http.exchange import AnswerTooLargeError
from shopify_xero_pipeline.http.transport import build_client
from shopify_xero_pipeline_tests.http.peer import (
    EMPTY_BLOCK,
    GAP,
    GZIP_OPENED,
    OPENED,
    SLOW,
    Answer,
    Peer,
    dripping,
    hanging_up,
    ok,
    peer,
    said,
)

SECONDS = 0.3
SURELY = 10.0
"""Seconds within which an exchange of `SECONDS` has ended on the slowest machine; each of these never ended before."""


class NoWallClock(SystemClock):
    """A clock whose time of day must not be asked for."""

    def now(self) -> datetime:
        raise AssertionError("an exchange is measured by elapsed time")


@contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SURELY


def ask(address: str, seconds: float = SECONDS, **asked: Any) -> httpx.Response:
    with build_client(NoWallClock(), seconds) as http:
        return http.post(address, **asked)


SLOWER: dict[str, Answer] = {
    **SLOW,
    "answers 103 at full speed": dripping(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", gap=0),
    "headers without end": dripping(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "a chunk's extension": dripping(OPENED + b"transfer-encoding: chunked\r\n\r\n1;x=", b"y"),
    "chunks of a byte": dripping(OPENED + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "trailers": dripping(OPENED + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x: y\r\n"),
    "a body until the connection ends": dripping(OPENED + b"\r\n", b" "),
    "nothing": lambda _: time.sleep(SURELY),
}


@pytest.mark.parametrize("slow", SLOWER)
def test_an_answer_that_drips_ends_with_the_time_of_its_exchange(slow: str) -> None:
    with peer(SLOWER[slow]) as other, soon(), pytest.raises(httpx.TransportError) as caught:
        ask(other.address)
    assert isinstance(caught.value, httpx.ReadTimeout | AnswerTooLargeError)


def test_the_time_of_a_request_takes_the_place_of_the_clients() -> None:
    with (
        peer(SLOW["a body"]) as other,
        soon(),
        build_client(NoWallClock(), 600.0) as http,
        pytest.raises(httpx.ReadTimeout),
    ):
        http.get(other.address, timeout=SECONDS)


def test_a_peer_that_takes_no_body_ends_with_the_time_of_its_exchange() -> None:
    with peer(lambda _: time.sleep(SURELY), reads=False) as other, soon(), pytest.raises(httpx.WriteTimeout):
        ask(other.address, content=b"x" * 50_000_000)


def test_a_peer_that_takes_a_body_in_drops_ends_with_the_time_of_its_exchange() -> None:
    def sip(connection: socket.socket) -> None:
        while connection.recv(65_536):
            time.sleep(GAP)

    with peer(sip, reads=False) as other, soon(), pytest.raises(httpx.WriteTimeout):
        ask(other.address, content=b"x" * 200_000_000)


def test_a_handshake_that_drips_ends_with_the_time_of_its_exchange_and_nothing_was_sent() -> None:
    record = b"\x16\x03\x03\x3f\xff"  # the beginning of a record of 16 KB
    with peer(dripping(record, b"a"), reads=False) as other, soon(), pytest.raises(httpx.ConnectTimeout):
        ask(other.address.replace("http:", "https:"))


def test_a_host_that_does_not_accept_ends_with_the_time_of_its_exchange() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as full, ExitStack() as waiting:
        for _ in range(2):  # after these the kernel answers nobody
            one = waiting.enter_context(closing(socket.socket()))
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with soon(), pytest.raises(httpx.ConnectTimeout):
            ask(f"http://127.0.0.1:{full.getsockname()[1]}")


def test_a_name_that_is_not_resolved_ends_with_the_time_of_its_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: gone.wait())
    with soon(), pytest.raises(httpx.ConnectTimeout, match=r"^api\.example\.com was not resolved in time$"):
        ask("http://api.example.com")
    gone.set()


def test_a_name_that_does_not_exist_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpx.ConnectError, match=r"^api\.example\.com cannot be resolved"):
        ask("http://api.example.com", 60.0)


def addressed(*ports: int) -> Callable[..., list[tuple[Any, ...]]]:
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]


def test_a_host_of_which_one_address_is_down_is_reached_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        down = gone.getsockname()[1]
    with peer(ok(b"{}")) as other:
        monkeypatch.setattr(socket, "getaddrinfo", addressed(down, other.port))
        assert ask("http://api.example.com", 60.0).json() == {}
        monkeypatch.setattr(socket, "getaddrinfo", addressed(down, down))
        with pytest.raises(httpx.ConnectError):
            ask("http://api.example.com", 60.0)


def test_time_that_is_over_before_anything_began_is_no_connection() -> None:
    with peer(ok(b"{}")) as other, build_client(NoWallClock(), 0.0) as http, pytest.raises(httpx.ConnectTimeout):
        http.get(other.address)
    assert other.requests == []


# -- sizes -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 100_000)


def patient(other: Peer) -> httpx.Response:
    return ask(other.address, 60.0)


@pytest.mark.parametrize(
    "answer",
    [
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", gap=0),
        dripping(OPENED, b"x: y\r\n", gap=0),
        dripping(b"", b"a" * 100, gap=0),
        dripping(OPENED + b"\r\n", b"a" * 1_000, gap=0),
        dripping(OPENED + b"transfer-encoding: chunked\r\n\r\n", b"1;" + b"x" * 1_000 + b"\r\n \r\n", gap=0),
        dripping(GZIP_OPENED, EMPTY_BLOCK, gap=0),
    ],
)
@pytest.mark.usefixtures("small")
def test_an_answer_without_end_is_left_for_its_size_long_before_its_time_is_over(answer: Answer) -> None:
    with peer(answer) as other, soon(), pytest.raises(httpx.TransportError):
        patient(other)


@pytest.mark.usefixtures("small")
def test_a_body_may_be_as_long_as_it_may_be_and_not_a_byte_longer() -> None:
    with peer(ok(b"x" * 100_000)) as other:
        assert len(patient(other).content) == 100_000
    with peer(ok(b"x" * 100_001)) as other, pytest.raises(AnswerTooLargeError):
        patient(other)


# -- what works as ever ------------------------------------------------------------------------------------------------


def test_a_connection_serves_one_request_after_another() -> None:
    with peer(ok(b"{}")) as other, build_client(NoWallClock(), 10.0) as http:
        assert [http.get(other.address).status_code for _ in range(3)] == [200, 200, 200]
    assert (other.connections, len(other.requests)) == (1, 3)


def test_a_connection_that_the_peer_ended_is_not_used_again() -> None:
    with peer(ok(b"{}", b"connection: close")) as other, build_client(NoWallClock(), 10.0) as http:
        assert [http.get(other.address).status_code for _ in range(2)] == [200, 200]
    assert other.connections == 2


def test_a_peer_that_hangs_up_is_no_answer() -> None:
    for words in (b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"):
        with peer(hanging_up(words)) as other, pytest.raises(httpx.RemoteProtocolError):
            patient(other)


def test_a_large_body_leaves_whole_and_an_answer_of_several_pieces_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000
    with peer(ok(b"y" * 3_000_000)) as other, build_client(NoWallClock(), 60.0) as http:
        answer = http.post(other.address, content=body)
    assert answer.content == b"y" * 3_000_000
    assert other.requests[0].endswith(body)


def test_only_gzip_is_asked_for_and_no_redirect_is_followed() -> None:
    with peer(said(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n")) as other:
        assert patient(other).status_code == 302
    assert b"accept-encoding: gzip\r\n" in other.requests[0].lower()


# -- encrypted ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    with file.open("ab") as out:
        out.write(made.public_bytes(serialization.Encoding.PEM))
    return file


def encrypted(certificate: Path, answer: Answer) -> Answer:
    """Answer over TLS, once the request's headers have come."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def over_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as inner:
            found = b""
            while b"\r\n\r\n" not in found:
                found += inner.recv(65_536)
            answer(inner)

    return over_tls


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_create_ssl_context", lambda: ssl.create_default_context(cafile=str(certificate)))


@pytest.mark.usefixtures("trusted")
def test_an_encrypted_exchange_works_and_is_bounded_as_any_other(certificate: Path) -> None:
    with (
        peer(encrypted(certificate, ok(b"y" * 3_000_000)), reads=False) as other,
        build_client(NoWallClock(), 60.0) as http,
    ):
        answer = http.get(other.address.replace("http:", "https:"))
        assert answer.content == b"y" * 3_000_000
        assert answer.extensions["http_version"] == b"HTTP/1.1"
    for slow in SLOW.values():
        with peer(encrypted(certificate, slow), reads=False) as other, soon(), pytest.raises(httpx.ReadTimeout):
            ask(other.address.replace("http:", "https:"), 1.0)


@pytest.mark.usefixtures("trusted")
def test_a_peer_that_shakes_hands_and_takes_no_body_ends_with_the_time_of_its_exchange(certificate: Path) -> None:
    waits = encrypted(certificate, lambda _: time.sleep(SURELY))
    with peer(waits, reads=False) as other, soon(), pytest.raises(httpx.WriteTimeout):
        ask(other.address.replace("http:", "https:"), 1.0, content=b"x" * 50_000_000)


def test_a_certificate_that_nobody_vouches_for_is_no_connection(certificate: Path) -> None:
    with (
        peer(encrypted(certificate, ok(b"{}")), reads=False) as other,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        ask(other.address.replace("http:", "https:"), 60.0)


def test_the_trace_of_a_request_is_told_just_before_its_first_byte() -> None:
    told: list[str] = []
    with peer(ok(b"{}")) as other, build_client(NoWallClock(), 10.0) as http:
        http.get(other.address, extensions={"trace": lambda event, _: told.append(event)})
    assert told.index("connection.connect_tcp.complete") < told.index("http11.send_request_headers.started")
