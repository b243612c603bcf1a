"""Open webhook hints: orders changed in Shopify, and posted records changed in Xero.

A hint only names a record to read again; its content is not trusted. Without webhooks the pipeline detects the same
changes later. This module only selects hints: `service/` receives them, `state/webhook_hints.py` stores them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline.xero.models import Kind

KIND_OF_CATEGORY = (Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE)
"""Kinds for which Xero sends events (docs/contracts/xero.md §8)."""


@dataclass(frozen=True)
class ChangedInXero:
    """A posted record that changed in Xero.

    Attributes:
        day: the day of the record, in the shop's time zone.
        at: the time of the event by Xero's clock, UTC; without one, the time of its receipt by the local clock.
        hint: the hint that names the record.
    """

    day: date
    at: datetime
    hint: WebhookHint


def changed_in_xero(
    store: StateStore, hints: Sequence[WebhookHint], kinds: Iterable[Kind] = KIND_OF_CATEGORY
) -> list[ChangedInXero]:
    """Return the posted records that changed in Xero after the last sweep and after our own last write.

    Args:
        store: the state store.
        hints: open hints of Xero, oldest first; of each record, the newest one counts.
        kinds: kinds of records to return.
    """
    changed = []
    for kind in kinds:
        by_xero_id = {hint.record_id: hint for hint in hints if hint.record == kind}
        owners = store.ids_by_xero_id(kind, by_xero_id) if by_xero_id else {}
        mirror_rows = store.mirror_by_xero_id(kind, owners) if owners else {}
        for row in store.mapped(kind, owners.values()).values() if owners else ():
            hint, mirrored = by_xero_id[row.xero_id], mirror_rows.get(row.xero_id)
            if _is_newer_than_mirror(store, kind, hint, mirrored.updated_at if mirrored is not None else None):
                changed.append(ChangedInXero(row.partition, hint.occurred_at or hint.received_at, hint))
    return changed


def triage_xero_hints(store: StateStore) -> list[ChangedInXero]:
    """Return the records of `changed_in_xero`, and mark all other hints of Xero as processed.

    Hints of customers and products are marked too, because each sync reads changed customers and products anyway.
    """
    hints = store.hints.open("xero")
    changed = changed_in_xero(store, hints)
    changed_ids = {record.hint.id for record in changed}
    others = [hint for hint in store.hints.open("shopify") if hint.record != "order"]
    store.hints.mark_processed([*others, *(hint for hint in hints if hint.id not in changed_ids)])
    return changed


def _is_newer_than_mirror(store: StateStore, kind: Kind, hint: WebhookHint, written_at: datetime | None) -> bool:
    """Return whether the mirror may lack the change that a hint names.

    The time of the event is compared with Xero's timestamps. Without one, the time of receipt is compared with the last
    sweep, both by the local clock.
    """
    if hint.occurred_at is None:
        swept_at = store.mirror_swept_at(kind)
        return swept_at is None or hint.received_at > swept_at
    watermark = store.mirror_watermark(kind)
    after_our_write = written_at is None or hint.occurred_at > written_at
    return after_our_write and (watermark is None or hint.occurred_at > watermark)
