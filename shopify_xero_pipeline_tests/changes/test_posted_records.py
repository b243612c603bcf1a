from decimal import Decimal

from shopify_xero_pipeline.changes.posted_records import posted_records_by_order
from shopify_xero_pipeline.state.records import FrozenRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.support.one_order import credit_note, invoice, payment
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import mapped


def test_posted_documents_money_and_credit_of_an_order_become_its_ledger() -> None:
    note = credit_note()
    records: list[AnyRecord] = [invoice(), note, payment(amount="70.00"), allocation(note, invoice(), "30.00")]
    ledger = posted_records_by_order(mapped(record, f"x-{n}") for n, record in enumerate(records))["1"]
    assert [(d.kind, d.number, d.total) for d in ledger.documents] == [
        (Kind.INVOICE, "SH-1001", Decimal("100.00")),
        (Kind.CREDIT_NOTE, "SH-1001-R12", Decimal("30.00")),
    ]
    assert [(p.transaction_id, p.document_id, p.amount) for p in ledger.payments] == [("21", "1/11", Decimal("70.00"))]
    assert [(a.credit_note_id, a.invoice_id, a.amount) for a in ledger.allocations] == [
        ("1/12", "1/11", Decimal("30.00"))
    ]


def test_an_order_without_rows_has_an_empty_ledger() -> None:
    assert posted_records_by_order([])["99"].documents == ()


def test_a_document_that_was_only_planned_keeps_its_number_and_the_posted_one_wins() -> None:
    row = mapped(invoice(number="SH-1001-old"))
    planned = FrozenRecord(kind=row.kind, shopify_id=row.shopify_id, natural_key=row.natural_key, payload=row.payload)
    assert posted_records_by_order([], [planned])["1"].documents[0].number == "SH-1001-old"
    assert posted_records_by_order([mapped(invoice())], [planned])["1"].documents[0].number == "SH-1001"
