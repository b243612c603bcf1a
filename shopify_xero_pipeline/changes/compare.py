"""One record against the mapping and against what Xero shows: create, update, adopt, unchanged or conflict, and why.

Only the verdict on a single record belongs here; which records there are and in which order they come stands in
`plan.py`.
"""

from collections.abc import Mapping
from decimal import Decimal

from shopify_xero_pipeline.changes.drift import find_edits
from shopify_xero_pipeline.changes.fields import differences, parse_payload
from shopify_xero_pipeline.changes.known_records import ARCHIVED, MERGED
from shopify_xero_pipeline.changes.models import Action, Change, FieldDiff
from shopify_xero_pipeline.changes.unmapped_posted import backfill_blanks
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Contact, CreditNote, Invoice, Item, Payment

REMOVED_STATUSES = frozenset({"VOIDED", "DELETED"})
MONEY_FIELDS = frozenset({"total", "total_tax", "amount", "currency"})


def plan_record(
    record: AnyRecord,
    mapped: MappedRecord | None,
    mirror: MirrorRecord | None,
    *,
    restore: bool = False,
    bearer: str | None = None,
) -> Change:
    """Return what is to happen to a record.

    Args:
        record: what Xero shall hold.
        mapped: what we posted of it, if we did.
        mirror: what Xero shows under its Xero id (when mapped) or under its natural key (when not).
        restore: whether a person's change of a Contact or Item is undone instead of kept and listed.
        bearer: the Xero id of a document's Contact, if it is known.
    """
    if mapped is not None:
        return _against_mapping(record, mapped, mirror, restore, bearer)
    if mirror is not None:
        return _against_unmapped(record, mirror)
    return build_change(Action.CREATE, record, fields=differences({}, _shown(record)))


def build_change(action: Action, record: AnyRecord, **details: object) -> Change:
    """Return a line of the plan for a record, with its order, amount and currency."""
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
    record: AnyRecord, mapped: MappedRecord, mirror: MirrorRecord | None, restore: bool, bearer: str | None
) -> Change:
    posted = parse_payload(mapped.payload)
    before = _without_item_codes(posted)
    after = _kept_where_blank(before, record)
    fields = differences(before, after)
    if mirror is not None and mirror.status in REMOVED_STATUSES:
        reason = f"Xero shows it {mirror.status.lower()} by a person; it is reported and not created again"
        return build_change(Action.CONFLICT, record, reason=reason, xero_id=mapped.xero_id, fields=fields)
    edited = find_edits(record, posted, mirror, bearer) if mirror is not None else ()
    if isinstance(record, Contact) and mirror is not None and mirror.status == ARCHIVED:
        return _archived(record, mapped, mirror, fields)
    if edited:
        return _edited(record, mapped, edited, restore=restore)
    if not fields:
        return build_change(Action.UNCHANGED, record, xero_id=mapped.xero_id)
    if isinstance(record, Contact | Item):
        reason = f"changed in Shopify: {', '.join(field.field for field in fields)}"
        return build_change(Action.UPDATE, record, reason=reason, xero_id=mapped.xero_id, fields=fields)
    return _posted_document(record, mapped, fields)


def _edited(record: AnyRecord, mapped: MappedRecord, edited: tuple[FieldDiff, ...], *, restore: bool) -> Change:
    """Both sides are listed: what a person made of it in Xero, and what we would have; no document is rewritten."""
    names = ", ".join(field.field for field in edited)
    undone = restore and isinstance(record, Contact | Item)
    action = Action.UPDATE if undone else Action.CONFLICT
    kept = "it is restored" if undone else "Xero's copy is kept"
    reason = f"a person changed {names} in Xero; {kept}"
    return build_change(action, record, reason=reason, xero_id=mapped.xero_id, fields=edited)


def _archived(record: Contact, mapped: MappedRecord, mirror: MirrorRecord, fields: tuple[FieldDiff, ...]) -> Change:
    """An archived Contact cannot be written to; one that was merged into another lives on in that one."""
    if parse_payload(mirror.payload).get(MERGED):
        reason = "a person merged it into another Contact in Xero, which its documents use"
        return build_change(Action.UNCHANGED, record, reason=reason, xero_id=mapped.xero_id)
    if not fields:
        return build_change(Action.UNCHANGED, record, reason="archived in Xero", xero_id=mapped.xero_id)
    reason = "archived in Xero by a person; restore it there to let Shopify's changes in"
    return build_change(Action.CONFLICT, record, reason=reason, xero_id=mapped.xero_id, fields=fields)


def _posted_document(record: AnyRecord, mapped: MappedRecord, fields: tuple[FieldDiff, ...]) -> Change:
    """What is posted is never rewritten: other money is a conflict, other words are kept."""
    if any(field.field in MONEY_FIELDS for field in fields):
        reason = "posted with other amounts than Shopify's history gives now; documents are never rewritten"
        return build_change(Action.CONFLICT, record, reason=reason, xero_id=mapped.xero_id, fields=fields)
    reason = "kept as posted; it would be worded or coded differently today"
    return build_change(Action.UNCHANGED, record, reason=reason, xero_id=mapped.xero_id, fields=fields)


def _against_unmapped(record: AnyRecord, mirror: MirrorRecord) -> Change:
    """A record that Xero has under our key and we have no row of: ours from before, or somebody else's."""
    element = parse_payload(mirror.payload)
    if isinstance(record, Item) and (element.get("IsTrackedAsInventory") is True or element.get("IsSold") is False):
        reason = f"Xero's Item {record.code} is tracked or not sold; it is left alone and its code is not sent"
        return build_change(Action.SKIPPED, record, reason=reason, xero_id=mirror.xero_id)
    if isinstance(record, Invoice) and record.url and element.get("Url") == record.url and _is_reworded(record, mirror):
        fields = (FieldDiff(field="reference", before=mirror.reference, after=record.reference),)
        reason = "Xero shows another reference on it; it is ours by its link, and left as it is"
        return build_change(Action.CONFLICT, record, reason=reason, xero_id=mirror.xero_id, fields=fields)
    problem = _not_ours(record, mirror, element)
    if problem:
        return build_change(Action.CONFLICT, record, reason=problem, xero_id=mirror.xero_id)
    return build_change(
        Action.ADOPT, backfill_blanks(record, element), reason="already in Xero under our key", xero_id=mirror.xero_id
    )


def _is_reworded(record: Invoice, mirror: MirrorRecord) -> bool:
    return mirror.status not in REMOVED_STATUSES and mirror.reference != record.reference


def _not_ours(record: AnyRecord, mirror: MirrorRecord, element: Mapping[str, object]) -> str:
    if isinstance(record, Contact | Item):
        return ""
    if mirror.status in REMOVED_STATUSES:
        return f"Xero shows {record.natural_key} {mirror.status.lower()}; it is reported and not created again"
    amount, _ = _amount(record)
    shown = Decimal(str(element.get("Total", element.get("Amount", "0"))))
    if isinstance(record, Invoice | CreditNote) and mirror.reference != record.reference:
        return (
            f"the number {record.number} belongs to another document in Xero (reference {mirror.reference or 'empty'})"
        )
    if amount != shown:
        return f"Xero has {record.natural_key} with {shown} where Shopify gives {amount}"
    return ""


def _without_item_codes(posted: Mapping[str, object]) -> dict[str, object]:
    """Return what was posted without the codes of its lines' Items, which no plan knows."""
    lines = posted.get("lines")
    if not isinstance(lines, list):
        return dict(posted)
    named = [{name: value for name, value in line.items() if name != "item_code"} for line in lines]
    return {**posted, "lines": named}


def _kept_where_blank(before: Mapping[str, object], record: AnyRecord) -> dict[str, object]:
    """Blanks never overwrite: what a Contact or Item no longer says stays as it was posted."""
    after = record.content()
    return {**before, **after} if isinstance(record, Contact | Item) else after


def _shown(record: AnyRecord) -> dict[str, object]:
    return {key: value for key, value in record.content().items() if key not in {"kind", "shopify_id"}}


def _amount(record: AnyRecord) -> tuple[Decimal | None, str | None]:
    if isinstance(record, Invoice | CreditNote):
        return record.total, record.currency
    if isinstance(record, Payment | Allocation):
        return record.amount, record.currency
    return None, None
