"""What is left to do and when it is tried next."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.pipeline.api_quota import daily_quota
from shopify_xero_pipeline.pipeline.record_ownership import RECONCILE_AGAIN_KEY, ReconcileReason
from shopify_xero_pipeline.pipeline.retry_schedule import (
    FAILED_RUN_REASON,
    PLANNED_REASON,
    RetryReason,
    RetryState,
    retry_reasons,
    select_due_days,
)
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, plans

NOW = datetime(2026, 10, 5, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEXT = FIRST + timedelta(days=1)


def minutes_of_tries(found: dict[date, RetryReason], *, budget_is_low: bool = False, hours: int = 48) -> list[int]:
    tries, asked = RetryState({}), []
    for minute in range(hours * 60):
        now = NOW + minute * MINUTE
        days, tries = select_due_days(found, RetryState.read(tries.model_dump_json()), now, budget_is_low=budget_is_low)
        asked += [minute] * len(days)
    return asked


def test_a_reason_that_stays_is_tried_after_5_20_80_minutes_and_at_last_once_a_day() -> None:
    assert minutes_of_tries({FIRST: RetryReason(FAILED_RUN_REASON)}) == [5, 10, 30, 110, 430, 1710]


def test_what_is_due_is_tried_at_once_and_what_is_not_waits_for_its_time() -> None:
    assert minutes_of_tries({FIRST: RetryReason("request 3", NOW)}, hours=1) == [0, 5, 25]
    assert minutes_of_tries({FIRST: RetryReason("request 3", NOW + 40 * MINUTE)}, hours=1) == [40, 45]


def test_while_xeros_budget_is_low_no_pause_is_longer_than_an_hour() -> None:
    assert minutes_of_tries({FIRST: RetryReason(PLANNED_REASON)}, budget_is_low=True, hours=5) == [
        5,
        10,
        30,
        90,
        150,
        210,
        270,
    ]


def test_another_reason_begins_anew_and_a_day_without_one_is_forgotten() -> None:
    _, tries = select_due_days({FIRST: RetryReason("one", NOW), NEXT: RetryReason("one", NOW)}, RetryState({}), NOW)
    days, tries = select_due_days({FIRST: RetryReason("another", NOW)}, tries, NOW)
    assert days == [FIRST]
    assert set(tries.root) == {FIRST}
    assert tries.root[FIRST].tries == 1


def test_a_day_that_a_run_is_about_to_do_is_left_to_it_and_counts_as_no_try() -> None:
    found = {FIRST: RetryReason("one", NOW)}
    days, tries = select_due_days(found, RetryState({}), NOW, busy={FIRST})
    assert days == []
    assert tries.root[FIRST].tries == 0
    assert select_due_days(found, tries, NOW + MINUTE)[0] == [FIRST]


@pytest.mark.parametrize("lost", [None, "", "nonsense", '{"today": 1}'])
def test_what_was_kept_of_tries_may_be_lost(lost: str | None) -> None:
    assert RetryState.read(lost) == RetryState({})


# -- from the store ----------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(NEXT)) as stage:
        yield stage


@pytest.mark.campaign
def test_a_day_to_be_compared_again_is_due_at_once_and_one_that_was_only_decided_on_is_no_work_left(
    stage: Stage,
) -> None:
    sync_service = stage.sync_service
    sync_service.connections.store.put_value(
        RECONCILE_AGAIN_KEY,
        json.dumps(
            {str(FIRST): ReconcileReason.MOVED, str(NEXT): ReconcileReason.DECIDED, "2026-09-01": ReconcileReason.MOVED}
        ),
    )
    now = sync_service.connections.clock.now()
    assert retry_reasons(sync_service) == {
        FIRST: RetryReason(ReconcileReason.MOVED, now),
        NEXT: RetryReason(ReconcileReason.DECIDED, now),
    }
    assert sync_service.record_ownership.unfinished_days() == {FIRST}
    sync_service.reconciler.reconcile(sync_service.extractor.read_orders([FIRST, NEXT]))
    assert (retry_reasons(sync_service), sync_service.record_ownership.unfinished_days()) == ({}, set())


def load_contacts(stage: Stage, fault: FaultKind, **rule: object) -> None:
    change_sets = plans(stage.sync_service, [FIRST])[0]
    stage.sandbox.faults.add_json({"kind": fault, "method": "PUT", "path": "/Contacts", **rule})
    stage.sync_service.loader.load(change_sets, "a run")


def test_a_store_with_nothing_left_gives_no_reason(stage: Stage) -> None:
    assert retry_reasons(stage.sync_service) == {}
    assert retry_reasons(stage.sync_service, [FIRST]) == {FIRST: RetryReason(FAILED_RUN_REASON)}
    assert retry_reasons(stage.sync_service, [FIRST - timedelta(days=1)]) == {}


@pytest.mark.campaign
def test_an_unclear_request_is_due_when_it_may_be_read_back(stage: Stage) -> None:
    load_contacts(stage, FaultKind.SERVER_ERROR)
    (batch,) = stage.sync_service.connections.store.journal.unsettled()
    assert batch.not_before is not None
    due = batch.not_before + timedelta(seconds=5)
    assert retry_reasons(stage.sync_service) == {FIRST: RetryReason(f"request {batch.id} is to be read back", due)}


def test_a_request_noted_by_a_clock_that_was_put_back_since_is_due_at_once(stage: Stage) -> None:
    load_contacts(stage, FaultKind.SERVER_ERROR)
    (batch,) = stage.sync_service.connections.store.journal.unsettled()
    stage.clock._now -= timedelta(hours=12)
    assert retry_reasons(stage.sync_service)[FIRST] == RetryReason(
        f"request {batch.id} is to be read back", stage.clock.now()
    )


@pytest.mark.campaign
def test_what_the_days_budget_left_is_planned(stage: Stage) -> None:
    load_contacts(stage, FaultKind.DAY_LIMIT, retry_after=7200)
    assert retry_reasons(stage.sync_service) == {FIRST: RetryReason(PLANNED_REASON)}
    budget = daily_quota(stage.sync_service.connections.store)
    assert budget.blocked_until == stage.clock.now() + timedelta(hours=2)
    assert budget.is_exhausted
    stage.clock.sleep(7201)
    assert not daily_quota(stage.sync_service.connections.store).is_exhausted


@pytest.mark.campaign
def test_a_failure_worth_another_try_is_due_when_the_store_says_so_and_others_are_a_persons(stage: Stage) -> None:
    load_contacts(stage, FaultKind.REFUSED, body="ContactNumber", times=None, answer="Xero is offline")
    failed = stage.sync_service.connections.store.failed_records()
    assert failed
    assert {reason.due_at for reason in retry_reasons(stage.sync_service).values()} == {failed[0].next_attempt_at}
    stage.sync_service.connections.store.retry_queue.dismiss(failed, "by hand")
    assert retry_reasons(stage.sync_service) == {}
