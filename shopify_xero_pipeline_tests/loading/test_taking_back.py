"""An Allocation in the way of later money is taken back first, exactly once, whatever happens on the way."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.loading.load_report import LoadReport
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.support.records import allocation, contact, credit_note, invoice, payment
from shopify_xero_pipeline_tests.support.world import World, change, change_set, counted

SALE, RETURN = invoice(1001), credit_note(1001)
CREDIT = allocation(RETURN, SALE, "20.00")
LATER: tuple[AnyRecord, ...] = (payment(SALE, str(SALE.total)), payment(RETURN, str(RETURN.total), 8))


@pytest.fixture(params=["collection", "object"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(tmp_path, allocation_deletion=request.param)
    made.load(contact(), SALE, RETURN, CREDIT)
    yield made
    made.store.close()


def pay_instead(world: World, *records: AnyRecord) -> LoadReport:
    """Carry out the plan that takes the credit back and places the money."""
    lines = [change(CREDIT, Action.DELETE), *(change(record) for record in records or LATER)]
    plan = change_set(*records or LATER).model_copy(update={"changes": tuple(lines)})
    return world.loader.load([plan], f"run-{world.seed}")


def outstanding(world: World, number: str) -> Decimal:
    (found,) = (one for one in world.books.documents.values() if one.number == number)
    return found.outstanding


def is_settled(world: World) -> bool:
    """The sale is paid, the credit refunded, and no trace of the allocation is left in our files."""
    rows = world.store.mapped(Kind.ALLOCATION), world.store.mirror(Kind.ALLOCATION), world.store.failed_records()
    return outstanding(world, SALE.number) == outstanding(world, RETURN.number) == 0 and rows == ({}, [], [])


def test_credit_gives_way_before_the_money_that_needs_its_place(world: World) -> None:
    assert outstanding(world, SALE.number) == SALE.total - 20

    assert counted(pay_instead(world)) == {"created": 2, "deleted": 1}

    assert is_settled(world)
    assert world.live(Kind.ALLOCATION) == []
    assert counted(pay_instead(world)) == {"unchanged": 3}


def test_an_allocation_of_another_amount_takes_the_place_of_the_first(world: World) -> None:
    smaller = allocation(RETURN, SALE, "15.00")

    assert counted(pay_instead(world, smaller)) == {"created": 1, "deleted": 1}

    assert [one.amount for one in world.live(Kind.ALLOCATION)] == [Decimal("15.00")]
    assert set(world.store.mapped(Kind.ALLOCATION)) == {smaller.shopify_id}
    assert [row.natural_key for row in world.store.mirror(Kind.ALLOCATION)] == [smaller.natural_key]
    world.mirror.sweep(Kind.CREDIT_NOTE)
    assert [row.natural_key for row in world.store.mirror(Kind.ALLOCATION)] == [smaller.natural_key]


@pytest.mark.parametrize("fault", [FaultKind.DROP_AFTER, FaultKind.DROP_BEFORE, FaultKind.ANSWER])
def test_a_lost_answer_is_asked_again_and_what_xero_shows_counts(world: World, fault: FaultKind) -> None:
    rule = world.fault(fault, path="/Allocations/", method="DELETE")

    assert counted(pay_instead(world)) == {"created": 2, "deleted": 1}

    assert rule.fired == 1
    assert is_settled(world)


@pytest.mark.parametrize("fault", [FaultKind.SERVER_ERROR_AFTER_COMMIT, FaultKind.SERVER_ERROR])
def test_money_waits_while_it_is_not_known_whether_the_credit_still_stands(world: World, fault: FaultKind) -> None:
    world.fault(fault, path="/Allocations/", method="DELETE")

    assert counted(pay_instead(world)) == {"postponed": 3}
    assert world.live(Kind.PAYMENT) == []

    world.wait(601)
    pay_instead(world)
    assert is_settled(world)


def test_money_waits_while_xero_refuses_to_give_the_credit_back(world: World) -> None:
    world.person.set_lock_dates(period=date(2026, 12, 31))

    report = pay_instead(world)

    assert counted(report) == {"failed": 1, "postponed": 2}
    refused = next(one for one in report.results if one.kind is Kind.ALLOCATION)
    assert "lock date" in refused.reason
    assert {one.reason for one in report.results if one.kind is Kind.PAYMENT} == {
        "waits until the credit on the order's documents is known"
    }
    assert len(world.live(Kind.ALLOCATION)) == 1

    world.person.set_lock_dates()
    assert counted(pay_instead(world)) == {"created": 2, "deleted": 1}
    assert is_settled(world)


def test_credit_that_a_person_has_taken_back_already_is_simply_gone(world: World) -> None:
    world.person.remove_allocations(world.person.credit_note(RETURN.number))

    assert counted(pay_instead(world)) == {"created": 2, "deleted": 1}
    assert is_settled(world)


def test_money_of_other_orders_does_not_wait(world: World) -> None:
    other = invoice(1002)
    world.load(other)
    world.fault(FaultKind.SERVER_ERROR, path="/Allocations/", method="DELETE")

    assert counted(pay_instead(world, *LATER, payment(other, "50.00", 9))) == {"created": 1, "postponed": 3}


def test_money_waits_while_it_is_not_known_whether_credit_was_set(world: World) -> None:
    bill, note = invoice(1003), credit_note(1003)
    world.load(bill, note)
    world.fault(FaultKind.SERVER_ERROR_AFTER_COMMIT, path="/Allocations", method="PUT")
    assert counted(world.load(allocation(note, bill, "20.00"))) == {"postponed": 1}

    assert counted(world.load(allocation(note, bill, "20.00"), payment(bill, "30.00", 9))) == {"postponed": 2}

    world.wait(601)
    world.load(allocation(note, bill, "20.00"), payment(bill, "30.00", 9))
    assert outstanding(world, bill.number) == bill.total - 50


def test_a_plan_that_wants_the_credit_again_withdraws_its_taking_back(world: World) -> None:
    world.fault(FaultKind.UNREACHABLE, path="/Allocations/", method="DELETE", times=None)
    assert counted(pay_instead(world)) == {"postponed": 3}
    world.faults.clear()

    assert counted(world.load(CREDIT, action=Action.UNCHANGED)) == {"unchanged": 1}

    assert world.store.unfinished_days() == set()
    assert len(world.live(Kind.ALLOCATION)) == 1
