"""The kinds of records that are read from Xero before a plan writes.

A write must start from Xero's present state, but only of what it depends on: a new document needs the Contacts and the
numbers in use, money on a posted document needs that document and its money. A document that is not posted yet has no
money of a person. This module only decides; `pipeline/mirror_refresh.py` reads.
"""

from collections.abc import Collection, Iterable

from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change, ChangeSet
from shopify_xero_pipeline.xero.models import Allocation, Kind, Payment

READ_BEFORE: dict[Kind, frozenset[Kind]] = {
    Kind.CONTACT: frozenset({Kind.CONTACT}),
    Kind.ITEM: frozenset({Kind.ITEM}),
    Kind.INVOICE: frozenset({Kind.CONTACT, Kind.INVOICE}),
    Kind.CREDIT_NOTE: frozenset({Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE}),
    Kind.PAYMENT: frozenset({Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT}),
    Kind.ALLOCATION: frozenset({Kind.INVOICE, Kind.CREDIT_NOTE}),
}


def documents_of_money(change_sets: Iterable[ChangeSet]) -> set[str]:
    """Return the Shopify ids of the documents of all money that a plan writes.

    Args:
        change_sets: plans of any kinds and days.
    """
    return {document for line in _writing_lines(change_sets) for document in _documents(line)}


def kinds_to_read(change_sets: Collection[ChangeSet], posted: Collection[str]) -> set[Kind]:
    """Return the kinds that are read before a plan writes; none if it writes nothing.

    After a conflict all kinds are read, because a person may have corrected Xero as the remedy asks.

    Args:
        change_sets: plans of any kinds and days.
        posted: Shopify ids of posted documents, among them those of `documents_of_money`.
    """
    if any(line.action is Action.CONFLICT for change_set in change_sets for line in change_set.changes):
        return {*Kind}
    lines = [line for line in _writing_lines(change_sets) if _depends_on_xero(line, posted)]
    return {kind for line in lines for kind in READ_BEFORE[line.kind]}


def _writing_lines(change_sets: Iterable[ChangeSet]) -> list[Change]:
    lines = (line for change_set in change_sets for line in change_set.changes)
    return [line for line in lines if line.action in WRITING_ACTIONS]


def _depends_on_xero(line: Change, posted: Collection[str]) -> bool:
    """Return whether a line depends on records in Xero; money on new documents only does not."""
    return (
        line.action is not Action.CREATE
        or not (documents := _documents(line))
        or any(document in posted for document in documents)
    )


def _documents(line: Change) -> list[str]:
    if isinstance(line.record, Payment):
        return [line.record.document_id]
    return [line.record.credit_note_id, line.record.invoice_id] if isinstance(line.record, Allocation) else []
