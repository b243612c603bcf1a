"""The plan of a single record, with an action and a reason.

This module only compares one record with the mapping and with Xero. The records and their order are in `plan.py`.
"""

from collections.abc import Mapping
from decimal import Decimal

from shopify_xero_pipeline.changes.drift import find_edits
from shopify_xero_pipeline.changes.fields import differences, parse_payload
from shopify_xero_pipeline.changes.known_records import ARCHIVED
from shopify_xero_pipeline.changes.models import Action, Change, FieldDiff
from shopify_xero_pipeline.changes.unmapped_posted import backfill_blanks
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES, Element
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Contact, Document, Invoice, Item, Payment

MONEY_FIELDS = frozenset({"total", "total_tax", "amount", "currency"})
_Decision = tuple[Action, str, tuple[FieldDiff, ...]]
"""The action, the reason and the fields of a line."""


def plan_record(
    record: AnyRecord,
    mapped: MappedRecord | None,
    mirror: MirrorRecord | None,
    *,
    restore: bool = False,
    contact_xero_id: str | None = None,
) -> Change:
    """Return the planned change of a record.

    Args:
        record: the desired state of the record.
        mapped: its row in the mapping, if it was posted.
        mirror: its row in the mirror, by Xero id if it is mapped, otherwise by natural key.
        restore: whether the plan overwrites a person's change of a Contact or Item instead of listing it as a conflict.
        contact_xero_id: the Xero id of a document's Contact, if it is known.
    """
    if mapped is not None:
        return _against_mapping(record, mapped, mirror, restore, contact_xero_id)
    if mirror is not None:
        return _against_unmapped(record, mirror)
    content = {name: value for name, value in record.content().items() if name not in {"kind", "shopify_id"}}
    return build_change(Action.CREATE, record, fields=differences({}, content))


def build_change(action: Action, record: AnyRecord, **details: object) -> Change:
    """Return a line of the plan with the record's order, amount and currency.

    Args:
        action: the action of the line.
        record: the record to write or compare.
        **details: further fields of `Change`.
    """
    amount, currency = _amount(record)
    line = Change(
        action=action,
        kind=record.kind,
        shopify_id=record.shopify_id,
        natural_key=record.natural_key,
        order_id=getattr(record, "order_id", None),
        order_name=getattr(record, "order_name", None),
        record=record,
        amount=amount,
        currency=currency,
    )
    return line.model_copy(update=details)


def _against_mapping(
    record: AnyRecord, mapped: MappedRecord, mirror: MirrorRecord | None, restore: bool, contact_xero_id: str | None
) -> Change:
    posted = parse_payload(mapped.payload)
    before, after = _without_item_codes(posted), record.content()
    if isinstance(record, Contact | Item):
        after = {**before, **after}  # blank fields keep the posted value
    fields = differences(before, after)
    edits = find_edits(record, posted, mirror, contact_xero_id) if mirror is not None else ()
    if mirror is not None and mirror.status in REMOVED_STATUSES:
        reason = f"Xero shows it {mirror.status.lower()} by a person; it is reported and not created again"
        decision: _Decision = Action.CONFLICT, reason, fields
    elif isinstance(record, Contact) and mirror is not None and mirror.status == ARCHIVED:
        decision = _archived(mirror, fields)
    elif edits:
        decision = _edited(edits, is_restored=restore and isinstance(record, Contact | Item))
    else:
        decision = _changed_in_shopify(record, fields)
    action, reason, fields = decision
    return build_change(action, record, reason=reason, xero_id=mapped.xero_id, fields=fields)


def _edited(edits: tuple[FieldDiff, ...], *, is_restored: bool) -> _Decision:
    """Return the decision about a record that a person changed in Xero. Documents are never overwritten."""
    names = ", ".join(field.field for field in edits)
    if is_restored:
        return Action.UPDATE, f"a person changed {names} in Xero; it is restored", edits
    return Action.CONFLICT, f"a person changed {names} in Xero; Xero's values stay", edits


def _archived(mirror: MirrorRecord, fields: tuple[FieldDiff, ...]) -> _Decision:
    """Return the decision about an archived Contact, which Xero refuses to update.

    Documents of a merged Contact use the Contact into which it was merged.
    """
    if Element.from_row(mirror).merged_into:
        return Action.UNCHANGED, "a person merged it into another Contact in Xero, which its documents use", ()
    if not fields:
        return Action.UNCHANGED, "archived in Xero", ()
    return Action.CONFLICT, "archived in Xero by a person; restore it there to apply Shopify's changes", fields


def _changed_in_shopify(record: AnyRecord, fields: tuple[FieldDiff, ...]) -> _Decision:
    """Return the decision about a record that is in Xero as posted.

    Of a document, other amounts are a conflict; other texts and codes stay as posted.
    """
    if not fields:
        return Action.UNCHANGED, "", ()
    if isinstance(record, Contact | Item):
        return Action.UPDATE, f"changed in Shopify: {', '.join(field.field for field in fields)}", fields
    if any(field.field in MONEY_FIELDS for field in fields):
        reason = "posted with other amounts than Shopify's history has now; documents are never rewritten"
        return Action.CONFLICT, reason, fields
    return Action.UNCHANGED, "stays as posted; a text or a code would be different today", fields


def _against_unmapped(record: AnyRecord, mirror: MirrorRecord) -> Change:
    """Return the line of a record whose natural key is in Xero and not in the mapping."""
    element = Element.from_row(mirror)
    action, reason, fields = Action.CONFLICT, _ownership_problem(record, mirror, element), tuple[FieldDiff, ...]()
    if isinstance(record, Item) and element.is_tracked_or_unsold:
        action = Action.SKIPPED
        reason = f"Xero's Item {record.code} is tracked or not sold; it stays unchanged and its code is not sent"
    elif isinstance(record, Invoice) and _has_edited_reference(record, mirror, element):
        reason = "Xero shows another reference on it; its link names this order, and it stays as it is"
        fields = (FieldDiff(field="reference", before=mirror.reference, after=record.reference),)
    elif not reason:
        action, reason, record = Action.ADOPT, "already in Xero under our key", backfill_blanks(record, element)
    return build_change(action, record, reason=reason, xero_id=mirror.xero_id, fields=fields)


def _has_edited_reference(record: Invoice, mirror: MirrorRecord, element: Element) -> bool:
    is_ours = bool(record.url) and element.text("Url") == record.url
    return is_ours and mirror.status not in REMOVED_STATUSES and mirror.reference != record.reference


def _ownership_problem(record: AnyRecord, mirror: MirrorRecord, element: Element) -> str:
    if isinstance(record, Contact | Item):
        return ""
    if mirror.status in REMOVED_STATUSES:
        return f"Xero shows {record.natural_key} {mirror.status.lower()}; it is reported and not created again"
    amount, _ = _amount(record)
    xero_amount = Decimal(0) if element.amount is None else element.amount
    if isinstance(record, Document) and mirror.reference != record.reference:
        return (
            f"the number {record.number} belongs to another document in Xero (reference {mirror.reference or 'empty'})"
        )
    if amount != xero_amount:
        return f"Xero has {record.natural_key} with {xero_amount} where Shopify has {amount}"
    return ""


def _without_item_codes(posted: Mapping[str, object]) -> dict[str, object]:
    """Return the posted content without the Item codes of its lines, which no plan contains."""
    lines = posted.get("lines")
    if not isinstance(lines, list):
        return dict(posted)
    trimmed = [{name: value for name, value in line.items() if name != "item_code"} for line in lines]
    return {**posted, "lines": trimmed}


def _amount(record: AnyRecord) -> tuple[Decimal | None, str | None]:
    if isinstance(record, Document):
        return record.total, record.currency
    if isinstance(record, Payment | Allocation):
        return record.amount, record.currency
    return None, None
