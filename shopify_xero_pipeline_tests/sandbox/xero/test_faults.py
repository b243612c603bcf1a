"""Every fault does what it says, counts itself, and leaves behind what a real one would."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind, Faults
from shopify_xero_pipeline.sandbox.transport import InProcessTransport, Message, Receive, Scope, Send
from shopify_xero_pipeline_tests.sandbox.xero.caller import ZERO_GUID, Caller, invoice, payment
from shopify_xero_pipeline_tests.sandbox.xero.server import serving


class Till:
    """An app that counts what it committed and answers three records."""

    def __init__(self) -> None:
        self.committed = 0
        self.app = Starlette(routes=[Route("/{path:path}", self._ring, methods=["GET", "PUT", "POST"])])

    async def _ring(self, request: Request) -> Response:
        await request.body()
        self.committed += 1
        sales = [{"SaleID": str(number), "Amount": 0} for number in range(3)]
        return Response(json.dumps({"Sales": sales, "Total": 1}).replace("1}", "1.10}"))


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def client(till: Till, faults: Faults) -> httpx.Client:
    return httpx.Client(transport=InProcessTransport(faults.wrap(till.app)), base_url="https://api.example")


def test_a_fault_waits_for_its_method_its_path_and_its_body(client: httpx.Client, faults: Faults) -> None:
    fault = faults.add(Fault(kind=FaultKind.OFFLINE, method="PUT", path="/Invoices?x=1", body="SH-1"))
    assert client.get("/Invoices?x=1").status_code == 200
    assert client.put("/Items?x=1", content="SH-1").status_code == 200
    assert client.put("/Invoices?x=1", content="SH-2").status_code == 200
    assert client.put("/Invoices?x=1", content="SH-1").status_code == 503
    assert (fault.fired, fault.seen, faults.fired) == (1, 1, 1)


def test_a_fault_lets_calls_pass_first_and_fires_as_often_as_it_was_told(client: httpx.Client, faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.OFFLINE, after=2, times=2))
    assert [client.get("/a").status_code for _ in range(6)] == [200, 200, 503, 503, 200, 200]


def test_a_fault_without_a_number_of_times_never_ends(client: httpx.Client, faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.OFFLINE, times=None))
    assert {client.get("/a").status_code for _ in range(5)} == {503}


def test_minute_and_day_limits_say_when_to_come_back_and_concurrency_does_not(
    client: httpx.Client, faults: Faults
) -> None:
    faults.add(Fault(kind=FaultKind.MINUTE_LIMIT, retry_after=26))
    faults.add(Fault(kind=FaultKind.DAY_LIMIT, retry_after=66_975))
    faults.add(Fault(kind=FaultKind.MINUTE_LIMIT, retry_after=None))
    faults.add(Fault(kind=FaultKind.CONCURRENT_LIMIT))
    answers = [client.get("/a") for _ in range(4)]
    assert [answer.headers["X-Rate-Limit-Problem"] for answer in answers] == ["minute", "day", "minute", "concurrent"]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["26", "66975", None, None]
    assert {(answer.status_code, answer.content) for answer in answers} == {(429, b"")}


@pytest.mark.parametrize(
    ("kind", "error", "committed"),
    [
        (FaultKind.UNREACHABLE, httpx.ConnectError, 0),
        (FaultKind.DROP_BEFORE, httpx.ReadError, 0),
        (FaultKind.DROP_AFTER, httpx.ReadError, 1),
        (FaultKind.SLOW, httpx.ReadTimeout, 1),
    ],
)
def test_a_lost_connection_tells_the_client_nothing_of_what_was_committed(
    client: httpx.Client, faults: Faults, till: Till, kind: FaultKind, error: type[Exception], committed: int
) -> None:
    faults.add(Fault(kind=kind))
    with pytest.raises(error):
        client.put("/a")
    assert till.committed == committed


@pytest.mark.parametrize(
    ("kind", "status", "words", "committed"),
    [
        (FaultKind.SERVER_ERROR, 500, "Internal Server Error", 0),
        (FaultKind.SERVER_ERROR_AFTER_COMMIT, 500, "Internal Server Error", 1),
        (FaultKind.OFFLINE, 503, "temporarily unavailable", 0),
        (FaultKind.TOKEN_EXPIRED, 401, "TokenExpired: token expired at", 0),
        (FaultKind.HTML, 200, "<html>", 0),
    ],
)
def test_an_answer_of_another_kind_takes_the_place_of_the_real_one(
    client: httpx.Client, faults: Faults, till: Till, kind: FaultKind, status: int, words: str, committed: int
) -> None:
    faults.add(Fault(kind=kind))
    answer = client.put("/a")
    assert answer.status_code == status
    assert words in answer.text
    assert till.committed == committed


def test_a_late_call_is_carried_out_after_its_client_gave_up(client: httpx.Client, faults: Faults, till: Till) -> None:
    faults.add(Fault(kind=FaultKind.LATE, times=2))
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            client.put("/a")
    assert till.committed == 0
    assert (faults.deliver(), till.committed) == (2, 2)
    assert (faults.deliver(), till.committed) == (0, 2)


def test_a_late_call_meets_its_key_in_xero_within_six_minutes_and_acts_again_after_them(xero: Caller) -> None:
    xero.invoiced()
    body = {"Payments": [payment(amount=10)]}
    for wait, payments in ((359, 1), (360, 3)):
        xero.faults.add(Fault(kind=FaultKind.LATE, method="PUT"))
        keyed = {"Idempotency-Key": f"k{wait}"}
        with pytest.raises(httpx.ReadTimeout):
            xero.send("PUT", "Payments", body, keyed)
        xero.send("PUT", "Payments", body, keyed)
        xero.clock.sleep(wait)
        xero.faults.deliver()
        assert len(xero.books.payments) == payments


def test_any_answer_can_be_put_in_before_or_after_the_commit(client: httpx.Client, faults: Faults, till: Till) -> None:
    faults.add(Fault(kind=FaultKind.ANSWER, status=502, headers={"Retry-After": "1"}, answer="bad gateway"))
    faults.add(Fault(kind=FaultKind.ANSWER_AFTER_COMMIT, status=504))
    first, second = client.get("/a"), client.get("/a")
    assert (first.status_code, first.headers["Retry-After"], first.text) == (502, "1", "bad gateway")
    assert (second.status_code, till.committed) == (504, 1)


def test_a_truncated_answer_is_not_json(client: httpx.Client, faults: Faults, till: Till) -> None:
    faults.add(Fault(kind=FaultKind.TRUNCATED))
    with pytest.raises(json.JSONDecodeError):
        client.put("/a").json()
    assert till.committed == 1


def test_a_shuffled_answer_has_the_same_elements_in_another_order(client: httpx.Client, faults: Faults) -> None:
    for seed in range(8):
        faults.add(Fault(kind=FaultKind.SHUFFLED, seed=seed))
        answer = json.loads(client.put("/a").content, parse_float=Decimal)
        order = [sale["SaleID"] for sale in answer["Sales"]]
        assert sorted(order) == ["0", "1", "2"] != order
        assert answer["Total"] == Decimal("1.10")


def test_an_answer_without_ids_says_ok_and_names_the_zero_guid(client: httpx.Client, faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.NO_ID))
    assert {sale["SaleID"] for sale in client.put("/a").json()["Sales"]} == {ZERO_GUID}


def test_what_is_not_a_json_object_cannot_be_shuffled_and_comes_as_it_is(faults: Faults) -> None:
    async def one_list(_request: Request) -> Response:
        return Response("[1,2]")

    app = Starlette(routes=[Route("/a", one_list)])
    client = httpx.Client(transport=InProcessTransport(faults.wrap(app)), base_url="https://api.example")
    faults.add(Fault(kind=FaultKind.SHUFFLED))
    faults.add(Fault(kind=FaultKind.NO_ID))
    assert client.get("/a").text == "[1,2]" == client.get("/a").text


def test_rules_can_be_set_listed_and_cleared_over_http(client: httpx.Client, faults: Faults) -> None:
    control = httpx.Client(transport=InProcessTransport(faults.control()), base_url="https://control.example")
    assert control.post("/", json={"kind": "offline", "path": "/a"}).json()[0]["kind"] == "offline"
    client.get("/a")
    assert control.get("/").json()[0]["fired"] == 1
    assert "kind" in control.post("/", json={"kind": "unheard of"}).json()["error"]
    assert control.post("/", content=b"{").status_code == 400
    assert control.delete("/").json() == []
    assert client.get("/a").status_code == 200


def test_xero_remembers_a_500_under_its_key_and_a_new_key_shows_what_was_committed(xero: Caller) -> None:
    xero.faults.add(Fault(kind=FaultKind.SERVER_ERROR_AFTER_COMMIT, method="PUT"))
    keyed = {"Idempotency-Key": "k"}
    first = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, keyed)
    again = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, keyed)
    assert (first.status_code, again.content) == (500, first.content)
    assert "An error occurred in Xero" in first.json()["Detail"]
    fresh = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, {"Idempotency-Key": "k2"})
    assert "Invoice # must be unique." in fresh.text


def test_a_500_before_the_commit_leaves_nothing_and_is_remembered_too(xero: Caller) -> None:
    xero.faults.add(Fault(kind=FaultKind.SERVER_ERROR, method="PUT"))
    for _ in range(2):
        answer = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, {"Idempotency-Key": "k"})
        assert answer.status_code == 500
    assert xero.books.documents == {}


def test_a_marked_record_is_refused_with_the_given_words_and_the_rest_of_its_batch_is_saved(xero: Caller) -> None:
    xero.faults.add(Fault(kind=FaultKind.REFUSED, path="/Invoices", body="SH-2", answer="No."))
    batch = {"Invoices": [invoice(InvoiceNumber="SH-1"), invoice(InvoiceNumber="SH-2")]}
    answer = xero.send("PUT", "Invoices?summarizeErrors=false", batch).json()["Invoices"]
    assert [one["StatusAttributeString"] for one in answer] == ["OK", "ERROR"]
    assert answer[1]["ValidationErrors"] == [{"Message": "No."}]
    assert [document.number for document in xero.books.documents.values()] == ["SH-1"]


@pytest.fixture
def over_http(till: Till, faults: Faults) -> Iterator[httpx.Client]:
    with serving(faults.wrap(till.app)) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "committed"), [(FaultKind.UNREACHABLE, 0), (FaultKind.DROP_BEFORE, 0), (FaultKind.DROP_AFTER, 1)]
)
def test_over_a_socket_a_lost_connection_is_cut_in_the_middle_of_the_answer(
    over_http: httpx.Client, faults: Faults, till: Till, kind: FaultKind, committed: int
) -> None:
    faults.add(Fault(kind=kind))
    with pytest.raises(httpx.RemoteProtocolError):
        over_http.put("/a")
    assert till.committed == committed
    assert over_http.put("/a").status_code == 200


@pytest.mark.parametrize("came", [b"", b'{"Invoices": [{"Inv'])
def test_a_request_whose_sender_dies_before_all_of_it_has_come_is_none(till: Till, faults: Faults, came: bytes) -> None:
    """Xero would not execute it, nor remember a part of a body under its Idempotency-Key."""
    coming: list[Message] = [{"type": "http.disconnect"}, {"type": "http.request", "body": came, "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "PUT", "path": "/Invoices", "query_string": b"", "headers": []}
    asyncio.run(faults.wrap(till.app)(scope, receive, send))  # type: ignore[arg-type]
    assert (till.committed, sent) == (0, [])


def test_over_a_socket_a_slow_answer_holds_until_the_client_gives_up(faults: Faults, till: Till) -> None:
    faults.add(Fault(kind=FaultKind.SLOW))
    coming: list[Message] = [
        {"type": "http.request", "body": b""},
        {"type": "http.request"},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "PUT", "path": "/a", "query_string": b"", "headers": []}

    async def call() -> None:
        await faults.wrap(till.app)(scope, receive, send)

    asyncio.run(call())
    assert (till.committed, coming, sent) == (1, [], [])


def test_what_is_not_http_passes_untouched(faults: Faults) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        return

    async def start() -> None:
        await faults.wrap(app)({"type": "lifespan"}, receive, send)

    faults.add(Fault(kind=FaultKind.OFFLINE))
    asyncio.run(start())
    assert (seen, faults.fired) == (["lifespan"], 0)
