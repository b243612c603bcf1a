"""Tests of webhook hints: each counts once, stays open until processed, and is deleted in time, unlike requests."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.quarantine import quarantine_store
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

NOW = datetime(2026, 9, 22, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def hint(number: int, **other: object) -> WebhookHint:
    given = {
        "id": f"content {number}",
        "source": "shopify",
        "topic": "orders/updated",
        "record": "order",
        "record_id": str(number),
        "delivery": f"delivery {number}",
        "received_at": NOW + timedelta(seconds=number),
    }
    return WebhookHint.model_validate({**given, **other})


def request(number: int, topic: str = "customers/redact") -> WebhookHint:
    return hint(number, topic=topic, record="customer", orders="11 12")


def test_a_delivery_is_new_once_also_under_another_name_or_beside_itself(store: StateStore) -> None:
    assert store.hints.add([hint(1), hint(2), hint(1)]) == [True, True, False]
    assert store.hints.add([hint(1), hint(3)]) == [False, True]
    assert store.hints.add([hint(4, id="content 1"), hint(5, delivery="delivery 2")]) == [False, False]
    assert store.hints.add([]) == []
    assert [one.record_id for one in store.hints.open()] == ["1", "2", "3"]


def test_hints_are_read_as_they_were_kept_oldest_first_and_by_source(store: StateStore) -> None:
    mine = hint(2, happened_at=NOW), hint(1, source="xero", record="invoice")
    store.hints.add(mine)
    assert store.hints.open() == [mine[1], mine[0]]
    assert store.hints.open("xero") == [mine[1]]


def test_more_hints_than_fit_into_one_question_are_taken_in_and_a_thousand_are_given_at_once(store: StateStore) -> None:
    many = [hint(number) for number in range(1_200)]
    assert all(store.hints.add(many))
    assert not any(store.hints.add(many))
    assert [one.record_id for one in store.hints.open()] == [str(number) for number in range(1_000)]


def test_what_was_looked_at_is_open_no_more_and_what_came_meanwhile_is(store: StateStore, clock: ManualClock) -> None:
    store.hints.add([hint(1), hint(2)])
    seen = store.hints.open()
    store.hints.add([hint(3)])
    store.hints.mark_processed(seen)
    clock.sleep(60)
    store.hints.mark_processed(seen)
    assert [one.record_id for one in store.hints.open()] == ["3"]
    assert store.hints.add([hint(1)]) == [False]


def test_old_hints_are_forgotten_looked_at_or_not_and_privacy_requests_never(store: StateStore) -> None:
    topics = ("customers/data_request", "customers/redact", "shop/redact")
    requests = [request(number, topic) for number, topic in enumerate(topics)]
    store.hints.add([*requests, hint(10), hint(11), hint(12)])
    store.hints.mark_processed([requests[0], hint(10)])

    assert store.hints.purge_before(NOW + timedelta(seconds=12)) == 2

    assert store.hints.open() == [hint(12)]
    assert store.hints.requests() == requests[1:]
    assert [one.topic for one in store.hints.requests(open_only=False)] == list(topics)
    assert store.hints.requests(open_only=False)[0].processed_at == NOW


def test_a_new_store_in_the_place_of_another_one_knows_its_privacy_requests(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    store.hints.add([request(1), hint(2)])
    store.close()
    aside = quarantine_store(url, NOW)
    assert aside is not None
    with closing(StateStore(url, clock)) as new:
        new.import_rows(aside.carried_over)
        new.verify()
        assert (new.hints.requests(), new.hints.open()) == ([request(1)], [])


def test_a_hint_that_was_changed_behind_our_back_is_not_used(store: StateStore, url: str) -> None:
    store.hints.add([hint(1)])
    engine = open_database(url).engine
    with engine.begin() as connection:
        connection.execute(text("UPDATE webhook_hint SET record_id = '2'"))
    engine.dispose()
    with pytest.raises(StoreDamagedError, match="a row of webhook_hint does not match its checksum"):
        store.hints.open()
    with pytest.raises(StoreDamagedError, match="a row of webhook_hint"):
        store.verify()
