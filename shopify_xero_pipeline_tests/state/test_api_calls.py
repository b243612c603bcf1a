"""Tests of the log of calls to Xero, which all processes share."""

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.api_calls import LIMITS_KEY, Call, InMemoryCalls, SharedCalls
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import api_call

START = datetime(2026, 9, 22, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def other(url: str, store: StateStore, clock: ManualClock) -> Iterator[SharedCalls]:
    """Another process on the same store."""
    with closing(StateStore(url, clock)) as store:
        yield store.calls


def begin(calls: InMemoryCalls) -> Call:
    with calls.transaction() as traffic:
        return traffic.start()


def end(calls: InMemoryCalls, call: Call) -> None:
    with calls.transaction() as traffic:
        traffic.end(call)


def under_way(calls: InMemoryCalls) -> int:
    with calls.transaction() as traffic:
        return traffic.under_way


def counted(calls: InMemoryCalls) -> int:
    with calls.transaction() as traffic:
        return len(traffic.calls)


def stored_starts(store: StateStore) -> list[datetime]:
    with store._engine.begin() as connection:
        return [*connection.scalars(select(api_call.c.started_at).order_by(api_call.c.id))]


def test_a_call_is_known_to_other_processes_from_its_start_to_a_minute_after_its_arrival(
    store: StateStore, other: SharedCalls, clock: ManualClock
) -> None:
    first, _second = begin(store.calls), begin(other)
    assert (under_way(store.calls), under_way(other)) == (2, 2)

    clock.sleep(10)
    end(store.calls, first)
    assert (under_way(other), counted(other)) == (1, 2)

    clock.sleep(51.9)
    assert (under_way(other), counted(other)) == (0, 2)
    clock.sleep(0.1)
    assert counted(other) == 0


def test_a_client_without_a_store_keeps_the_same_record_for_itself(clock: ManualClock) -> None:
    calls = InMemoryCalls(clock)
    call = begin(calls)
    assert (under_way(calls), counted(calls)) == (1, 1)
    clock.sleep(10)
    end(calls, call)
    assert (under_way(calls), counted(calls)) == (0, 1)
    clock.sleep(60)
    assert counted(calls) == 0


def test_a_call_whose_process_died_is_in_flight_for_a_minute_and_counts_for_another(
    store: StateStore, other: SharedCalls, clock: ManualClock
) -> None:
    begin(store.calls)
    clock.sleep(59.9)
    assert under_way(other) == 1
    clock.sleep(0.1)
    assert (under_way(other), counted(other)) == (0, 1)
    clock.sleep(60)
    assert counted(other) == 0


def test_what_is_known_of_the_limits_is_known_to_all(store: StateStore, other: SharedCalls, clock: ManualClock) -> None:
    with store.calls.transaction() as traffic:
        traffic.status.day_left = 17
        traffic.status.not_before = START + timedelta(seconds=26)
    with other.transaction() as traffic:
        assert (traffic.status.day_left, traffic.status.not_before) == (17, START + timedelta(seconds=26))


def test_what_cannot_be_read_of_the_limits_begins_anew(store: StateStore) -> None:
    for damaged in ('{"day_left": 1', '{"day_left": "many"}', ""):
        store.put_value(LIMITS_KEY, damaged)
        with store.calls.transaction() as traffic:
            assert traffic.status.day_left is None


def test_a_turn_that_ends_in_an_error_leaves_no_call_behind(store: StateStore, other: SharedCalls) -> None:
    with suppress(RuntimeError), store.calls.transaction() as traffic:
        traffic.start()
        traffic.status.day_left = 17
        raise RuntimeError
    with other.transaction() as traffic:
        assert (traffic.calls, traffic.status.day_left) == ([], None)


def test_calls_are_forgotten_after_ten_minutes(store: StateStore, clock: ManualClock) -> None:
    begin(store.calls)
    clock.sleep(300)
    second = begin(store.calls)
    assert stored_starts(store) == [START, START + timedelta(minutes=5)]
    clock.sleep(301)
    third = begin(store.calls)
    assert stored_starts(store) == [second.started_at, third.started_at]
    clock.sleep(600)
    last = begin(store.calls)
    assert stored_starts(store) == [last.started_at]


def test_a_process_that_slept_for_an_hour_does_not_end_the_call_of_another_one(
    store: StateStore, other: SharedCalls, clock: ManualClock
) -> None:
    slept = begin(store.calls)
    clock.sleep(3600)
    begin(other)  # on SQLite it gets the id that the forgotten one had
    end(store.calls, slept)
    assert under_way(other) == 1


def test_calls_entered_before_the_clock_was_put_back_are_not_reckoned_with(
    store: StateStore, clock: ManualClock
) -> None:
    begin(store.calls)
    clock._now -= timedelta(hours=1)
    assert (under_way(store.calls), counted(store.calls)) == (0, 0)
    clock._now += timedelta(minutes=59, seconds=30)
    assert counted(store.calls) == 1
