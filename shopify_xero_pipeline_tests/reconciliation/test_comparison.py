from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, reconcile_day
from shopify_xero_pipeline.reconciliation.movements import AccountNames
from shopify_xero_pipeline.reconciliation.order_records import ReconciliationInputs
from shopify_xero_pipeline.reconciliation.xero_movements import posted_postings, to_movements
from shopify_xero_pipeline.state.records import FrozenRecord, MirrorRecord, SyncError
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Contact, CreditNote, Invoice, Item, Kind, Payment
from shopify_xero_pipeline_tests.reconciliation.read_back import element
from shopify_xero_pipeline_tests.support.one_order import credit_note, invoice, payment
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import DAY, mapped, shown, shown_record, sync_error


def books(outcome: Outcome = Outcome.POST, sales: str = "100.00", money: str = "100.00", **more: object) -> OrderBooks:
    figures = {"sales": Decimal(sales), "tax": Decimal("13.04"), "money": Decimal(money), "outstanding": Decimal(0)}
    return OrderBooks(order_id="1", order_name="#1001", outcome=outcome, currency="NZD", **figures, **more)


def compared(
    order: OrderBooks,
    records: Sequence[AnyRecord],
    *,
    shown_as: dict[Kind, list[MirrorRecord]] | None = None,
    errors: Sequence[SyncError] | None = None,
    under_way: Sequence[Invoice] = (),
) -> DayReconciliation:
    """Reconcile one order whose records are mapped and, unless said otherwise, shown by Xero as posted.

    Shopify's movements are those of the records: what happens where they are others stands in `test_movements.py`.
    """
    rows = [mapped(record, f"x-{n}") for n, record in enumerate(records)]
    mirror: dict[Kind, list[MirrorRecord]] = {Kind.INVOICE: [], Kind.CREDIT_NOTE: [], Kind.PAYMENT: []}
    for row, record in zip(rows, records, strict=True):
        if not isinstance(record, Contact | Item | Allocation):
            mirror[record.kind].append(seen(record, row.xero_id))
    mirror.update(shown_as or {})
    posted = [one for row in rows for one in to_movements(posted_postings(row, AccountNames()), "mapping", "")]
    moved = [one.model_copy(update={"shopify": one.mapping, "mapping": Decimal(0)}) for one in posted]
    frozen = [
        FrozenRecord(kind=one.kind, shopify_id=one.shopify_id, natural_key=one.natural_key, payload="{}")
        for one in under_way
    ]
    evidence = ReconciliationInputs(rows, mirror, errors or [], frozen)
    return reconcile_day(DAY, [order], evidence, {order.order_id: moved}, AccountNames())


def seen(record: Invoice | CreditNote | Payment, xero_id: str, **changed: Any) -> MirrorRecord:
    """Return what Xero shows of a record, with what a person changed of it."""
    return shown(record.kind, xero_id, record.natural_key, reference=record.reference, **(element(record) | changed))


def paid() -> OrderBooks:
    return books(documents=(invoice(),), payments=(payment(),))


def test_a_posted_and_paid_order_agrees_in_all_three_columns() -> None:
    day = compared(paid(), [invoice(), payment()])
    row = day.rows[0]
    assert (row.outcome, row.sales, row.mapped_sales, row.xero_sales) == ("posted", *[Decimal("100.00")] * 3)
    assert (row.money, row.mapped_money, row.xero_money) == (Decimal("100.00"),) * 3
    assert (row.documents, row.payments, day.differences, day.lost, day.extra) == (1, 1, {}, 0, 0)
    assert not day.unequal
    assert not day.unaccounted


def test_credit_and_refunds_count_against_sales_and_money() -> None:
    note = credit_note()
    paid, refund = payment(), payment("22", "30.00", note)
    order = books(sales="70.00", money="70.00", documents=(invoice(), note), payments=(paid, refund))
    assert not compared(order, [invoice(), note, paid, refund]).unequal


def test_an_allocation_moves_no_money() -> None:
    note = credit_note()
    paid, credit = payment(amount="70.00"), allocation(note, invoice(), "30.00")
    order = books(sales="70.00", money="70.00", documents=(invoice(), note), payments=(paid,), allocations=(credit,))
    day = compared(order, [invoice(), note, paid, credit])
    assert not day.unequal
    assert day.lost == 0


def test_a_cash_rounding_document_stands_outside_the_sales_column() -> None:
    rounding = invoice(agreement="C31", total="0.02", number="SH-1001-C31")
    paid, rest = payment(), payment("31", "0.02", rounding)
    order = books(money="100.02", documents=(invoice(), rounding), payments=(paid, rest))
    assert not compared(order, [invoice(), rounding, paid, rest]).unequal


def test_a_cent_of_difference_in_xero_is_named_with_the_arithmetic() -> None:
    theirs = seen(invoice(), "x-0", Total=Decimal("99.99"))
    day = compared(paid(), [invoice(), payment()], shown_as={Kind.INVOICE: [theirs]})
    assert day.differences == {"NZD": Decimal("0.01")}
    assert day.rows[0].problems == (
        "invoice SH-1001: posted 100.00, Xero shows 99.99",
        "sales: Shopify 100.00, mapping 100.00, Xero 99.99",
        "invoices on 2026-09-21: Shopify 100.00, Xero 99.99, difference -0.01",
    )


def test_a_document_gone_from_xero_is_lost() -> None:
    voided = shown_record(invoice(), "x-0", status="VOIDED")
    day = compared(paid(), [invoice(), payment()], shown_as={Kind.INVOICE: [voided]})
    assert day.lost == 1
    assert day.rows[0].problems[0] == "invoice SH-1001 was posted and Xero no longer shows it"


def test_a_second_live_record_with_the_orders_mark_is_extra() -> None:
    twice = [seen(invoice(), "x-0"), seen(invoice(), "x-77")]
    day = compared(paid(), [invoice(), payment()], shown_as={Kind.INVOICE: twice})
    assert day.extra == 1
    assert day.rows[0].problems == ("invoice SH-1001 in Xero carries this order's reference and is not in the mapping",)


def test_what_was_sent_and_is_not_settled_yet_is_no_duplicate_but_a_second_one_is() -> None:
    order = books(documents=(invoice(),))
    arrived = compared(order, [], shown_as={Kind.INVOICE: [seen(invoice(), "x-0")]}, under_way=[invoice()])
    assert (arrived.extra, arrived.rows[0].outcome, arrived.rows[0].problems) == (0, "failed", ())
    twice = [seen(invoice(), "x-0"), seen(invoice(), "x-77")]
    assert compared(order, [], shown_as={Kind.INVOICE: twice}, under_way=[invoice()]).extra == 1
    assert compared(paid(), [invoice(), payment()], shown_as={Kind.INVOICE: twice}, under_way=[invoice()]).extra == 1


def test_a_deleted_copy_is_not_extra() -> None:
    twice = [seen(payment(), "x-1"), shown_record(payment(), "x-78", status="DELETED")]
    assert compared(paid(), [invoice(), payment()], shown_as={Kind.PAYMENT: twice}).extra == 0


def test_an_order_with_a_record_missing_has_failed_and_says_why() -> None:
    error = sync_error(
        kind="payment",
        shopify_id="21/SH-1001",
        natural_key="shopify:1/21|SH-1001",
        order_id="1",
        reason="Account type is invalid",
    )
    day = compared(paid(), [invoice()], errors=[error])
    assert day.rows[0].outcome == "failed"
    assert day.rows[0].reason == "Account type is invalid (not in Xero yet: shopify:1/21|SH-1001)"
    assert day.differences == {}


def test_an_order_not_tried_yet_says_what_is_missing() -> None:
    assert compared(paid(), []).rows[0].reason == "not in Xero yet: SH-1001, shopify:1/21|SH-1001"


def test_orders_that_are_not_to_be_posted_are_accounted_for_by_their_reason() -> None:
    day = compared(books(Outcome.BLOCKED, reason="gateway mystery_pay has no account"), [])
    assert (day.rows[0].outcome, day.rows[0].reason) == ("blocked", "gateway mystery_pay has no account")
    assert not day.unaccounted
    assert day.count("blocked") == 1


def test_an_order_without_a_reason_is_unaccounted_for() -> None:
    assert len(compared(books(Outcome.WAITING), []).unaccounted) == 1
