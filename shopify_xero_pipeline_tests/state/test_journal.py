"""Tests of the journal: the order of steps, and the content of each transaction."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.journal import FenceLostError, Journal, JournalOrderError
from shopify_xero_pipeline.state.records import (
    Batch,
    BatchRequest,
    BatchState,
    Evidence,
    Operation,
    OperationOutcome,
    OperationState,
    PlannedWrite,
)
from shopify_xero_pipeline.state.row_checksums import read_models
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import batch as batch_table
from shopify_xero_pipeline.state.tables import evidence
from shopify_xero_pipeline_tests.support.rows import mapped_row, mirror_row

NOW = datetime(2026, 9, 22, tzinfo=UTC)
DAY = date(2026, 9, 21)
LATER = NOW + timedelta(seconds=600)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def journal(store: StateStore) -> Journal:
    return store.journal


def write(number: int = 1, **fields: object) -> PlannedWrite:
    given = {
        "kind": "invoice",
        "shopify_id": f"{number}/1",
        "natural_key": f"SH-{number}",
        "order_id": str(number),
        "payload": '{"total":"1.00"}',
        "partition": DAY,
        "run_id": "run",
        "verb": "create",
        "checksum": "c",
    } | fields
    return PlannedWrite.model_validate(given)


def latest(journal: Journal, number: int = 1, kind: str = "invoice") -> Operation:
    return journal.latest(kind, [f"{number}/1"])[f"{number}/1"]


def evidence_of(store: StateStore, operation_id: int) -> list[Evidence]:
    query = select(evidence).where(evidence.c.operation_id == operation_id).order_by(evidence.c.id)
    return read_models(store._engine, Evidence, query)


def request(key: str = "key") -> BatchRequest:
    return BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{...}", idempotency_key=key)


def sent(journal: Journal, *numbers: int, key: str = "key", **fields: object) -> Batch:
    journal.plan([write(number, **fields) for number in numbers])
    one = journal.intend(request(key), [latest(journal, number) for number in numbers])
    return journal.mark_sent(one)


def confirmed(operation: Operation, **fields: object) -> OperationOutcome:
    mapped = mapped_row(
        kind=operation.kind,
        shopify_id=operation.shopify_id,
        xero_id=f"x-{operation.id}",
        natural_key=operation.natural_key,
        payload=operation.payload,
        order_id=operation.order_id,
    )
    mirrored = mirror_row(kind=operation.kind, xero_id=mapped.xero_id, natural_key=operation.natural_key)
    return OperationOutcome(
        operation_id=operation.id,
        expected_state=(operation.state, operation.batch_id),
        state=OperationState.CONFIRMED,
        outcome="created",
        mapped=mapped,
        mirrored=mirrored,
    ).model_copy(update=fields)


def failed(operation: Operation, **fields: object) -> OperationOutcome:
    return OperationOutcome(
        operation_id=operation.id,
        expected_state=(operation.state, operation.batch_id),
        state=OperationState.REJECTED,
        reason="Xero refused it: no.",
        retryable=True,
    ).model_copy(update=fields)


def test_a_plan_enters_a_record_once_and_keeps_it_up_to_date(journal: Journal) -> None:
    journal.plan([write(), write(payload='{"total":"2.00"}'), write(2)])

    assert [one.shopify_id for one in journal.in_state(OperationState.PLANNED)] == ["1/1", "2/1"]
    assert latest(journal).payload == '{"total":"2.00"}'
    assert latest(journal).attempts == 0


def test_a_write_that_may_be_in_xero_is_not_changed_by_a_plan(journal: Journal) -> None:
    sent(journal, 1)

    journal.plan([write(payload="{}", natural_key="SH-other")])

    assert latest(journal).natural_key == "SH-1"
    assert latest(journal).state is OperationState.IN_BATCH
    assert latest(journal).attempts == 1


def test_a_withdrawn_write_is_not_open_any_more(journal: Journal, store: StateStore) -> None:
    journal.plan([write(1), write(2), write(3, partition=date(2026, 9, 20)), write(4, kind="contact")])

    unwanted = [one for one in journal.planned_of(["invoice"], [DAY]) if one.shopify_id != "2/1"]
    journal.withdraw(["invoice"], [DAY], unwanted=unwanted, is_listed={("invoice", "2/1")}.__contains__)

    states = {number: latest(journal, number).state for number in (1, 2, 3)}
    assert states == {
        1: OperationState.WITHDRAWN,
        2: OperationState.PLANNED,
        3: OperationState.PLANNED,
    }
    assert latest(journal, 4, "contact").state is OperationState.PLANNED
    journal.plan([write(1)])
    assert latest(journal, 1).state is OperationState.PLANNED


def test_a_failure_that_a_new_plan_does_not_name_is_resolved_but_not_one_under_review(
    store: StateStore, journal: Journal
) -> None:
    one = sent(journal, 1, 2, 3)
    states = {1: OperationState.REJECTED, 2: OperationState.REJECTED, 3: OperationState.NEEDS_REVIEW}
    journal.settle([failed(latest(journal, number), state=state) for number, state in states.items()], one)

    journal.withdraw(["invoice"], [DAY], unwanted=[], is_listed={("invoice", "2/1")}.__contains__)

    assert [error.shopify_id for error in store.failed_records()] == ["2/1", "3/1"]


def test_a_postponed_write_says_why(journal: Journal) -> None:
    journal.plan([write()])
    journal.postpone({latest(journal).id: "waits for its Contact"})
    assert (latest(journal).state, latest(journal).reason) == (OperationState.PLANNED, "waits for its Contact")


def test_a_request_is_frozen_marked_and_settled_in_this_order(journal: Journal, clock: ManualClock) -> None:
    journal.plan([write()])
    intent = journal.intend(request(), [latest(journal)])
    assert (intent.state, intent.body_hash, intent.first_sent_at) == (BatchState.INTENT, digest(b"{...}"), None)
    clock.sleep(5)
    marked = journal.mark_sent(intent)
    assert (marked.state, marked.first_sent_at) == (BatchState.SENT, NOW + timedelta(seconds=5))
    assert [one.shopify_id for one in journal.operations_of(intent.id)] == ["1/1"]
    assert journal.unsettled() == [marked]
    assert journal.last_batch() == intent.id

    journal.settle([confirmed(latest(journal))], intent, status=200)

    assert journal.unsettled() == []
    assert (latest(journal).state, latest(journal).outcome) == (OperationState.CONFIRMED, "created")
    assert latest(journal).xero_id == f"x-{latest(journal).id}"


def test_steps_out_of_order_are_refused_and_change_nothing(journal: Journal) -> None:
    one = sent(journal, 1)
    with pytest.raises(JournalOrderError):
        journal.mark_sent(one)
    with pytest.raises(JournalOrderError):
        journal.intend(request("other"), [latest(journal)])
    assert len(journal.unsettled()) == 1
    journal.settle([confirmed(latest(journal))], one, status=200)
    for step in (
        lambda: journal.settle([failed(latest(journal))], one),
        lambda: journal.release(one, "no"),
        lambda: journal.mark_ambiguous(one, not_before=LATER, reason="no"),
    ):
        with pytest.raises(JournalOrderError, match="batch 1 is confirmed, not "):
            step()
    assert latest(journal).state is OperationState.CONFIRMED


def test_all_writes_of_an_order_are_told_oldest_first(journal: Journal) -> None:
    one = sent(journal, 1, 2)
    journal.settle([confirmed(latest(journal)), failed(latest(journal, 2))], one, status=200)
    journal.plan([write(1, kind="payment", shopify_id="9"), write(2)])

    assert [(row.id, row.kind, row.batch_id) for row in journal.of_order("1")] == [
        (1, "invoice", 1),
        (3, "payment", None),
    ]
    assert [(row.id, row.state) for row in journal.of_order("2")] == [
        (2, OperationState.REJECTED),
        (4, OperationState.PLANNED),
    ]
    assert journal.of_order("3") == []
    assert journal.batch(1).http_status == 200


def test_a_key_is_never_used_twice(journal: Journal) -> None:
    sent(journal, 1)
    journal.plan([write(2)])
    with pytest.raises(IntegrityError):
        journal.intend(request(), [latest(journal, 2)])
    assert latest(journal, 2).state is OperationState.PLANNED


def test_what_was_certainly_not_executed_is_planned_afresh_and_not_counted_as_an_attempt(journal: Journal) -> None:
    one = sent(journal, 1)

    journal.release(one, "not connected")

    assert journal.unsettled() == []
    assert (latest(journal).state, latest(journal).attempts) == (OperationState.PLANNED, 0)
    assert (journal.batch(1).state, journal.batch(1).body) == (BatchState.RESOLVED, b"")


def test_an_unknown_outcome_keeps_its_records_and_says_when_it_is_read_back(
    store: StateStore, journal: Journal
) -> None:
    one = sent(journal, 1)

    journal.mark_ambiguous(one, not_before=LATER, reason="status 500", status=500, answer=b"x" * 100_000)

    (left,) = journal.unsettled()
    assert (left.state, left.not_before, left.http_status) == (BatchState.AMBIGUOUS, LATER, 500)
    assert latest(journal).reason == "status 500"
    assert store.unfinished_days() == {DAY}
    with store._engine.begin() as connection:
        assert len(connection.scalars(select(batch_table.c.response)).one()) == 65_536


def test_where_no_answer_came_none_is_kept(store: StateStore, journal: Journal) -> None:
    journal.mark_ambiguous(sent(journal, 1), not_before=LATER, reason="no answer")
    with store._engine.begin() as connection:
        assert connection.scalars(select(batch_table.c.response)).one() is None


def test_bytes_are_dropped_when_a_request_is_over_and_their_hash_is_kept(store: StateStore, journal: Journal) -> None:
    one = sent(journal, 1)
    journal.settle([confirmed(latest(journal))], one, status=200)
    with store._engine.begin() as connection:
        row = connection.execute(select(batch_table)).one()
    assert (row.body, row.body_hash, row.state) == (b"", digest(b"{...}"), "confirmed")


def test_settling_writes_mapping_mirror_failures_and_evidence_together_or_not_at_all(
    store: StateStore, journal: Journal
) -> None:
    one = sent(journal, 1, 2)
    first, second = latest(journal, 1), latest(journal, 2)
    seen = Evidence(
        operation_id=first.id,
        batch_id=one.id,
        natural_key="SH-1",
        looked_up_at=NOW,
        how="sweep",
        hits=1,
        fingerprint="f",
    )
    mapping = confirmed(first).mapped
    assert mapping is not None
    clashing = confirmed(second).model_copy(update={"mapped": mapping.model_copy(update={"shopify_id": "2/1"})})

    with pytest.raises(IntegrityError):
        journal.settle([confirmed(first, evidence=seen), clashing], one)
    assert store.mapped("invoice") == {}
    assert store.mirror("invoice") == []
    assert evidence_of(store, first.id) == []
    assert journal.unsettled() == [one]

    journal.settle([confirmed(first, evidence=seen), failed(second)], one)
    assert set(store.mapped("invoice")) == {"1/1"}
    assert set(store.mapped("invoice", ["1/1", "2/1"])) == {"1/1"}
    assert [row.natural_key for row in store.mirror("invoice")] == ["SH-1"]
    assert evidence_of(store, first.id) == [seen]
    assert [error.shopify_id for error in store.failed_records()] == ["2/1"]


@pytest.mark.parametrize(("kind", "payload", "documents"), [
    ("invoice", "{}", {"invoice"}),
    ("credit_note", "", {"credit_note"}),
    ("contact", "{}", {"contact"}),
    ("payment", '{"document_kind":"invoice"}', {"invoice"}),
    ("payment", '{"document_kind":"credit_note"}', {"credit_note"}),
    ("payment", "", {"invoice", "credit_note"}),
    ("allocation", '{"amount":"1"}', {"invoice", "credit_note"}),
])  # fmt: skip
def test_the_documents_that_later_batches_changed_are_told(
    store: StateStore, journal: Journal, kind: str, payload: str, documents: set[str]
) -> None:
    assert journal.documents_since(0) == set()
    journal.plan([write(1, kind=kind, payload=payload), write(2, kind="item")])
    journal.intend(request("one"), [latest(journal, kind=kind)])
    assert journal.documents_since(0) == documents
    journal.intend(request("two"), [latest(journal, 2, "item")])
    assert journal.documents_since(0) == {*documents, "item"}
    assert journal.documents_since(1) == {"item"}
    assert journal.documents_since(2) == set()


def test_a_written_record_that_the_mapping_lost_is_damage_when_it_is_planned_again(
    store: StateStore, journal: Journal
) -> None:
    journal.plan([write(1), write(2)])
    batch = journal.mark_sent(journal.intend(request(), [latest(journal, 1), latest(journal, 2)]))
    journal.settle([confirmed(latest(journal, 1)), confirmed(latest(journal, 2), xero_id="x-2")], batch)
    journal.plan([write(3)])
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM entity_mapping WHERE shopify_id = '1/1'")
    journal.plan([write(3, payload='{"total":"2.00"}')])
    with pytest.raises(StoreDamagedError, match="a written record is missing from the mapping"):
        journal.plan([write(1), write(4)])
    assert journal.latest("invoice", ["4/1"]) == {}, "nothing of the plan is stored"


def test_a_failure_keeps_its_first_time_and_counts_attempts_until_it_is_resolved(
    store: StateStore, journal: Journal, clock: ManualClock
) -> None:
    for attempt in range(3):
        one = sent(journal, 1, key=f"key {attempt}")
        journal.settle([failed(latest(journal))], one)
        clock.sleep(60)
    (error,) = store.failed_records()
    assert (error.attempts, error.retryable, error.reason) == (3, True, "Xero refused it: no.")
    assert (error.first_failed_at, error.last_failed_at) == (NOW, NOW + timedelta(seconds=120))
    assert store.unfinished_days() == {DAY}
    assert store.failed_records(days=[date(2026, 1, 1)]) == []

    one = sent(journal, 1, key="last")
    journal.settle([confirmed(latest(journal))], one, status=200)
    assert store.failed_records() == []
    (resolved,) = store.failed_records(open_only=False, days=[DAY])
    assert resolved.resolved_at == clock.now()
    assert store.unfinished_days() == set()

    one = sent(journal, 1, key="again", verb="update", xero_id=f"x-{latest(journal).id}")
    journal.settle([failed(latest(journal), retryable=False)], one)
    (anew,) = store.failed_records()
    assert (anew.attempts, anew.first_failed_at) == (1, clock.now())
    assert store.unfinished_days() == set()
    store.retry_queue.resolve([("invoice", "1/1")])
    assert store.failed_records() == []


def test_documents_are_frozen_from_the_plan_on_and_money_once_it_may_have_reached_xero(
    store: StateStore, journal: Journal
) -> None:
    journal.plan([write(1), write(1, kind="payment", shopify_id="9/SH-1", natural_key="r|SH-1")])
    frozen = store.frozen_of_orders(["1", "2"])
    assert [(one.kind, one.natural_key, one.payload) for one in frozen] == [("invoice", "SH-1", '{"total":"1.00"}')]

    money = journal.latest("payment", ["9/SH-1"])["9/SH-1"]
    journal.intend(request(), [money])
    assert [one.kind for one in store.frozen_of_orders(["1"])] == ["invoice", "payment"]

    journal.settle([failed(latest(journal))])
    assert [one.kind for one in store.frozen_of_orders(["1"])] == ["payment"]


def test_the_records_of_an_order_are_found_in_posting_order(store: StateStore, journal: Journal) -> None:
    one = sent(journal, 1, 2)
    journal.settle([confirmed(latest(journal, 2)), confirmed(latest(journal, 1))], one, status=200)

    assert [row.natural_key for row in store.mapped_of_orders(["1", "2", "3"])] == ["SH-1", "SH-2"]
    assert [row.natural_key for row in store.mapped_of_orders(["2"])] == ["SH-2"]


# -- several processes -------------------------------------------------------------------------------------------------


def test_a_record_that_was_written_since_the_plan_was_made_is_not_planned_again(journal: Journal) -> None:
    one = sent(journal, 1)
    journal.settle([confirmed(latest(journal))], one, status=200)
    xero_id = str(latest(journal).xero_id)

    journal.plan([write()])
    journal.plan([write(verb="adopt", xero_id="x-9")])
    journal.plan([write(verb="update", xero_id="x-another")])
    assert latest(journal).state is OperationState.CONFIRMED

    journal.plan([write(verb="update", xero_id=xero_id)])
    assert latest(journal).state is OperationState.PLANNED


def test_a_record_that_was_taken_back_since_the_plan_was_made_is_not_taken_back_again(journal: Journal) -> None:
    journal.plan([write(verb="delete", xero_id="x-1")])
    assert journal.in_state(OperationState.PLANNED) == []


def test_what_was_planned_anew_with_another_content_since_it_was_read_is_not_put_in_a_request(journal: Journal) -> None:
    journal.plan([write()])
    read = latest(journal)
    journal.plan([write(payload='{"total":"2.00"}')])
    with pytest.raises(JournalOrderError, match="another process has taken over, or changed"):
        journal.intend(request(), [read])
    assert (latest(journal).state, journal.unsettled()) == (OperationState.PLANNED, [])


def test_a_batch_is_its_owners_until_the_lease_is_over_and_then_whoevers_is_first(
    journal: Journal, clock: ManualClock
) -> None:
    one = sent(journal, 1)
    clock.sleep(45)
    assert journal.take_over(one) is None
    clock.sleep(1)
    taken = journal.take_over(one)
    assert taken is not None
    assert (taken.fence, taken.lease_until) == (2, clock.now() + timedelta(seconds=45))
    assert journal.take_over(one) is None
    clock.sleep(46)
    assert journal.take_over(one) is None, "one that was read before it was taken over"


def test_whoever_lost_a_batch_can_change_nothing_of_it_any_more(journal: Journal, clock: ManualClock) -> None:
    one = sent(journal, 1)
    clock.sleep(46)
    taken = journal.take_over(one)
    assert taken is not None

    for step in (
        lambda: journal.renew_lease(one, timedelta()),
        lambda: journal.settle([confirmed(latest(journal))], one, status=200),
        lambda: journal.release(one, "no"),
        lambda: journal.mark_ambiguous(one, not_before=LATER, reason="no"),
    ):
        with pytest.raises(FenceLostError, match="batch 1 has been taken over by process"):
            step()
    assert journal.unsettled() == [taken]
    assert latest(journal).state is OperationState.IN_BATCH

    journal.settle([confirmed(latest(journal))], taken, status=200)
    assert latest(journal).state is OperationState.CONFIRMED


def test_a_batch_not_marked_sent_is_lost_to_who_takes_it_over_and_nothing_may_leave(
    journal: Journal, clock: ManualClock
) -> None:
    journal.plan([write()])
    one = journal.intend(request(), [latest(journal)])
    clock.sleep(46)
    assert journal.take_over(one) is not None
    with pytest.raises(FenceLostError):
        journal.mark_sent(one)


def test_a_batch_is_kept_for_a_pause_and_one_more_attempt(journal: Journal, clock: ManualClock) -> None:
    one = sent(journal, 1)
    journal.renew_lease(one, timedelta(seconds=60))
    clock.sleep(105)
    assert journal.take_over(journal.unsettled()[0]) is None
    clock.sleep(1)
    assert journal.take_over(journal.unsettled()[0]) is not None


def test_a_lease_longer_than_any_that_is_given_comes_from_a_clock_put_back_and_keeps_nobody_out(
    journal: Journal,
) -> None:
    one = sent(journal, 1)
    journal.renew_lease(one, timedelta(seconds=120))
    assert journal.take_over(one) is None
    journal.renew_lease(one, timedelta(seconds=121))
    assert journal.take_over(one) is not None


def test_a_batch_of_unknown_outcome_is_nobodys_and_a_settled_one_cannot_be_taken(journal: Journal) -> None:
    one = sent(journal, 1)
    journal.mark_ambiguous(one, not_before=LATER, reason="no answer")
    (left,) = journal.unsettled()
    taken = journal.take_over(left)
    assert taken is not None
    journal.settle([confirmed(latest(journal))], taken)
    assert journal.take_over(taken) is None


def test_a_verdict_on_a_record_that_somebody_else_has_settled_since_counts_for_nothing(
    store: StateStore, journal: Journal
) -> None:
    one = sent(journal, 1)
    looked_at = OperationOutcome(
        operation_id=latest(journal).id,
        expected_state=(OperationState.IN_BATCH, one.id),
        state=OperationState.NEEDS_CHECK,
    )
    journal.settle([looked_at], one, status=200)
    seen = latest(journal)
    journal.settle([confirmed(seen)])

    journal.settle([failed(seen)])

    assert latest(journal).state is OperationState.CONFIRMED
    assert store.failed_records() == []


def test_a_verdict_on_an_earlier_try_does_not_count_for_a_later_one(store: StateStore, journal: Journal) -> None:
    one = sent(journal, 1)
    early = latest(journal)
    journal.release(one, "not connected")
    two = sent(journal, 1, key="second")

    journal.settle([failed(early)], None)
    journal.settle([failed(early)], two)

    assert (latest(journal).state, latest(journal).batch_id) == (OperationState.REJECTED, two.id)


def test_what_another_process_planned_or_changed_after_this_plan_was_read_is_not_withdrawn(
    journal: Journal, clock: ManualClock
) -> None:
    """Whatever the other one's clock says: it may be days behind or ahead."""
    journal.plan([write(1), write(2)])
    read = journal.planned_of(["invoice"], [DAY])
    clock._now -= timedelta(days=2)
    journal.plan([write(2, run_id="another"), write(3)])

    journal.withdraw(["invoice"], [DAY], unwanted=read, is_listed=lambda _record: False)

    assert [one.shopify_id for one in journal.in_state(OperationState.PLANNED)] == ["2/1", "3/1"]


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE operation SET state = 'planned' WHERE state = 'in_batch'",
        'UPDATE operation SET payload = \'{"total":"1.01"}\'',
        "UPDATE operation SET attempts = 7",
    ],
)
def test_a_damaged_operation_is_never_used(store: StateStore, journal: Journal, damage: str) -> None:
    sent(journal, 1)
    with store._engine.begin() as connection:
        connection.exec_driver_sql(damage)
    with pytest.raises(StoreDamagedError, match="a row of operation does not match its checksum"):
        latest(journal)
    with pytest.raises(StoreDamagedError):
        journal.plan([write()])


def test_damage_is_not_sealed_over_by_the_next_change(store: StateStore, journal: Journal) -> None:
    one = sent(journal, 1)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE operation SET payload = '{}'")
    for step in (
        lambda: journal.postpone({1: "later"}),
        lambda: journal.release(one, "not connected"),
        lambda: journal.mark_ambiguous(one, not_before=LATER, reason="no answer"),
    ):
        with pytest.raises(StoreDamagedError, match="a row of operation does not"):
            step()
    assert journal.unsettled() == [one]


def test_a_damaged_batch_takes_no_step(store: StateStore, journal: Journal, clock: ManualClock) -> None:
    one = sent(journal, 1)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE batch SET fence = 2, body = ''")
    clock.sleep(46)
    for step in (
        lambda: journal.take_over(one),
        lambda: journal.batch(one.id),
        lambda: journal.renew_lease(one, timedelta()),
        lambda: journal.settle([], one),
    ):
        with pytest.raises(StoreDamagedError, match="a row of batch does not"):
            step()


def test_a_damaged_batch_mapping_failure_or_evidence_is_never_used(store: StateStore, journal: Journal) -> None:
    one = sent(journal, 1, 2)
    seen = Evidence(
        operation_id=1, batch_id=one.id, natural_key="SH-1", looked_up_at=NOW, how="sweep", hits=1, fingerprint="f"
    )
    journal.settle([confirmed(latest(journal), evidence=seen), failed(latest(journal, 2))], one, over=False)
    readings = {
        "batch": journal.unsettled,
        "entity_mapping": lambda: store.mapped("invoice"),
        "sync_errors": store.failed_records,
        "evidence": lambda: evidence_of(store, 1),
    }
    columns = {"batch": "path", "entity_mapping": "xero_id", "sync_errors": "reason", "evidence": "fingerprint"}
    for table, read in readings.items():
        assert read()
        with store._engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET {columns[table]} = 'other'")
        with pytest.raises(StoreDamagedError, match=f"a row of {table} does not"):
            read()


# -- what is written down, to the word ---------------------------------------------------------------------------------


def test_a_fresh_request_is_leased_from_now_on_and_its_writes_begin_without_a_reason(
    journal: Journal, clock: ManualClock
) -> None:
    assert journal.last_batch() == 0
    journal.plan([write()])
    planned = latest(journal)
    assert (planned.reason, planned.retryable, planned.attempts) == ("", False, 0)
    one = journal.intend(request(), [planned])
    assert (one.id, one.lease_until, one.fence) == (1, clock.now() + timedelta(seconds=45), 1)
    assert journal.last_batch() == 1
    assert journal.send_watermark.find_issue() is not None


def test_the_newest_writes_of_more_records_than_fit_into_one_query_are_all_told(journal: Journal) -> None:
    journal.plan([write(number) for number in range(1, 602)])
    assert len(journal.latest("invoice", [f"{number}/1" for number in range(1, 602)])) == 601


def test_a_status_is_kept_and_tells_a_request_that_was_answered_from_one_that_was_found_out(journal: Journal) -> None:
    one = sent(journal, 1, 2)
    journal.settle([confirmed(latest(journal), correlation_id="corr")], one, status=200, over=False)
    assert (journal.batch(1).state, journal.batch(1).http_status) == (BatchState.SENT, 200)
    assert latest(journal).correlation_id == "corr"
    journal.settle([failed(latest(journal, 2))], one, status=400)
    assert (journal.batch(1).state, journal.batch(1).http_status) == (BatchState.RESOLVED, 400)


def test_steps_that_are_refused_and_writes_that_are_withdrawn_say_why(journal: Journal) -> None:
    one = sent(journal, 1)
    with pytest.raises(JournalOrderError, match=r"^batch 1 is sent, not intent$"):
        journal.mark_sent(one)
    journal.settle([confirmed(latest(journal))], one, status=200)
    with pytest.raises(JournalOrderError, match=r"^batch 1 is confirmed, not sent or ambiguous$"):
        journal.mark_ambiguous(one, not_before=LATER, reason="no answer")
    with pytest.raises(
        JournalOrderError, match=r"^another process has taken over, or changed, an operation of the request$"
    ):
        journal.intend(request("other"), [latest(journal)])
    journal.plan([write(2)])
    journal.withdraw(
        ["invoice"], [DAY], unwanted=journal.planned_of(["invoice"], [DAY]), is_listed=lambda _record: False
    )
    assert latest(journal, 2).reason == "no longer in the plan"


def test_what_was_taken_back_leaves_mapping_and_mirror_and_its_failure_is_over(
    store: StateStore, journal: Journal
) -> None:
    one = sent(journal, 1, 2)
    journal.settle([confirmed(latest(journal)), confirmed(latest(journal, 2))], one, status=200)
    back = {"verb": "delete", "xero_id": "x-1"}
    one = sent(journal, 1, key="refused", **back)
    journal.settle([failed(latest(journal))], one)
    assert [error.natural_key for error in store.failed_records()] == ["SH-1"]

    one = sent(journal, 1, key="again", **back)
    gone = {"mapped": None, "mirrored": None, "outcome": "deleted", "removed": True}
    journal.settle([confirmed(latest(journal), **gone)], one, status=200)

    assert [*store.mapped("invoice")] == ["2/1"]
    assert [row.xero_id for row in store.mirror("invoice")] == ["x-2"]
    assert (store.failed_records(), latest(journal).xero_id) == ([], "x-1")


def test_a_failure_says_what_failed_and_when_it_is_tried_again_and_counts_its_own_attempts_alone(
    store: StateStore, journal: Journal
) -> None:
    for attempt in range(2):
        one = sent(journal, 1, 2, key=f"key {attempt}", checksum="content")
        other = failed if attempt == 0 else confirmed
        journal.settle([failed(latest(journal)), other(latest(journal, 2))], one)
    (error,) = store.failed_records()
    assert (error.natural_key, error.attempts, error.payload_hash) == ("SH-1", 2, "content")
    assert error.next_attempt_at == NOW + timedelta(minutes=20)

    one = sent(journal, 1, key="last", checksum="content")
    journal.settle([failed(latest(journal), retryable=False)], one)
    (error,) = store.failed_records()
    assert (error.attempts, error.next_attempt_at) == (3, NOW + timedelta(days=1))


def test_a_damaged_mapping_plans_nothing(store: StateStore, journal: Journal) -> None:
    one = sent(journal, 1)
    journal.settle([confirmed(latest(journal))], one, status=200)
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE entity_mapping SET xero_id = 'other'")
    with pytest.raises(StoreDamagedError, match="a row of entity_mapping does not"):
        journal.plan([write(verb="update", xero_id="other")])


def test_a_record_that_needs_no_write_is_in_the_journal_as_withdrawn_with_its_reason(journal: Journal) -> None:
    journal.skip([write(1, payload="{}"), write(1), write(2, kind="payment")], "Xero has it already")

    (invoice,) = journal.latest("invoice", ["1/1"]).values()
    assert invoice == Operation(
        **write(1).model_dump(),
        id=1,
        state=OperationState.WITHDRAWN,
        reason="Xero has it already",
        created_at=NOW,
        updated_at=NOW,
    )
    assert latest(journal, 2, "payment").state is OperationState.WITHDRAWN
    assert journal.planned_of(["invoice", "payment"], [DAY]) == []


def test_a_record_that_needs_no_write_is_added_once_and_leaves_an_open_write_alone(journal: Journal) -> None:
    journal.plan([write(1)])
    journal.skip([write(1), write(2)], "Xero has it already")
    journal.skip([write(2)], "another reason")

    assert [(one.shopify_id, one.state) for one in journal.of_order("1")] == [("1/1", OperationState.PLANNED)]
    assert [one.reason for one in journal.of_order("2")] == ["Xero has it already"]


def test_a_refused_record_that_needs_no_write_any_more_is_added_beside_the_refusal(journal: Journal) -> None:
    one = sent(journal, 1)
    journal.settle([failed(latest(journal))], one)
    journal.skip([write(1)], "Xero has it already")

    assert [one.state for one in journal.of_order("1")] == [OperationState.REJECTED, OperationState.WITHDRAWN]


def test_where_nothing_is_skipped_completed_or_postponed_the_journal_stays_as_it_is(journal: Journal) -> None:
    journal.plan([write(1)])
    before = latest(journal)
    journal.skip([], "no reason")
    journal.complete({})
    journal.postpone({})
    assert journal.of_order("1") == [before]


def test_the_payload_of_a_planned_write_is_completed_and_that_of_a_sent_one_is_not(
    journal: Journal, clock: ManualClock
) -> None:
    sent(journal, 1)
    journal.plan([write(2), write(3)])
    clock.sleep(5)
    journal.complete({latest(journal, 2).id: '{"total":"2.00"}'})

    assert latest(journal, 2).payload == '{"total":"2.00"}'
    assert latest(journal, 2).updated_at == NOW + timedelta(seconds=5)
    assert latest(journal, 3).payload == '{"total":"1.00"}'
    journal.complete({latest(journal, 1).id: "{}"})
    assert latest(journal, 1).payload == '{"total":"1.00"}'


def test_the_batches_of_operations_are_each_told_once_oldest_first(journal: Journal) -> None:
    first, second = sent(journal, 1, 2), sent(journal, 3, key="second")
    journal.plan([write(4)])
    operations = [latest(journal, number) for number in (3, 4, 2, 1)]

    assert journal.batches_of(operations) == [first, second]
    assert journal.batches_of([latest(journal, 4)]) == []


def test_only_writes_that_are_still_planned_are_told_as_planned(journal: Journal) -> None:
    journal.plan([write(3), write(2), write(4, kind="payment"), write(5, partition=date(2026, 9, 20))])
    sent(journal, 1)
    assert [one.shopify_id for one in journal.planned_of(["invoice"], [DAY])] == ["3/1", "2/1"]


def test_the_quiet_time_that_was_set_when_a_request_was_sent_is_not_replaced(journal: Journal) -> None:
    journal.plan([write(1), write(2)])
    quiet = NOW + timedelta(seconds=600)
    known = journal.mark_sent(journal.intend(request(), [latest(journal, 1)]), xero_sent_at=NOW, xero_quiet_at=quiet)
    journal.mark_ambiguous(known, not_before=LATER, reason="no answer", xero_quiet_at=quiet + timedelta(seconds=1))
    unknown = journal.mark_sent(journal.intend(request("other"), [latest(journal, 2)]))
    journal.mark_ambiguous(unknown, not_before=LATER, reason="no answer", xero_quiet_at=quiet + timedelta(seconds=2))

    assert (journal.batch(known.id).xero_sent_at, journal.batch(known.id).xero_quiet_at) == (NOW, quiet)
    assert journal.batch(unknown.id).xero_sent_at is None
    assert journal.batch(unknown.id).xero_quiet_at == quiet + timedelta(seconds=2)


def test_the_read_back_of_an_unknown_outcome_can_be_put_off_by_its_owner(journal: Journal, clock: ManualClock) -> None:
    one = sent(journal, 1)
    with pytest.raises(JournalOrderError, match=r"^batch 1 is sent, not ambiguous$"):
        journal.wait(one, not_before=LATER, xero_quiet_at=LATER)
    journal.mark_ambiguous(one, not_before=LATER, reason="no answer")
    (mine,) = [journal.take_over(left) for left in journal.unsettled()]
    assert mine is not None
    until, quiet = LATER + timedelta(seconds=60), LATER + timedelta(seconds=61)
    journal.wait(mine, not_before=until, xero_quiet_at=quiet)

    (left,) = journal.unsettled()
    assert (left.state, left.not_before, left.xero_quiet_at, left.lease_until) == (
        BatchState.AMBIGUOUS,
        until,
        quiet,
        None,
    )
    with pytest.raises(FenceLostError):
        journal.wait(one, not_before=LATER, xero_quiet_at=LATER)
