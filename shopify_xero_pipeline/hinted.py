"""What webhooks made worth a look: orders that Shopify named, and records of ours that somebody changed in Xero.

A hint is believed in nothing else; what is true is read from its own side, by whoever looks. Without any webhook all of
it is found as well, only later. How hints come in is `service/`'s, how they are kept `state/hints.py`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from shopify_xero_pipeline.state.hints import Hint
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Kind

KINDS = (Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE)
"""What Xero tells changes of (Xero fact sheet 8)."""


@dataclass(frozen=True)
class ChangedInXero:
    """A record of ours that was changed in Xero: the day it belongs to, when that was (UTC), and who said so."""

    day: date
    at: datetime
    hint: Hint


def orders(store: StateStore, most: int) -> list[Hint]:
    """Return hints of orders at which nobody has looked, oldest first."""
    return [one for one in store.hints.open("shopify") if one.record == "order"][:most]


def changed_in_xero(store: StateStore, kinds: Iterable[Kind] = KINDS) -> list[ChangedInXero]:
    """Return the records that Xero says were changed since it was looked at and since we wrote them ourselves."""
    hints = store.hints.open("xero")
    return [found for kind in kinds for found in _changed(store, kind, [one for one in hints if one.record == kind])]


def let_go(store: StateStore, changed: Iterable[ChangedInXero]) -> None:
    """Note that nobody has to look any more at the hints of Xero but these, nor at those of customers and products.

    The next sync reads customers and products whatever is said of them.
    """
    waiting = {one.hint.id for one in changed}
    others = [one for one in store.hints.open("shopify") if one.record != "order"]
    store.hints.looked_at([*others, *(one for one in store.hints.open("xero") if one.id not in waiting)])


def _changed(store: StateStore, kind: Kind, hints: Iterable[Hint]) -> Iterator[ChangedInXero]:
    named = {one.record_id: one for one in hints}  # oldest first, so that the newest of each counts
    owners = store.owners(kind, named)
    swept = store.mirror_swept_at(kind)
    for row in store.mapped(kind, owners.values()).values() if owners else ():
        hint = named[row.xero_id]
        at = hint.happened_at or hint.received_at
        if at > row.posted_at and (swept is None or at > swept):
            yield ChangedInXero(row.partition, at, hint)
