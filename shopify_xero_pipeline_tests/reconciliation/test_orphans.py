"""Which records without an order are named, with which amounts, and how they stand; from rows written by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shopify_xero_pipeline.reconciliation.orphans import OrphanCause, OrphanedOrder, build_orphaned_orders
from shopify_xero_pipeline.state.records import KeptRecord, MappedRecord, MirrorRecord, OrphanNote
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice, payment
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import DAY, mapped, shown, shown_record

ASKED = datetime(2026, 9, 30, 8, 5, tzinfo=UTC)


def note(cause: OrphanCause = OrphanCause.DELETED, detail: str = "", order: str = "1") -> OrphanNote:
    return OrphanNote(order_id=order, partition=DAY, cause=cause, detail=detail, noted_at=ASKED, looked_up_at=ASKED)


def decision(xero_id: str, because: str = "written off") -> KeptRecord:
    return KeptRecord(xero_id=xero_id, kind="", natural_key="", order_id="1", because=because, decided_at=ASKED)


def orphan(
    *rows: MappedRecord,
    mirror: tuple[MirrorRecord, ...] = (),
    unmapped: tuple[MirrorRecord, ...] = (),
    decided: tuple[str, ...] = (),
    of: OrphanNote | None = None,
) -> OrphanedOrder:
    seen = {(row.kind, row.xero_id): row for row in mirror}
    (found,) = build_orphaned_orders([of or note()], rows, seen, unmapped, {one: decision(one) for one in decided})
    return found


def test_documents_and_payments_of_an_order_are_named_credit_and_refunds_negative() -> None:
    sold, back = invoice(), credit_note()
    found = orphan(
        mapped(sold, "i"),
        mapped(back, "c"),
        mapped(payment(document=sold), "p"),
        mapped(payment("22", "30.00", back), "r"),
        mapped(allocation(back, sold, "30.00"), "a"),
        mapped(contact(), "k"),
    )
    assert [(one.kind, one.name, one.amount, one.currency, one.dated) for one in found.records] == [
        (Kind.INVOICE, "SH-1001", Decimal("100.00"), "NZD", DAY),
        (Kind.CREDIT_NOTE, "SH-1001-R12", Decimal("-30.00"), "NZD", DAY),
        (Kind.PAYMENT, "payment of SH-1001", Decimal("100.00"), "NZD", DAY),
        (Kind.PAYMENT, "refund of SH-1001-R12", Decimal("-30.00"), "NZD", DAY),
    ]
    assert (found.order_name, found.name, found.is_open) == ("#1001", "SH-1001", True)
    assert found.live(Kind.INVOICE, Kind.CREDIT_NOTE) == [("NZD", Decimal("100.00")), ("NZD", Decimal("-30.00"))]


def test_amounts_are_those_that_xero_shows_now() -> None:
    now = shown(Kind.INVOICE, "i", "SH-1001", Total=Decimal("90.00"), CurrencyCode="NZD", Date="/Date(1789344000000)/")
    (record,) = orphan(mapped(invoice(), "i"), mirror=(now,)).records
    assert (record.amount, record.dated) == (Decimal("90.00"), date(2026, 9, 14))


@pytest.mark.parametrize("status", ["VOIDED", "DELETED"])
def test_what_a_person_took_out_of_xero_is_done(status: str) -> None:
    found = orphan(mapped(invoice(), "i"), mirror=(shown_record(invoice(), "i", status),))
    assert [(one.state, one.amount) for one in found.records] == [(status.lower(), Decimal("100.00"))]
    assert (found.is_open, found.remedy) == (False, "")
    assert found.decision == "done: nothing of it is live in Xero any more"


def test_a_decision_covers_the_records_it_was_made_about_and_no_later_one() -> None:
    rows = mapped(invoice(), "i"), mapped(payment(), "p")
    assert orphan(*rows, decided=("i", "p")).decision == "left in Xero since 2026-09-30 08:05 UTC: written off"
    half = orphan(*rows, decided=("i",))
    assert (half.is_open, half.decision) == (True, "to be decided")


def test_a_kept_document_that_is_voided_after_all_leaves_what_is_still_kept() -> None:
    gone = shown_record(payment(), "p", "DELETED")
    found = orphan(mapped(invoice(), "i"), mapped(payment(), "p"), mirror=(gone,), decided=("i", "p"))
    assert found.decision == "left in Xero since 2026-09-30 08:05 UTC: written off"
    assert found.live(Kind.PAYMENT) == []


def test_a_record_that_only_xero_knows_is_the_orders_by_its_mark_and_by_nothing_else() -> None:
    marked = shown(Kind.INVOICE, "x", "SH-1001", reference="#1001 shopify:1/11", Total=Decimal(50), CurrencyCode="NZD")
    like_ours = shown(Kind.INVOICE, "y", "SH-1001-1", reference="by telephone", Total=Decimal(50))
    of_another = shown(Kind.INVOICE, "z", "SH-2", reference="#2 shopify:12/11", Total=Decimal(50))
    found = orphan(unmapped=(marked, like_ours, of_another))
    assert [(one.xero_id, one.amount) for one in found.records] == [("x", Decimal(50))]
    assert found.order_name == "#1001"


def test_an_order_of_which_nothing_was_ever_posted_is_not_named() -> None:
    assert build_orphaned_orders([note()], [mapped(contact())], {}, [], {}) == []


@pytest.mark.parametrize(
    ("cause", "detail", "reason", "remedy"),
    [
        (
            OrphanCause.DELETED,
            "",
            "deleted in Shopify: Shopify returned no order for its id on 2026-09-30 08:05 UTC",
            "remove its payments and void its documents in Xero, then sync the day; or keep them: "
            "shopify-xero dismiss --key SH-1001 --because TEXT",
        ),
        (
            OrphanCause.HIDDEN,
            "",
            "not returned by Shopify: the app lacks the access scope read_all_orders, so it may be deleted or just old",
            "grant the app read_all_orders, then sync the day; or keep them: "
            "shopify-xero dismiss --key SH-1001 --because TEXT",
        ),
        (
            OrphanCause.NOT_YET,
            "2026-12-24",
            "Shopify dates the order 2026-12-24, a day that has not come yet",
            "correct the order's date in Shopify, then sync the day; or keep them: "
            "shopify-xero dismiss --key SH-1001 --because TEXT",
        ),
        (
            OrphanCause.UNWANTED,
            "a test order",
            "posted, but Shopify's order is not to be posted now: a test order",
            "remove its payments and void its documents in Xero, then sync the day; or keep them: "
            "shopify-xero dismiss --key SH-1001 --because TEXT",
        ),
        (
            OrphanCause.BEFORE_START,
            "2026-10-01",
            "placed before the start date 2026-10-01 of these books",
            "keep all of them: shopify-xero dismiss --before-start --because TEXT; or this one: "
            "shopify-xero dismiss --key SH-1001 --because TEXT",
        ),
    ],
)
def test_each_cause_says_why_and_what_to_do(cause: OrphanCause, detail: str, reason: str, remedy: str) -> None:
    found = orphan(mapped(invoice(), "i"), of=note(cause, detail))
    assert (found.reason, found.remedy) == (reason, remedy)


def test_a_number_with_signs_of_the_shell_is_quoted_in_the_remedy() -> None:
    odd = mapped(invoice(number="SH-$(rm)"), "i")
    assert "--key 'SH-$(rm)' --because" in orphan(odd).remedy


def test_it_falls_into_the_month_of_its_day_and_of_each_of_its_records() -> None:
    october = date(2026, 10, 1)
    later = credit_note().model_copy(update={"date": date(2026, 11, 3)})
    found = orphan(mapped(invoice(), "i"), mapped(later, "c"))
    months = [october.replace(month=month) for month in (8, 9, 10, 11, 12)]
    nexts = [(month + timedelta(days=32)).replace(day=1) for month in months]
    falls = [found.falls_into(month, after) for month, after in zip(months, nexts, strict=True)]
    assert falls == [False, True, False, True, False]
