from shopify_xero_pipeline.reconciliation.mapping_integrity import violations
from shopify_xero_pipeline.state.records import MappedRecord
from shopify_xero_pipeline.xero.models import AnyRecord
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import mapped


def whole() -> list[MappedRecord]:
    note = credit_note()
    records: list[AnyRecord] = [contact(), item(), invoice(), note, payment(), allocation(note, invoice(), "30.00")]
    return [mapped(record, f"x-{n}") for n, record in enumerate(records)]


def test_a_whole_mapping_has_no_faults() -> None:
    assert violations(whole()) == {"no_duplicate_xero_id": [], "no_orphan": [], "rows_intact": []}


def test_two_records_pointing_at_one_xero_id_are_both_named() -> None:
    rows = [mapped(contact("7"), "x-1"), mapped(contact("8"), "x-1")]
    assert violations(rows)["no_duplicate_xero_id"] == ["contact 7 (shopify:7)", "contact 8 (shopify:8)"]


def test_children_without_their_parents_are_orphans() -> None:
    alone = [row for row in whole() if row.kind not in {"contact", "invoice"}]
    assert violations(alone)["no_orphan"] == [
        "credit_note 1/12 (SH-1001-R12)",
        "payment 21/SH-1001 (shopify:1/21|SH-1001)",
        "allocation SH-1001-R12/SH-1001/30 (SH-1001-R12|SH-1001|30)",
    ]


def test_a_row_whose_content_was_altered_is_found() -> None:
    row = mapped(invoice())
    altered = row.model_copy(update={"payload": row.payload.replace("100.00", "10.000")})
    assert violations([mapped(contact()), altered])["rows_intact"] == ["invoice 1/11 (SH-1001)"]
