"""Tests of the removal of personal data: old payloads after a time, redacted Contacts at once."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.privacy import ContactOnItsWayError
from shopify_xero_pipeline.state.records import (
    BatchRequest,
    MirrorRecord,
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
)
from shopify_xero_pipeline.state.row_checksums import add_missing_checksums
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.verification import verify
from shopify_xero_pipeline_tests.support.rows import mapped_row, mirror_row

START = datetime(2026, 9, 21, 12, tzinfo=UTC)
DAY = date(2026, 9, 21)
JANE = '{"kind":"contact","name":"Jane Doe","shopify_id":"1"}'
BLANK = '{"kind":"contact","name":"Shopify customer 1","shopify_id":"1"}'


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def planned(store: StateStore, shopify_id: str = "1", payload: str = JANE) -> Operation:
    write = PlannedWrite(
        kind="contact",
        shopify_id=shopify_id,
        natural_key=f"shopify:{shopify_id}",
        payload=payload,
        checksum="sum",
        partition=DAY,
        run_id="run",
        verb="create",
    )
    store.journal.plan([write])
    return store.journal.latest("contact", [shopify_id])[shopify_id]


def sent(store: StateStore, shopify_id: str = "1") -> tuple[Operation, Any]:
    operation = planned(store, shopify_id)
    request = BatchRequest(
        kind="contact", method="PUT", path="/Contacts", body=b"Jane Doe", idempotency_key=f"key {shopify_id}"
    )
    batch = store.journal.mark_sent(store.journal.intend(request, [operation]))
    return store.journal.latest("contact", [shopify_id])[shopify_id], batch


def verdict(operation: Operation, state: OperationState, **more: Any) -> OperationOutcome:
    return OperationOutcome(
        operation_id=operation.id, expected_state=(operation.state, operation.batch_id), state=state, **more
    )


def confirmed(store: StateStore, shopify_id: str = "1") -> None:
    operation, batch = sent(store, shopify_id)
    mapped = mapped_row(
        shopify_id=shopify_id,
        xero_id=f"X{shopify_id}",
        natural_key=f"shopify:{shopify_id}",
        payload=JANE,
        posted_at=START,
    )
    done = verdict(operation, OperationState.CONFIRMED, outcome="created", mapped=mapped, mirrored=shown(shopify_id))
    store.journal.settle([done], batch, status=200)


def refused(store: StateStore, shopify_id: str = "1") -> None:
    operation, batch = sent(store, shopify_id)
    store.journal.settle([verdict(operation, OperationState.REJECTED, reason="refused")], batch, status=200)


def shown(shopify_id: str = "1", key: str | None = None) -> MirrorRecord:
    name = f'{{"ContactID":"X{shopify_id}","ContactStatus":"ACTIVE","EmailAddress":"j@example.com","Name":"Jane Doe"}}'
    return mirror_row(
        xero_id=f"X{shopify_id}",
        natural_key=f"shopify:{shopify_id}" if key is None else key,
        status="ACTIVE",
        updated_at=START,
        payload=name,
    )


def payloads(store: StateStore, table: str) -> Sequence[str]:
    with store._engine.begin() as connection:
        return list(connection.scalars(text(f"SELECT payload FROM {table} ORDER BY shopify_id")))


def test_a_settled_payload_is_emptied_after_its_time_and_its_hash_stays(store: StateStore, clock: ManualClock) -> None:
    confirmed(store)
    assert store.privacy.forget_payloads(START) == 0
    assert payloads(store, "operation") == [JANE]
    clock.sleep(60)
    assert store.privacy.forget_payloads(clock.now()) == 1
    emptied = store.journal.latest("contact", ["1"])["1"]
    assert (emptied.payload, emptied.checksum, emptied.xero_id) == ("", "sum", "X1")
    assert store.mapped("contact")["1"].payload == JANE
    verify(store._engine)
    assert store.privacy.forget_payloads(clock.now()) == 0


def test_what_is_not_settled_keeps_its_payload(store: StateStore, clock: ManualClock) -> None:
    planned(store, "1")
    sent(store, "2")
    clock.sleep(60)
    assert store.privacy.forget_payloads(clock.now()) == 0
    assert payloads(store, "operation") == [JANE, JANE]
    assert [batch.body for batch in store.journal.unsettled()] == [b"Jane Doe"]


def test_a_failed_record_keeps_its_payload_until_it_is_resolved(store: StateStore, clock: ManualClock) -> None:
    refused(store)
    clock.sleep(60)
    assert store.privacy.forget_payloads(clock.now()) == 0
    assert payloads(store, "sync_errors") == [JANE]
    store.retry_queue.resolve([("contact", "1")])
    clock.sleep(60)
    assert store.privacy.forget_payloads(clock.now()) == 2
    assert (payloads(store, "operation"), payloads(store, "sync_errors")) == ([""], [""])
    verify(store._engine)


def test_bytes_left_in_a_request_that_is_over_are_emptied(store: StateStore, clock: ManualClock) -> None:
    confirmed(store)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE batch SET response = :kept"), {"kept": b"Jane Doe"})
        add_missing_checksums(connection)
    clock.sleep(60)
    store.privacy.forget_payloads(clock.now())
    with store._engine.begin() as connection:
        assert connection.execute(text("SELECT response FROM batch")).scalar() is None
    verify(store._engine)


def test_more_than_one_portion_is_emptied(
    store: StateStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopify_xero_pipeline.state.privacy.MAX_ROWS", 2)
    for number in range(5):
        confirmed(store, str(number))
    clock.sleep(60)
    assert store.privacy.forget_payloads(clock.now()) == 5
    assert payloads(store, "operation") == [""] * 5


def test_a_damaged_row_is_not_blessed_with_a_new_seal(store: StateStore, clock: ManualClock) -> None:
    confirmed(store)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE operation SET xero_id = 'X9'"))
    clock.sleep(60)
    with pytest.raises(StoreDamagedError):
        store.privacy.forget_payloads(clock.now())
    assert payloads(store, "operation") == [JANE]


def test_a_redacted_contact_is_emptied_everywhere_and_stays_so(store: StateStore, clock: ManualClock) -> None:
    confirmed(store, "1")
    confirmed(store, "2")
    assert store.privacy.redact_contact("1", BLANK) == {"mapping": 1, "operations": 1, "failed records": 0, "mirror": 1}
    assert store.mapped("contact")["1"].payload == BLANK
    assert store.mapped("contact")["2"].payload == JANE
    assert payloads(store, "operation") == ["", JANE]
    stripped = '{"ContactID":"X1","ContactStatus":"ACTIVE"}'
    assert store.mirror_by_xero_id("contact", ["X1"])["X1"].payload == stripped
    for key in ("shopify:1", "", "changed by a person"):
        store.update_mirror("contact", [shown("1", key), shown("2")], START)
        assert store.mirror_by_xero_id("contact", ["X1"])["X1"].payload == stripped
    assert "Jane Doe" in store.mirror_by_xero_id("contact", ["X2"])["X2"].payload
    assert store.privacy.redact_contact("1", BLANK) == {"mapping": 0, "operations": 0, "failed records": 0, "mirror": 0}
    verify(store._engine)


def test_what_was_done_is_written_down_and_a_later_note_adds_to_it(store: StateStore) -> None:
    confirmed(store)
    store.privacy.redact_contact("1", BLANK)
    store.privacy.note_redaction("1", {"reason": "asked for"})
    store.privacy.redact_contact("1", BLANK)
    assert store.privacy.redacted_customers() == {"1": {"keys": ["X1", "shopify:1"], "reason": "asked for"}}


def test_a_customer_without_a_contact_can_be_redacted_beforehand(store: StateStore) -> None:
    assert set(store.privacy.redact_contact("1", BLANK).values()) == {0}
    assert store.privacy.redacted_customers() == {"1": {"keys": ["shopify:1"]}}
    store.update_mirror("contact", [shown("1")], START)
    assert "Jane" not in store.mirror_by_xero_id("contact", ["X1"])["X1"].payload


def test_a_planned_write_of_a_redacted_contact_is_withdrawn(store: StateStore) -> None:
    planned(store)
    assert store.privacy.redact_contact("1", BLANK)["operations"] == 1
    withdrawn = store.journal.latest("contact", ["1"])["1"]
    assert (withdrawn.state, withdrawn.payload) == (OperationState.WITHDRAWN, "")
    assert store.unfinished_days() == set()


def test_a_failed_contact_stays_listed_without_its_payload(store: StateStore) -> None:
    refused(store)
    assert store.privacy.redact_contact("1", BLANK)["failed records"] == 1
    (error,) = store.failed_records()
    assert (error.payload, error.reason) == ("", "refused")


def test_a_contact_whose_write_is_on_its_way_is_left_alone(store: StateStore) -> None:
    sent(store)
    with pytest.raises(ContactOnItsWayError):
        store.privacy.redact_contact("1", BLANK)
    assert (payloads(store, "operation"), store.privacy.redacted_customers()) == ([JANE], {})
