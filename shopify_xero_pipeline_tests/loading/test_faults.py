"""Every fault of the sandbox, at every kind of write: in the end exactly one record in Xero, or a reason why not.

`make test` lets each kind of write meet the fault in turn, in one store; `make simulate` in a store of its own, in the
midst of everything else that is written.
"""

from collections.abc import Iterator

import pytest

from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadReport
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.support.records import everything
from shopify_xero_pipeline_tests.support.world import World, counted

pytestmark = pytest.mark.campaign

WRITES = {
    Kind.CONTACT: "/Contacts",
    Kind.ITEM: "/Items",
    Kind.INVOICE: "/Invoices",
    Kind.CREDIT_NOTE: "/CreditNotes?",
    Kind.PAYMENT: "/Payments",
    Kind.ALLOCATION: "/Allocations",
}
PASSING = [
    FaultKind.MINUTE_LIMIT,
    FaultKind.CONCURRENT_LIMIT,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.SLOW,
    FaultKind.OFFLINE,
    FaultKind.TOKEN_EXPIRED,
    FaultKind.HTML,
    FaultKind.TRUNCATED,
    FaultKind.SHUFFLED,
    FaultKind.UNREACHABLE,
]
LASTING = [
    FaultKind.DROP_AFTER,
    FaultKind.SLOW,
    FaultKind.OFFLINE,
    FaultKind.SERVER_ERROR_AFTER_COMMIT,
    FaultKind.TRUNCATED,
]
LATER = [FaultKind.SERVER_ERROR, FaultKind.SERVER_ERROR_AFTER_COMMIT, FaultKind.NO_ID, FaultKind.DAY_LIMIT]


def until_settled(world: World, records: list[AnyRecord], loads: int = 6) -> list[LoadReport]:
    """Load, and load again a quarter of an hour later, until nothing is postponed."""
    reports = []
    for _ in range(loads):
        reports.append(world.load(*records))
        if not reports[-1].count(LoadOutcome.POSTPONED):
            return reports
        world.wait(901)
    raise AssertionError(f"still postponed after {loads} loads: {reports[-1]}")


def assert_exactly_once(world: World, records: list[AnyRecord]) -> None:
    for kind in Kind:
        wanted = [record for record in records if record.kind is kind]
        assert len(world.live(kind)) == len(wanted), kind
        assert len(world.store.mapped(kind)) == len(wanted), kind
    assert world.store.unfinished_days() == set()
    assert world.store.failed_records() == []
    assert world.store.journal.unsettled() == []
    calls = world.client.calls
    assert set(counted(world.load(*records))) == {"unchanged"}
    assert world.client.calls == calls


def kind_by_kind() -> Iterator[tuple[Kind, list[AnyRecord]]]:
    """Yield everything of two orders, parents first."""
    for kind in WRITES:
        yield kind, [record for record in everything(orders=2) if record.kind is kind]


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_overcome_by_the_load_that_meets_it(world: World, fault: FaultKind) -> None:
    for kind, records in kind_by_kind():
        rule = world.fault(fault, path=WRITES[kind], method="PUT")
        assert counted(world.load(*records)) == {"created": len(records)}, kind
        assert rule.fired == 1, kind
    assert_exactly_once(world, everything(orders=2))


@pytest.mark.long
@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_overcome_within_one_load(world: World, fault: FaultKind, kind: Kind) -> None:
    records = everything(orders=2)
    rule = world.fault(fault, path=WRITES[kind], method="PUT")

    assert counted(world.load(*records)) == {"created": 12}

    assert rule.fired == 1
    assert_exactly_once(world, records)


@pytest.mark.parametrize("fault", LATER)
def test_a_fault_that_leaves_doubt_is_settled_later(world: World, fault: FaultKind) -> None:
    for kind, records in kind_by_kind():
        rule = world.fault(fault, path=WRITES[kind], method="PUT")
        reports = until_settled(world, records)
        assert rule.fired == 1, kind
        doubted = reports[0].count(LoadOutcome.POSTPONED) > 0
        assert doubted is ((kind, fault) != (Kind.ALLOCATION, FaultKind.NO_ID)), kind
    assert_exactly_once(world, everything(orders=2))


@pytest.mark.long
@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("fault", LATER)
def test_a_fault_that_leaves_doubt_is_settled_later_and_exactly_once(
    world: World, fault: FaultKind, kind: Kind
) -> None:
    records = everything(orders=2)
    rule = world.fault(fault, path=WRITES[kind], method="PUT")

    reports = until_settled(world, records)

    assert rule.fired == 1
    assert_exactly_once(world, records)
    if (kind, fault) != (Kind.ALLOCATION, FaultKind.NO_ID):
        assert reports[0].count(LoadOutcome.POSTPONED) > 0


@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_is_read_back_before_anything_is_sent_again(world: World, fault: FaultKind) -> None:
    for kind, records in kind_by_kind():
        outlast(world, fault, kind, records)
        until_settled(world, records)
    assert_exactly_once(world, everything(orders=2))


@pytest.mark.long
@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_for_the_whole_window_is_read_back_before_anything_is_sent_again(
    world: World, fault: FaultKind, kind: Kind
) -> None:
    records = everything(orders=2)
    outlast(world, fault, kind, records)
    until_settled(world, records)
    assert_exactly_once(world, records)


def outlast(world: World, fault: FaultKind, kind: Kind, records: list[AnyRecord]) -> None:
    """Load while one kind of write meets a fault every time, and again before and after it may be sent again."""
    rule = world.fault(fault, path=WRITES[kind], method="PUT", times=None)
    first = world.load(*records)
    world.faults.clear()
    assert rule.fired > 0
    assert first.count(LoadOutcome.POSTPONED) > 0
    world.wait(60)

    too_early = world.load(*records)
    assert too_early.count(LoadOutcome.POSTPONED) > 0
    world.wait(600)
