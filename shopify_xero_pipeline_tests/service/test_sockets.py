"""The doors before real sockets: what is slow, endless, huge or crowded is ended, and costs little while it lasts."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.service.app import Service
from shopify_xero_pipeline.service.body_reader import BodyBuffer, Limits, RefusedRequestError
from shopify_xero_pipeline.service.hint_writer import MAX_WAITING, HintWriter
from shopify_xero_pipeline.service.server import serve
from shopify_xero_pipeline.settings import SettingsError
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.service.sending import Delivery, House, from_shopify, house, serving, sqlite

SOON = Limits(reading=0.1, headers=0.1, storing=30, connections=20)
GOOD = from_shopify("orders/paid", {"id": 1})


@contextmanager
def listening(folder: Path, limits: Limits = SOON) -> Iterator[tuple[House, str]]:
    with house(sqlite(folder), limits=limits) as made, serving(made.app, limits) as address:
        yield made, address


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[House, str]]:
    with listening(tmp_path) as both:
        yield both


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    assert parts.hostname
    return socket.create_connection((parts.hostname, parts.port or 0), timeout=30)


def head(delivery: Delivery, length: int | None = None, *more: str) -> bytes:
    lines = [f"POST {delivery.path} HTTP/1.1", "host: here"]
    lines += [f"{name}: {value}" for name, value in delivery.headers.items()]
    lines += [] if length is None else [f"content-length: {length}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def rest_of(connection: socket.socket, enough: int = sys.maxsize) -> bytes:
    """Everything that comes until the other side has ended the connection, or until it is enough."""
    found = b""
    try:
        while len(found) < enough and (part := connection.recv(65_536)):
            found += part
    except ConnectionResetError:
        pass
    return found


def push(connection: socket.socket, data: bytes, times: int) -> int:
    """Send and send until the other side has had enough, and return how often that went well."""
    for sent in range(times):
        try:
            connection.sendall(data)
        except OSError:
            return sent
    return times


def still_serves(both: tuple[House, str]) -> None:
    served, address = both
    assert httpx.post(address + GOOD.path, headers=GOOD.headers, content=GOOD.body).status_code == 200
    assert len(served.topics()) == 1


def test_a_delivery_is_answered_without_a_word_too_much(served: tuple[House, str]) -> None:
    answer = httpx.post(served[1] + GOOD.path, headers=GOOD.headers, content=GOOD.body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert {*answer.headers} == {"date", "content-length"}


@pytest.mark.parametrize(
    "beginning",
    [b"", b"P", b"POST /webhooks/shopify HTTP/1.1\r\n", b"POST /webhooks/shopify HTTP/1.1\r\nhost: here\r\nx: "],
)
def test_headers_that_do_not_come_to_an_end_end_the_connection(served: tuple[House, str], beginning: bytes) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(beginning)
        assert rest_of(connection) == b""
    still_serves(served)


def test_a_second_request_whose_headers_do_not_come_to_an_end_ends_the_connection(served: tuple[House, str]) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(head(GOOD, len(GOOD.body)) + GOOD.body + b"POST /webhooks")
        assert rest_of(connection).startswith(b"HTTP/1.1 200 OK")
    still_serves(served)


def test_a_body_that_does_not_come_is_waited_for_only_so_long(served: tuple[House, str]) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(head(GOOD, 100) + b'{"id"')
        assert rest_of(connection).startswith(b"HTTP/1.1 408 ")
    still_serves(served)


@pytest.mark.parametrize(
    ("beginning", "drip"),
    [
        (b"POST /webhooks/shopify HTTP/1.1\r\nx: ", b"y"),
        (b"POST /webhooks/shopify HTTP/1.1\r\n", b"x: y\r\n"),
        (head(GOOD, 100_000), b" "),
        (head(GOOD, None, "transfer-encoding: chunked"), b"1\r\n \r\n"),
        (b"GET /health HTTP/1.1\r\nhost: here\r\ncontent-length: 100000\r\n\r\n", b" "),
        (b"GET /nothing HTTP/1.1\r\nhost: here\r\n\r\nGET /nothing HTTP/1.1\r\nx: ", b"y"),
    ],
)
def test_a_request_that_drips_ends_the_connection(served: tuple[House, str], beginning: bytes, drip: bytes) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(beginning)
        for _ in range(1_000):
            try:
                connection.sendall(drip)
            except OSError:
                break
            time.sleep(0.01)
        else:
            pytest.fail("it dripped for ten seconds")
    still_serves(served)


def test_a_sender_that_goes_away_in_the_middle_leaves_nothing_behind(served: tuple[House, str]) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(head(GOOD, 100) + b'{"id"')
    still_serves(served)
    assert served[0].service.webhooks[GOOD.path].bodies.held == 0


def test_a_body_said_to_be_too_long_is_not_read_and_not_asked_for(served: tuple[House, str]) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(head(GOOD, 10_000_000, "expect: 100-continue"))
        assert rest_of(connection).startswith(b"HTTP/1.1 413 ")
    still_serves(served)


@pytest.mark.parametrize("framing", ["content-length: 100000000", "transfer-encoding: chunked"])
def test_a_body_without_end_is_not_read_to_its_end(served: tuple[House, str], framing: str) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(head(GOOD, None, framing))
        assert push(connection, b"10000\r\n" + b"a" * 65_536 + b"\r\n", 1_500) < 1_500
    still_serves(served)


def test_chunks_of_one_byte_are_read_for_only_so_long(served: tuple[House, str]) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(head(GOOD, None, "transfer-encoding: chunked"))
        assert push(connection, b"1\r\na\r\n", 1_000_000) < 1_000_000
    still_serves(served)


def test_a_body_that_nobody_asked_for_does_not_keep_a_connection(served: tuple[House, str]) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(b"GET /nothing HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n")
        assert push(connection, b"1\r\na\r\n", 1_000_000) < 1_000_000
    still_serves(served)


@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"x-%d: y\r\n" % number for number in range(100_000)),
        b"x: " + b"y" * 1_000_000 + b"\r\n",
        b"x-shopify-topic: orders/paid\r\n evil: folded\r\n\0\r\n",
        b"x-shopify-topic: orders/paid\nset-cookie: a=b\r\n\x01: x\r\n",
    ],
)
def test_headers_that_are_huge_or_none_are_refused(served: tuple[House, str], headers: bytes) -> None:
    with closing(connect(served[1])) as connection:
        push(connection, b"POST /webhooks/shopify HTTP/1.1\r\nhost: here\r\n" + headers + b"\r\n", 1)
        answer = rest_of(connection)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")  # it may be lost with the connection
        assert b"set-cookie" not in answer
    still_serves(served)


@pytest.mark.parametrize(
    "line", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_what_is_not_http_is_refused(served: tuple[House, str], line: bytes) -> None:
    with closing(connect(served[1])) as connection:
        connection.sendall(line)
        assert b" 200 " not in rest_of(connection)
    still_serves(served)


LONG = b"x" * 8_000_000
"""An answer that fills every buffer on its way."""

ONCE = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


async def at_length(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(LONG))]})
    await send({"type": "http.response.body", "body": LONG})


async def unmoved(scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing happens when the server begins and ends."""
    if scope["type"] == "http":
        await at_length(scope, receive, send)


def answers(address: str) -> bool:
    """Tell whether there is room for one more connection."""
    with closing(connect(address)) as connection:
        connection.sendall(ONCE)
        return rest_of(connection, 1) != b""


def is_cut(address: str) -> bool:
    """Wait until the only connection there may be is another's."""
    for _ in range(100):
        if answers(address):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("times", [1, 2, 100])
def test_a_reader_that_asks_and_never_reads_is_cut(times: int) -> None:
    with serving(unmoved, Limits(unread=0.2, connections=1)) as address, closing(connect(address)) as connection:
        connection.sendall(ONCE * times)
        time.sleep(0.1)
        assert is_cut(address)
        assert len(rest_of(connection)) < len(LONG)


def test_a_reader_that_pauses_and_goes_on_is_served() -> None:
    with serving(unmoved, Limits(unread=30, connections=1)) as address, closing(connect(address)) as connection:
        connection.sendall(ONCE * 2)
        time.sleep(0.5)
        assert not answers(address)
        found = 0
        while found < 2 * len(LONG):
            part = connection.recv(1_000_000)
            assert part
            found += len(part)


def test_more_connections_than_there_may_be_are_closed_and_those_there_are_go_on(tmp_path: Path) -> None:
    with listening(tmp_path, Limits(connections=3, headers=60, storing=30)) as (served, address), ExitStack() as held:
        crowd = [held.enter_context(closing(connect(address))) for _ in range(3)]
        for one in crowd:  # each is known to the server before the next one comes
            one.sendall(b"GET /nothing HTTP/1.1\r\nhost: here\r\n\r\n")
            assert one.recv(65_536).startswith(b"HTTP/1.1 404 ")
        assert rest_of(held.enter_context(closing(connect(address)))) == b""
        crowd[0].sendall(head(GOOD, len(GOOD.body)) + GOOD.body)
        assert crowd[0].recv(65_536).startswith(b"HTTP/1.1 200 ")
        assert len(served.topics()) == 1


def test_bodies_of_ten_megabytes_leave_no_trace_in_memory(tmp_path: Path) -> None:
    limits = Limits(storing=30)
    with listening(tmp_path, limits) as both:
        still_serves(both)
        tracemalloc.start()
        try:
            for _ in range(20):
                with closing(connect(both[1])) as connection:
                    connection.sendall(head(GOOD, None, "transfer-encoding: chunked"))
                    push(connection, b"10000\r\n" + b"a" * 65_536 + b"\r\n", 160)
                    rest_of(connection)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 5 * limits.body


# -- what cannot be told apart from outside ----------------------------------------------------------------------------


async def _parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_all_bodies_together_take_only_the_room_there_is() -> None:
    async def both() -> list[object]:
        bodies, first, gate = BodyBuffer(Limits(body=60, bodies=100)), asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"a" * 60
            first.set()
            await gate.wait()
            yield b""

        async def second() -> bytes:
            await first.wait()
            try:
                return await bodies.read(_parts(b"b" * 40, b"b"))
            finally:
                gate.set()

        found = await asyncio.gather(bodies.read(slow()), second(), return_exceptions=True)
        return [*found, bodies.held]

    first, second, held = asyncio.run(both())
    assert first == b"a" * 60
    assert isinstance(second, RefusedRequestError)
    assert (second.status, held) == (503, 0)


def hint(number: int) -> WebhookHint:
    now = SystemClock().now()
    return WebhookHint(
        id=str(number), source="xero", topic="t", record="r", record_id="1", delivery=str(number), received_at=now
    )


def test_a_store_that_takes_too_long_is_not_waited_for_and_what_it_was_given_is_written_all_the_same() -> None:
    written: list[WebhookHint] = []

    async def impatient() -> int:
        intake = HintWriter(written.extend, timeout_seconds=0)
        with pytest.raises(RefusedRequestError) as refused:
            await intake.submit([hint(1)])
        await intake.close()
        return refused.value.status

    assert asyncio.run(impatient()) == 503
    assert [one.id for one in written] == ["1"]


def test_more_deliveries_than_can_wait_are_sent_away_and_the_others_written_together() -> None:
    batches: list[int] = []

    async def crowd() -> list[object]:
        intake = HintWriter(lambda hints: batches.append(len(hints)), timeout_seconds=30)
        deliveries = [[hint(number)] for number in range(MAX_WAITING + 3)]
        found = await asyncio.gather(*(intake.submit(one) for one in deliveries), return_exceptions=True)
        await intake.close()
        return list(found)

    found = asyncio.run(crowd())
    assert sum(isinstance(one, RefusedRequestError) for one in found) == 3
    assert sum(batches) == MAX_WAITING
    assert len(batches) == 10


def test_a_look_at_metrics_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with listening(tmp_path) as (_, address):
        answer = httpx.get(f"{address}/metrics")
    assert answer.status_code == 503
    assert answer.text.startswith("# STATE_URL names sqlite:///")


# -- the process -------------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with house(sqlite(tmp_path)) as made, listening(tmp_path) as (_, address):
        port = urlsplit(address).port
        with pytest.raises(SettingsError, match=rf"^Port {port} of 127\.0\.0\.1 cannot be opened \(.*set SERVE_PORT"):
            serve(made.app, "127.0.0.1", port or 0, SOON, ready=lambda _: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
@pytest.mark.campaign
def test_the_command_serves_until_it_is_told_to_stop_and_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    environ = {
        **os.environ,
        "SHOPIFY_BASE_URL": "http://127.0.0.1:9",
        "XERO_BASE_URL": "http://127.0.0.1:9",
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "STATE_URL": sqlite(tmp_path),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-m", "shopify_xero_pipeline.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split(" on ")[1].split(" ")[0]
        sandboxs = from_shopify("orders/paid", {"id": 1}, secret="sandbox")
        delivery = sandboxs.bearing(
            x_shopify_shop_domain="sandbox.myshopify.com",
            x_shopify_triggered_at=SystemClock().now().isoformat(),
        )
        assert httpx.post(address + delivery.path, headers=delivery.headers, content=delivery.body).status_code == 200
        assert 'shopify_xero_hints{source="shopify"} 1.0' in httpx.get(f"{address}/metrics").text
        process.send_signal(number)
        assert process.wait(60) == 0


def test_the_service_without_anybody_asking_makes_no_connection(tmp_path: Path) -> None:
    with listening(tmp_path) as (made, _):
        assert isinstance(made.service, Service)
    assert not (tmp_path / "state.db").exists()
