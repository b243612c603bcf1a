"""Orphaned orders: records of ours that stand in Xero and that no order of the books wants, until a person decides.

Pure: notes, mapping, mirror and decisions are handed in. Ours is what the mapping holds, and what bears the mark
`shopify:<order>/…` in its reference; a number that only begins like ours is a person's. Only documents and payments are
listed, as only they hold money: Contacts and Items stay, an Allocation goes with its documents. How Shopify is asked
stands in `pipeline/record_ownership.py`.
"""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.compare import REMOVED_STATUSES
from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.known_records import documents_of
from shopify_xero_pipeline.reconciliation.movements import AccountNames, StatementSection
from shopify_xero_pipeline.reconciliation.xero_movements import SIGN, Posting, mirrored_postings, posted_postings
from shopify_xero_pipeline.state.records import KeptRecord, MappedRecord, MirrorRecord, OrphanNote
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Kind

LISTED = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
NO_NAMES = AccountNames()
LIVE = "in Xero"
Shown = Mapping[tuple[str, str], MirrorRecord]


class OrphanCause(StrEnum):
    """Why no order of the books wants an order's records."""

    DELETED = "deleted"
    HIDDEN = "hidden"
    NOT_YET = "not yet"
    UNWANTED = "unwanted"
    BEFORE_START = "before start"


class OrphanedRecord(BaseModel):
    """A document or payment. Credit notes and refunds count negative; `amount` is in `currency`, as Xero shows it now.

    Attributes:
        name: the document's number, or `payment of` or `refund of` it.
        dated: the calendar day it bears, in the shop's zone.
        state: `in Xero`, `voided` or `deleted`.
        kept_because: a person's reason to let it stand; empty while nobody decided.
        decided_at: when that was, UTC.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    xero_id: str
    name: str
    dated: date
    currency: str
    amount: Decimal
    state: str
    kept_because: str = ""
    decided_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether it still stands in Xero."""
        return self.state == LIVE

    @property
    def is_open(self) -> bool:
        """Whether a person has to decide about it."""
        return self.is_live and not self.kept_because


class OrphanedOrder(BaseModel):
    """An order of which records stand, or stood, in Xero and that the books do not hold.

    Attributes:
        day: the day under which it is listed.
        reason: why it is listed, in plain words.
        noted_at: since when, UTC; None for what follows from the settings.
        remedy: what to do.
    """

    model_config = ConfigDict(frozen=True)

    order_id: str
    order_name: str
    day: date
    cause: OrphanCause
    reason: str
    noted_at: datetime | None
    remedy: str
    records: tuple[OrphanedRecord, ...]

    @property
    def is_open(self) -> bool:
        """Whether a person has to decide."""
        return any(one.is_open for one in self.records)

    @property
    def decision(self) -> str:
        """How it stands: to be decided, kept and why, or gone from Xero."""
        if self.is_open:
            return "to be decided"
        kept = [one for one in self.records if one.is_live]
        if not kept:
            return "done: nothing of it is live in Xero any more"
        since = min(f"{one.decided_at:%Y-%m-%d %H:%M}" for one in kept)
        return f"kept since {since} UTC: {'; '.join(dict.fromkeys(one.kept_because for one in kept))}"

    @property
    def name(self) -> str:
        """Its document's number, else the order's name or id."""
        documents = [one.name for one in self.records if one.kind in SIGN]
        return documents[0] if documents else self.order_name or self.order_id

    def live(self, *kinds: Kind) -> list[tuple[str, Decimal]]:
        """Return currency and amount of what still stands in Xero of these kinds."""
        return [(one.currency, one.amount) for one in self.records if one.is_live and one.kind in kinds]

    def falls_into(self, first: date, after: date) -> bool:
        """Whether its day, or the day of one of its records, lies in [first, after)."""
        return any(first <= day < after for day in (self.day, *(one.dated for one in self.records)))


def build_orphaned_orders(
    notes: Iterable[OrphanNote],
    mapped: Iterable[MappedRecord],
    shown: Shown,
    strangers: Iterable[MirrorRecord],
    kept: Mapping[str, KeptRecord],
) -> list[OrphanedOrder]:
    """Return the orders that are noted and of which there are records, by day and name.

    Args:
        notes: which orders, and why.
        mapped: what was posted of them.
        shown: what Xero last showed of that, by kind and Xero id.
        strangers: what Xero shows and the mapping does not know; it is theirs if it bears their mark.
        kept: people's decisions, by Xero id.
    """
    posted, marked = defaultdict[str, list[MappedRecord]](list), defaultdict[str, list[MirrorRecord]](list)
    for row in mapped:
        if row.order_id and row.kind in LISTED:
            posted[row.order_id].append(row)
    for order_id, stranger in rows_by_order(strangers):
        marked[order_id].append(stranger)
    found: list[OrphanedOrder] = []
    for note in notes:
        mine, theirs = posted[note.order_id], marked[note.order_id]
        records = [*(_posted(row, shown, kept) for row in mine), *(_stranger(row, kept) for row in theirs)]
        if records:
            found.append(_order(note, _order_name(mine, theirs), records))
    return sorted(found, key=lambda one: (one.day, one.name))


def rows_by_order(rows: Iterable[MirrorRecord]) -> Iterable[tuple[str, MirrorRecord]]:
    """Yield documents and payments that bear an order's mark, each with the digits of the order's id."""
    for row in rows:
        mark = references.parse(row.reference)
        if mark is not None and row.kind in LISTED:
            yield mark.order_id, row


def record_date(row: MirrorRecord) -> date:
    """Return the calendar day a document or payment of Xero bears."""
    return mirrored_postings(row, NO_NAMES)[-1].posted


def _order(note: OrphanNote, name: str, records: Sequence[OrphanedRecord]) -> OrphanedOrder:
    cause = OrphanCause(note.cause)
    ordered = sorted(records, key=lambda one: (LISTED.index(one.kind), one.dated, one.name))
    order = OrphanedOrder(
        order_id=note.order_id,
        order_name=name,
        day=note.partition,
        cause=cause,
        reason=_reason(cause, note),
        noted_at=None if cause is OrphanCause.BEFORE_START else note.noted_at,
        remedy="",
        records=tuple(ordered),
    )
    return order.model_copy(update={"remedy": _remedy(order)})


def _reason(cause: OrphanCause, note: OrphanNote) -> str:
    if cause is OrphanCause.DELETED:
        return (
            f"deleted in Shopify: asked for by its id on {note.noted_at:%Y-%m-%d %H:%M} UTC, Shopify has no such order"
        )
    if cause is OrphanCause.HIDDEN:
        return "not shown by Shopify: the app lacks the access scope read_all_orders, so it may be deleted or just old"
    if cause is OrphanCause.NOT_YET:
        return f"Shopify dates the order {note.detail}, a day that has not come yet"
    if cause is OrphanCause.UNWANTED:
        return f"posted, but Shopify's order is not to be posted now: {note.detail}"
    return f"placed before the start date {note.detail}, from which these books are kept"


def _remedy(order: OrphanedOrder) -> str:
    if not order.is_open:
        return ""
    keep = f"shopify-xero dismiss --key {shlex.quote(order.name)} --because TEXT"
    if order.cause is OrphanCause.BEFORE_START:
        return f"keep all of them: shopify-xero dismiss --before-start --because TEXT; or this one: {keep}"
    other = "remove its payments and void its documents in Xero, then sync the day"
    if order.cause is OrphanCause.HIDDEN:
        other = "grant the app read_all_orders, then sync the day"
    if order.cause is OrphanCause.NOT_YET:
        other = "correct the order's date in Shopify, then sync the day"
    return f"{other}; or keep them: {keep}"


def _posted(row: MappedRecord, shown: Shown, kept: Mapping[str, KeptRecord]) -> OrphanedRecord:
    """Return a record of ours; what Xero never showed counts as live, with the amounts that were posted."""
    now = shown.get((row.kind, row.xero_id))
    figures = posted_postings(row, NO_NAMES)[-1]
    live = now is None or now.status not in REMOVED_STATUSES
    if now is not None and live:
        figures = _in_currency(mirrored_postings(now, NO_NAMES)[-1], figures.currency)
    return _record(Kind(row.kind), row.xero_id, row.natural_key, figures, "" if live or not now else now.status, kept)


def _stranger(row: MirrorRecord, kept: Mapping[str, KeptRecord]) -> OrphanedRecord:
    figures = mirrored_postings(row, NO_NAMES)[-1]
    return _record(
        Kind(row.kind),
        row.xero_id,
        row.natural_key,
        figures,
        row.status if row.status in REMOVED_STATUSES else "",
        kept,
    )


def _in_currency(posting: Posting, currency: str) -> Posting:
    return posting if posting.currency else Posting(posting.posted, currency, posting.side, posting.key, posting.amount)


def _record(
    kind: Kind, xero_id: str, natural_key: str, figures: Posting, gone: str, kept: Mapping[str, KeptRecord]
) -> OrphanedRecord:
    decision = kept.get(xero_id)
    numbers, refund = documents_of(kind, natural_key), figures.side is StatementSection.REFUNDS
    return OrphanedRecord(
        kind=kind,
        xero_id=xero_id,
        name=f"{'refund' if refund else 'payment'} of {numbers[0]}" if numbers else natural_key,
        dated=figures.posted,
        currency=figures.currency,
        amount=-figures.amount if refund else figures.amount,
        state=gone.lower() or LIVE,
        kept_because=decision.because if decision is not None else "",
        decided_at=decision.decided_at if decision is not None else None,
    )


def _order_name(posted: Sequence[MappedRecord], marked: Sequence[MirrorRecord]) -> str:
    names = [str(parse_payload(row.payload).get("order_name") or "") for row in posted]
    names += [references.order_name(row.reference) for row in marked if references.is_own(row.reference)]
    return next(filter(None, names), "")
