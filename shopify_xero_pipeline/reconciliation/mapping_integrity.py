"""The integrity of the mapping: unique Xero ids, a parent for each child, and unchanged checksums.

This module only reads rows of the mapping. The comparison with Xero is in `comparison.py`.
"""

from collections import Counter
from collections.abc import Iterable

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.records import MappedRecord
from shopify_xero_pipeline.xero.models import RECORD, Allocation, Document, Kind, Payment


def violations(rows: Iterable[MappedRecord]) -> dict[str, list[str]]:
    """Return the names of rows that fail, by the name of each of the three checks.

    Args:
        rows: all rows of the mapping.
    """
    mapped = list(rows)
    count = Counter((row.kind, row.xero_id) for row in mapped)
    known = {(row.kind, row.shopify_id) for row in mapped}
    return {
        "no_duplicate_xero_id": [_name(row) for row in mapped if count[row.kind, row.xero_id] > 1],
        "no_orphan": [_name(row) for row in mapped if not _parents(row) <= known],
        "rows_intact": [_name(row) for row in mapped if digest(row.payload) != row.checksum],
    }


def _name(row: MappedRecord) -> str:
    return f"{row.kind} {row.shopify_id} ({row.natural_key})"


def _parents(row: MappedRecord) -> set[tuple[str, str]]:
    if row.kind in {Kind.CONTACT, Kind.ITEM}:
        return set()
    record = RECORD.validate_json(row.payload)
    if isinstance(record, Document):
        return {(Kind.CONTACT, record.contact_id)}
    if isinstance(record, Payment):
        return {(record.document_kind, record.document_id)}
    if isinstance(record, Allocation):
        return {(Kind.CREDIT_NOTE, record.credit_note_id), (Kind.INVOICE, record.invoice_id)}
    return set()
