"""Failed records: tried again by themselves after growing pauses, dismissed by people, never lost on the way."""

import random
from datetime import timedelta

import pytest

from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadReport
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.state.failed_records import next_attempt_at
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.records import contact, invoice
from shopify_xero_pipeline_tests.support.world import START, World, change_set, counted

OFFLINE = "The organisation is offline. Please try again."
UNKNOWN_ACCOUNT = invoice().lines[0].model_copy(update={"account_code": "999"})


def refuse(world: World, text: str, times: int | None = 1, number: str = "SH-1001") -> None:
    world.fault(FaultKind.REFUSED, path="/Invoices", method="PUT", body=number, answer=text, times=times)


def load_patiently(world: World, *records: object) -> LoadReport:
    return world.loader.load([change_set(*records)], "scheduled", respect_retry_schedule=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attempts", "retryable", "pause"),
    [
        (1, True, timedelta(minutes=5)),
        (2, True, timedelta(minutes=20)),
        (3, True, timedelta(minutes=80)),
        (4, True, timedelta(minutes=320)),
        (5, True, timedelta(minutes=1280)),
        (6, True, timedelta(days=1)),
        (1_000_000, True, timedelta(days=1)),
        (1, False, timedelta(days=1)),
        (2, False, timedelta(days=1)),
    ],
)
def test_pauses_grow_to_a_day_and_what_a_person_must_mend_is_looked_at_daily(
    attempts: int, retryable: bool, pause: timedelta
) -> None:
    assert next_attempt_at(START, attempts, retryable=retryable) == START + pause


def test_what_passes_within_seconds_is_tried_three_times_in_a_load(world: World) -> None:
    world.load(contact())
    refuse(world, OFFLINE, times=2)
    before = world.clock.now()

    assert counted(world.load(invoice())) == {"created": 1}

    assert timedelta(seconds=3) <= world.clock.now() - before <= timedelta(seconds=6)
    assert len(world.live(Kind.INVOICE)) == 1
    assert world.store.failed_records() == []


class Longest(random.Random):
    """Draws the longest pause."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_tries_within_a_load_are_two_and_four_seconds_apart_at_most_and_a_load_without_any_waits_for_nothing(
    world: World,
) -> None:
    world.loader = Loader(world.client, world.store, world.clock, Longest(1))
    before = world.clock.now()
    world.load(contact())
    assert world.clock.now() == before
    refuse(world, OFFLINE, times=2)
    assert counted(world.load(invoice())) == {"created": 1}
    assert world.clock.now() - before == timedelta(seconds=6)


def test_what_does_not_pass_is_left_for_later_after_three_tries_with_everything_one_needs_to_know(world: World) -> None:
    world.load(contact())
    refuse(world, OFFLINE, times=None)

    report = world.load(invoice(1001), invoice(1002))

    assert counted(report) == {"created": 1, "failed": 1}
    (error,) = world.store.failed_records()
    assert (error.natural_key, error.attempts, error.retryable) == ("SH-1001", 3, True)
    assert error.reason == f"Xero refused it: {OFFLINE} Xero was unavailable; the record is retried automatically."
    assert error.next_attempt_at == error.last_failed_at + timedelta(minutes=80)
    assert error.payload_hash == report_checksum(world)
    assert error.correlation_id


def report_checksum(world: World) -> str:
    return world.store.journal.latest("invoice", ["1001/1"])["1001/1"].checksum


def test_what_only_a_person_can_mend_is_not_tried_again_in_the_same_load(world: World) -> None:
    world.load(contact())
    before = world.client.calls
    assert counted(world.load(invoice(lines=(UNKNOWN_ACCOUNT,)))) == {"failed": 1}
    assert world.client.calls - before == 2  # the request, and the look for what it may have left
    assert world.store.failed_records()[0].attempts == 1


def test_a_failed_record_rests_until_its_next_try_is_due_unless_somebody_waits_for_it(world: World) -> None:
    world.load(contact())
    refuse(world, OFFLINE, times=None)
    world.load(invoice())
    world.faults.clear()
    calls = world.client.calls

    world.wait(79 * 60)
    report = load_patiently(world, invoice())
    assert counted(report) == {"failed": 1}
    assert "retried after 22 Sep 01:20 UTC" in report.results[0].reason
    assert world.client.calls == calls
    assert [one.natural_key for one in world.store.failed_records()] == ["SH-1001"]

    world.wait(61)
    assert counted(load_patiently(world, invoice())) == {"created": 1}
    assert world.store.failed_records() == []


def test_a_load_somebody_waits_for_tries_at_once(world: World) -> None:
    world.load(contact())
    refuse(world, OFFLINE, times=3)
    assert counted(world.load(invoice())) == {"failed": 1}
    assert counted(world.load(invoice())) == {"created": 1}


def test_a_failed_record_wanted_with_another_content_is_tried_at_once(world: World) -> None:
    world.load(contact())
    assert counted(world.load(invoice(lines=(UNKNOWN_ACCOUNT,)))) == {"failed": 1}
    assert counted(load_patiently(world, invoice(lines=(UNKNOWN_ACCOUNT,)))) == {"failed": 1}
    assert counted(load_patiently(world, invoice())) == {"created": 1}


def test_a_dismissed_record_is_left_at_that_by_every_load_and_its_reason_is_kept(world: World) -> None:
    world.load(contact())
    world.load(invoice(lines=(UNKNOWN_ACCOUNT,)))
    failed = world.store.retry_queue
    failed.dismiss(failed.find(natural_key="SH-1001"), "entered by hand as SH-9")
    calls = world.client.calls

    report = world.load(invoice(lines=(UNKNOWN_ACCOUNT,)))

    assert [one.outcome for one in report.results] == [LoadOutcome.DISMISSED]
    assert report.results[0].reason.startswith("dismissed: entered by hand as SH-9. It had failed: Xero refused it:")
    assert world.client.calls == calls
    assert world.store.failed_records() == []
    assert world.store.unfinished_days() == set()
    (kept,) = world.store.failed_records(open_only=False)
    assert (kept.dismissal_reason, kept.dismissed_at) == ("entered by hand as SH-9", world.clock.now())


def test_a_dismissed_record_is_tried_again_when_it_changes_or_a_person_names_it(world: World) -> None:
    world.load(contact())
    for number in (1001, 1002):
        world.load(invoice(number, lines=(UNKNOWN_ACCOUNT,)))
    failed = world.store.retry_queue
    failed.dismiss(failed.find(kind="invoice"), "not ours")

    assert counted(world.load(invoice(1001))) == {"created": 1}
    failed.retry_now(failed.find(shopify_id="1002/1"))
    assert counted(world.load(invoice(1002, lines=(UNKNOWN_ACCOUNT,)))) == {"failed": 1}
    assert [one.natural_key for one in world.store.failed_records()] == ["SH-1002"]


def test_asking_again_makes_only_what_was_chosen_due(world: World) -> None:
    world.load(contact())
    bad = [invoice(number, lines=(UNKNOWN_ACCOUNT,)) for number in (1001, 1002)]
    world.load(*bad)
    failed = world.store.retry_queue
    failed.retry_now(failed.find(natural_key="SH-1002"))
    calls = world.client.calls

    report = load_patiently(world, *bad)

    assert counted(report) == {"failed": 2}
    assert world.client.calls - calls == 2
    assert {one.natural_key: one.attempts for one in world.store.failed_records()} == {"SH-1001": 1, "SH-1002": 2}
