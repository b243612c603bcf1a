"""What webhooks made worth a look: orders that Shopify named, and records of ours that somebody changed in Xero.

A hint is believed in nothing else; what is true is read from its own side, by whoever looks. Without any webhook all of
it is found as well, only later. How hints come in is `service/`'s, how they are kept `state/webhook_hints.py`'s.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline.xero.models import Kind

KIND_OF_CATEGORY = (Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE)
"""What Xero tells changes of (docs/contracts/xero.md §8)."""


@dataclass(frozen=True)
class ChangedInXero:
    """A record of ours that was changed in Xero: the day it belongs to, when that was, and who said so.

    `at` is by Xero's clock; where the event does not say when, by ours.
    """

    day: date
    at: datetime
    hint: WebhookHint


def hinted_orders(store: StateStore, limit: int) -> list[WebhookHint]:
    """Return hints of orders at which nobody has looked, oldest first."""
    return [one for one in store.hints.open("shopify") if one.record == "order"][:limit]


def changed_in_xero(store: StateStore, kinds: Iterable[Kind] = KIND_OF_CATEGORY) -> list[ChangedInXero]:
    """Return the records that Xero says were changed since it was looked at and since we wrote them ourselves."""
    return _changed(store, store.hints.open("xero"), kinds)


def triage_xero_hints(store: StateStore) -> list[ChangedInXero]:
    """Return the same, and note that nobody has to look at the other hints of Xero, nor at customers and products.

    The next sync reads customers and products whatever is said of them.
    """
    hints = store.hints.open("xero")
    changed = _changed(store, hints, KIND_OF_CATEGORY)
    waiting = {one.hint.id for one in changed}
    others = [one for one in store.hints.open("shopify") if one.record != "order"]
    store.hints.mark_processed([*others, *(one for one in hints if one.id not in waiting)])
    return changed


def _changed(store: StateStore, hints: Sequence[WebhookHint], kinds: Iterable[Kind]) -> list[ChangedInXero]:
    by_kind = {kind: {one.record_id: one for one in hints if one.record == kind} for kind in kinds}
    return [found for kind, named in by_kind.items() if named for found in _of_kind(store, kind, named)]


def _of_kind(store: StateStore, kind: Kind, named: Mapping[str, WebhookHint]) -> Iterator[ChangedInXero]:
    """Yield the changed records of a kind; `named` holds the newest hint of each, by Xero id."""
    owners = store.ids_by_xero_id(kind, named)
    shown = store.mirror_by_xero_id(kind, owners) if owners else {}
    for row in store.mapped(kind, owners.values()).values() if owners else ():
        hint, mirrored = named[row.xero_id], shown.get(row.xero_id)
        if _is_news(store, kind, hint, mirrored.updated_at if mirrored is not None else None):
            yield ChangedInXero(row.partition, hint.occurred_at or hint.received_at, hint)


def _is_news(store: StateStore, kind: Kind, hint: WebhookHint, written_at: datetime | None) -> bool:
    """Tell whether Xero was not looked at since what a hint tells of.

    When it happened is compared with Xero's own stamps; where the hint does not say, when it came with our own look.
    """
    if hint.occurred_at is None:
        swept_at = store.mirror_swept_at(kind)
        return swept_at is None or hint.received_at > swept_at
    watermark = store.mirror_watermark(kind)
    after_our_write = written_at is None or hint.occurred_at > written_at
    return after_our_write and (watermark is None or hint.occurred_at > watermark)
