"""Tests of the store's metrics, on both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.records import BatchRequest, HistoryRow, OperationOutcome, OperationState, PlannedWrite
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

NOW = datetime(2026, 9, 22, 12, tzinfo=UTC)
DAY = date(2026, 9, 22)
FOUND = {
    "created": 0, "updated": 0, "adopted": 0, "deleted": 0, "unchanged": 0, "failed": 0, "postponed": 0
}  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def write(number: int) -> PlannedWrite:
    return PlannedWrite(
        kind="invoice", shopify_id=str(number), natural_key=f"SH-{number}", payload="{}", partition=DAY, run_id="run",
        verb="create", checksum="c",
    )  # fmt: skip


def history(run_id: str, kind: str, finished_at: datetime, seconds: int, **counts: int) -> HistoryRow:
    return HistoryRow(
        run_id=run_id, partition=DAY, kind=kind, finished_at=finished_at, duration_ms=seconds * 1_000, calls=3, **counts
    )


def test_an_empty_store_has_no_figures_but_zeros(store: StateStore) -> None:
    found = store.metrics()
    assert (found.operations, found.mapped, found.failed, found.hints) == ({}, {}, {}, {})
    assert (found.unsettled, found.unsettled_since, found.calls, found.latencies) == (0, None, 0, [])
    assert (found.loads, found.last_whole_load, found.last_comparison) == ([], None, None)
    assert found.requests == (0, None)


def test_writes_are_counted_by_state_and_the_oldest_in_doubt_gives_its_time(
    store: StateStore, clock: ManualClock
) -> None:
    journal = store.journal
    journal.plan([write(1), write(2), write(3)])
    first, second, _third = journal.in_state(OperationState.PLANNED)
    request = BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key="a")
    sent = journal.mark_sent(journal.intend(request, [first]))
    clock.sleep(60)
    journal.intend(request.model_copy(update={"idempotency_key": "b"}), [second])
    found = store.metrics()
    assert found.operations == {"planned": 1, "in_batch": 2}
    assert (found.unsettled, found.unsettled_since) == (2, NOW)

    refused = OperationOutcome(
        operation_id=first.id, expected_state=(OperationState.IN_BATCH, sent.id), state=OperationState.REJECTED,
        reason="no such account", retryable=False,
    )  # fmt: skip
    journal.settle([refused], sent, status=200)
    found = store.metrics()
    assert found.failed == {("invoice", False): 1}
    assert (found.unsettled, found.unsettled_since) == (1, NOW + timedelta(seconds=60))


def test_loads_of_the_last_day_are_told_apart_by_run_and_end(store: StateStore) -> None:
    store.record_history(
        [
            history("old", "contact", NOW - timedelta(hours=25), 9, created=1),
            history("a", "contact", NOW - timedelta(hours=3), 2, created=4),
            history("a", "payment", NOW - timedelta(hours=2), 5, created=1, failed=1),
            history("a", "allocation", NOW - timedelta(hours=2), 5, unchanged=2),
        ]
    )
    first, second = store.metrics().loads
    assert (first.run_id, first.duration, first.calls, first.is_clean) == ("a", timedelta(seconds=2), 3, True)
    assert first.records == FOUND | {"created": 4}
    assert (second.duration, second.calls, second.is_clean) == (timedelta(seconds=5), 3, False)
    assert second.records == FOUND | {"created": 1, "failed": 1, "unchanged": 2}
    assert store.metrics().last_whole_load == NOW - timedelta(hours=3)


def test_calls_of_the_last_ten_minutes_give_how_long_xero_took(store: StateStore, clock: ManualClock) -> None:
    for seconds in (2, 1):
        with store.calls.transaction() as traffic:
            call = traffic.start()
        clock.sleep(seconds)
        with store.calls.transaction() as traffic:
            traffic.end(call)
            traffic.status.day_left = 4_321
    with store.calls.transaction() as traffic:
        traffic.start()
    found = store.metrics()
    assert (found.calls, sorted(found.latencies), found.standing.day_left) == (3, [1, 2], 4_321)
    clock.sleep(601)
    assert store.metrics().calls == 0


def test_hints_requests_and_comparisons_are_counted(store: StateStore, clock: ManualClock) -> None:
    def hint(number: int, source: str, topic: str = "orders/paid") -> WebhookHint:
        return WebhookHint(
            id=str(number), source=source, topic=topic, record="order", record_id="1", delivery=str(number),
            received_at=NOW + timedelta(seconds=number),
        )  # fmt: skip

    asked = [hint(1, "shopify", "shop/redact"), hint(2, "shopify", "customers/redact")]
    store.hints.add([*asked, hint(3, "shopify"), hint(4, "xero"), hint(5, "xero")])
    store.hints.mark_processed([asked[0], hint(4, "xero")])
    store.put_value("reconciliation.2026-09-21", "{}")
    found = store.metrics()
    assert found.hints == {"shopify": 1, "xero": 1}
    assert found.requests == (1, NOW + timedelta(seconds=2))
    assert found.last_comparison == NOW
