"""The protocol around one request: when the same bytes may leave again, and what is known in the end."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from shopify_xero_pipeline.loading.batch_sender import BatchSender, DeliveryResult, DeliveryStatus
from shopify_xero_pipeline.state.journal import JournalOrderError
from shopify_xero_pipeline.state.records import Batch, BatchRequest
from shopify_xero_pipeline.state.tables import batch
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroSignInError
from shopify_xero_pipeline_tests.support.records import contact, invoice
from shopify_xero_pipeline_tests.support.world import World, counted


class Line:
    """One batch, and a Xero that answers as told; every request takes some seconds."""

    def __init__(self, folder: Path, *answers: httpx.Response | Exception, takes: float = 1) -> None:
        self.world = World(folder)
        self.clock = self.world.clock
        self.journal = self.world.store.journal
        self.sent: list[tuple[float, bytes, str]] = []
        self.answers = list(answers)
        self.takes = takes
        self.sign_in = 200
        client = XeroClient(
            XeroCredentials("id", "x"),
            clock=self.clock,
            transport=httpx.MockTransport(self._answer),
            rng=random.Random(3),
        )
        self.began = self.clock.now()
        self.slot = client.ready()
        self.delivery = BatchSender(client, self.journal, self.clock)
        self.batch = self.journal.intend(
            BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key="key"), []
        )
        self.began = self.clock.now()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            return httpx.Response(self.sign_in, json={"access_token": "t", "expires_in": 1800})
        if request.method == "GET":
            return httpx.Response(200, json={}, headers={"Date": "Tue, 22 Sep 2026 00:00:00 GMT"})
        at = (self.clock.now() - self.began).total_seconds()
        self.sent.append((at, request.content, request.headers["idempotency-key"]))
        self.clock.sleep(self.takes)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send(self) -> DeliveryResult:
        return self.delivery.send(self.batch, self.slot)

    def reload(self) -> Batch:
        return next(one for one in self.journal.unsettled() if one.id == self.batch.id)


def ok() -> httpx.Response:
    return httpx.Response(200, json={"Invoices": []})


def limited(problem: str = "minute", **headers: str) -> httpx.Response:
    return httpx.Response(429, headers={"X-Rate-Limit-Problem": problem, **headers})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
        httpx.Response(200, text="<html>"),
        limited(**{"Retry-After": "60"}),
        limited("concurrent"),
        httpx.ConnectError("down"),
    ],
)
def test_a_lost_answer_is_replayed_with_the_same_key_and_bytes(
    tmp_path: Path, trouble: httpx.Response | Exception
) -> None:
    line = Line(tmp_path, trouble, ok())

    assert line.send().status is DeliveryStatus.ANSWERED

    assert [(body, key) for _, body, key in line.sent] == [(b"{}", "key")] * 2


@pytest.mark.parametrize("takes", [0.5, 29.9])
def test_nothing_leaves_later_than_two_minutes_after_the_first_byte(tmp_path: Path, takes: float) -> None:
    line = Line(tmp_path, httpx.ReadTimeout("slow"), takes=takes)

    reply = line.send()

    assert reply.status is DeliveryStatus.UNKNOWN
    assert len(line.sent) >= 3
    assert max(at for at, _, _ in line.sent) <= 90


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (httpx.Response(500), DeliveryStatus.UNKNOWN),
        (httpx.Response(501), DeliveryStatus.UNKNOWN),
        (httpx.Response(302), DeliveryStatus.UNKNOWN),
        (httpx.Response(400, text="what?"), DeliveryStatus.UNKNOWN),
        (httpx.Response(400, json={"ErrorNumber": 10, "Message": "m"}), DeliveryStatus.UNKNOWN),
        (httpx.Response(400, json={"ErrorNumber": 14, "Message": "m"}), DeliveryStatus.REJECTED),
        (httpx.Response(400, json={"ErrorNumber": 17, "Message": "m"}), DeliveryStatus.REJECTED),
        (httpx.Response(413), DeliveryStatus.REJECTED),
        (httpx.Response(404, text="cannot be found"), DeliveryStatus.UNREACHABLE),
        (httpx.Response(401), DeliveryStatus.DENIED),
        (httpx.Response(403), DeliveryStatus.DENIED),
        (limited("day"), DeliveryStatus.QUOTA_EXHAUSTED),
        (limited(**{"Retry-After": "66975"}), DeliveryStatus.QUOTA_EXHAUSTED),
    ],
)
def test_an_answer_that_says_enough_is_not_asked_for_again(
    tmp_path: Path, answer: httpx.Response, fate: DeliveryStatus
) -> None:
    line = Line(tmp_path, answer)

    assert line.send().status is fate

    assert len(line.sent) == (2 if answer.status_code == 401 else 1)


@pytest.mark.parametrize(
    ("trouble", "fate"),
    [(httpx.ConnectError("down"), DeliveryStatus.UNREACHABLE), (limited("concurrent"), DeliveryStatus.RATE_LIMITED)],
)
def test_what_never_reached_xero_is_known_not_to_be_executed(
    tmp_path: Path, trouble: httpx.Response | Exception, fate: DeliveryStatus
) -> None:
    line = Line(tmp_path, trouble)

    assert line.send().status is fate


@pytest.mark.parametrize(
    "last",
    [httpx.ConnectError("down"), limited("day"), httpx.Response(401), httpx.Response(413), httpx.Response(403)],
)
def test_one_lost_answer_leaves_doubt_whatever_comes_after_it(tmp_path: Path, last: httpx.Response | Exception) -> None:
    line = Line(tmp_path, httpx.ReadError("reset"), last)

    assert line.send().status is DeliveryStatus.UNKNOWN


def test_a_spent_day_in_the_middle_of_replays_leaves_doubt(tmp_path: Path) -> None:
    spent = httpx.Response(503, headers={"X-DayLimit-Remaining": "0"})
    line = Line(tmp_path, spent)

    reply = line.send()

    assert reply.status is DeliveryStatus.UNKNOWN
    assert len(line.sent) == 1


def test_a_request_that_comes_too_late_after_its_mark_does_not_leave(tmp_path: Path) -> None:
    line = Line(tmp_path, ok())
    record_send = line.journal.send_watermark.record_send

    def record_late(mark_sent: Callable[[], Batch]) -> Batch:
        marked = record_send(mark_sent)
        line.clock.sleep(120.5)
        return marked

    line.journal.send_watermark.record_send = record_late  # type: ignore[method-assign]

    reply = line.send()

    assert (reply.status, line.sent) == (DeliveryStatus.RATE_LIMITED, []), (
        "nothing has left, so it may be planned afresh"
    )


def test_only_the_process_that_marked_a_request_sends_it(tmp_path: Path) -> None:
    line = Line(tmp_path, ok())
    line.journal.mark_sent(line.batch)

    with pytest.raises(JournalOrderError, match="is sent, not intent"):
        line.delivery.send(line.reload(), line.slot)

    assert line.sent == []


def test_a_clock_that_goes_back_between_marking_and_sending_stops_the_request(tmp_path: Path) -> None:
    line = Line(tmp_path, ok())
    mark = line.journal.mark_sent

    def mark_and_turn_back(batch: Batch, **times: Any) -> Batch:
        marked = mark(batch, **times)
        line.clock._now -= timedelta(hours=1)
        return marked

    line.journal.mark_sent = mark_and_turn_back  # type: ignore[method-assign, assignment]

    assert line.send().status is DeliveryStatus.RATE_LIMITED, "nothing has left, so it may be planned afresh"
    assert line.sent == []


def test_a_request_that_comes_too_late_after_one_without_an_answer_leaves_doubt(tmp_path: Path) -> None:
    line = Line(tmp_path, httpx.ReadTimeout(""), ok())
    line.delivery._client.pause = lambda _answer, _attempt: 90.0  # type: ignore[method-assign, assignment]
    sleep = line.clock.sleep
    line.clock.sleep = lambda seconds: sleep(seconds + 31)  # type: ignore[method-assign]

    assert line.send().status is DeliveryStatus.UNKNOWN
    assert len(line.sent) == 1


def test_a_request_is_marked_with_xeros_time_and_when_it_is_quiet(tmp_path: Path) -> None:
    """The client asked at 00:00:00 by Xero's clock; 100 s later, less than a second more has passed there."""
    line = Line(tmp_path, httpx.Response(500))
    line.clock.sleep(100)

    line.send()

    sent = line.reload()
    assert sent.xero_sent_at == datetime(2026, 9, 22, 0, 1, 41, tzinfo=UTC)
    assert sent.xero_quiet_at == datetime(2026, 9, 22, 0, 11, 41, tzinfo=UTC)


def test_after_our_clock_was_set_xeros_time_is_not_known_until_it_is_asked_again(tmp_path: Path) -> None:
    line = Line(tmp_path, httpx.Response(500))
    line.clock._now += timedelta(days=3)

    line.send()

    assert line.reload().xero_sent_at is None


@pytest.mark.parametrize(("sign_in", "fate"), [(400, DeliveryStatus.DENIED), (503, DeliveryStatus.UNREACHABLE)])
def test_a_token_that_cannot_be_renewed_in_the_middle_of_a_write_has_executed_nothing(
    tmp_path: Path, sign_in: int, fate: DeliveryStatus
) -> None:
    line = Line(tmp_path, httpx.Response(401))
    line.sign_in = sign_in

    assert line.send().status is fate


def test_credentials_that_are_no_longer_accepted_stop_the_load_and_leave_the_records_planned(world: World) -> None:
    world.load(contact())
    world.options.client_secret = "changed"
    world.wait(1801)
    with pytest.raises(XeroSignInError, match="XERO_CLIENT_ID"):
        world.load(invoice())

    world.options.client_secret = "sandbox"
    assert counted(world.load(invoice())) == {"created": 1}


def test_the_same_seed_never_gives_the_same_key_twice(world: World) -> None:
    for number in range(1, 4):
        world.seed = 0
        world.restart()
        world.load(contact(number))

    with world.store._engine.begin() as connection:
        keys = connection.scalars(select(batch.c.idempotency_key)).all()
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {128}
