"""A person was faster in Xero: their money is taken for the transaction it is; nothing leans on what they voided."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.reported.playing import Played, played

pytestmark = pytest.mark.campaign

DAY = "2026-10-01"
FOURTH = date(2026, 10, 4)
Play = Callable[[str], Played]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    with ExitStack() as stack:

        def begin(orders: str) -> Played:
            case: AbstractContextManager[Played] = played(tmp_path, monkeypatch, orders)
            return stack.enter_context(case)

        yield begin


def test_a_bank_line_that_the_bookkeeper_matched_is_taken_for_the_payment_that_the_shop_records_later(
    play: Play,
) -> None:
    case = play("bank_deposit_awaited")
    assert case.sync(DAY).exit_code == 0
    case.stage.person.pay(case.document("SH-2060"), Decimal("115.00"), "606", FOURTH, "bank feed")
    assert case.sync(DAY).exit_code == 0
    case.shop.becomes("bank_deposit_recorded")

    synced = case.sync(DAY)

    assert synced.exit_code == 0, synced.output
    assert "the books agree" in synced.stdout
    assert case.payments() == [("SH-2060", "115.00")]
    assert case.document("SH-2060").outstanding == 0
    (row,) = case.stage.sync_service.connections.store.mapped(Kind.PAYMENT).values()
    assert (row.xero_id in case.stage.sandbox.books.payments, case.status()["failed_records"]) == (True, [])
    month = case.command("status", "--month", "2026-10")
    assert month.exit_code == exit_codes.RETRY_LATER, month.output  # most days were not synced
    assert month.stdout.rstrip().endswith("2026-10 agrees; 30 days are not compared yet")
    assert case.sync(DAY).exit_code == 0
    assert case.payments() == [("SH-2060", "115.00")]


def test_half_a_deposit_matched_a_moment_ago_is_not_posted_beside_it(play: Play) -> None:
    """Less than ten minutes after Xero was last read, in another process."""
    case = play("half_deposit_awaited")
    case.sync(DAY)
    case.stage.person.pay(case.document("SH-2061"), Decimal("115.00"), "606", FOURTH, "bank feed")
    case.shop.becomes("half_deposit_recorded")

    synced = case.sync(DAY)

    assert synced.exit_code == 0, synced.output
    assert case.payments() == [("SH-2061", "115.00")]
    document = case.document("SH-2061")
    assert (document.total, document.outstanding, document.status) == (
        Decimal("230.00"),
        Decimal("115.00"),
        "AUTHORISED",
    )


def test_money_of_another_amount_is_a_conflict_with_both_sides_and_nothing_is_placed_beside_it(play: Play) -> None:
    case = play("half_deposit_awaited")
    case.sync(DAY)
    case.stage.person.pay(case.document("SH-2061"), Decimal("100.00"), "606", FOURTH, "bank feed")
    case.shop.becomes("half_deposit_recorded")

    planned = case.command("plan", "--day", DAY, "--json", "-")
    assert case.sync(DAY).exit_code == 1

    assert case.payments() == [("SH-2061", "100.00")]
    assert "a person entered money on SH-2061 in Xero" in planned.stdout
    assert '"before": "100.00"' in planned.stdout
    status = " ".join(case.command("status").stdout.split())
    assert "payment bank feed|SH-2061 of #2061 in Xero amount 100.00, account 606 by Shopify nothing" in status
    assert "what to do compare both sides; if Shopify's is right, remove theirs in Xero" in status
    assert "2 records in conflict with a change that a person made in Xero: #2061." in case.command("alerts").stdout


@pytest.mark.parametrize("minutes", [1, 11])
def test_nothing_of_an_order_is_placed_once_a_person_voided_its_invoice(play: Play, minutes: int) -> None:
    case = play("unpaid")
    assert case.sync(DAY).exit_code == 0
    case.stage.person.void_document(case.document("SH-2130"))
    case.shop.becomes("refunded")
    case.stage.clock.sleep(60 * minutes)

    planned = case.command("plan", "--day", DAY, "--json", "-")
    synced = case.sync(DAY)

    assert synced.exit_code == 1
    assert [one.number for one in case.stage.sandbox.books.documents.values()] == ["SH-2130"]
    assert case.payments() == []
    assert "held back because of SH-2130: Xero shows it voided by a person" in planned.stdout


def test_a_payment_that_xero_refuses_because_a_person_has_just_paid_shows_both_sides_and_is_taken_next_time(
    play: Play,
) -> None:
    """Between the plan and the write, in which nobody can look."""
    case = play("bank_deposit_awaited")
    case.sync(DAY)
    case.shop.becomes("bank_deposit_recorded")
    sync_service = case.stage.restart()
    orders = sync_service.extractor.read_orders([date(2026, 10, 1)])
    plan = sync_service.planner.plan_orders(orders, (Kind.PAYMENT,))
    case.stage.person.pay(case.document("SH-2060"), Decimal("115.00"), "606", FOURTH, "bank feed")

    sync_service.loader.load(plan, "just too late")

    (error,) = sync_service.connections.store.failed_records()
    assert error.reason.endswith("In Xero SH-2060 is PAID with 0.00 outstanding; payments: 115.00 on 2026-10-04.")
    assert case.sync(DAY).exit_code == 0
    assert (case.payments(), case.status()["failed_records"]) == ([("SH-2060", "115.00")], [])
