"""Which order each of our records in Xero belongs to, day by day: posted orders that a day's list does not give.

Shopify's list comes from a search index that lags, so that an order missing from it proves nothing. Each one that is
mapped to a day and missing from its list is asked for by its id, which reads the record itself
(docs/contracts/shopify.md §3.6): it still belongs to the day, or to another one, or Shopify answers null. Only then is
it noted as an orphan, with the time. What is asked grows with the orders that are missing, not with the history. How
orphans are shown and judged stands in `reconciliation/orphans.py`; nothing is written to Xero.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum

from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes.known_records import NOT_LIVE
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.record_links import xero_page
from shopify_xero_pipeline.reconciliation.orphans import (
    LISTED,
    OrphanCause,
    OrphanedOrder,
    build_orphaned_orders,
    record_date,
    rows_by_order,
)
from shopify_xero_pipeline.shopify.models import ChangedOrder, Order
from shopify_xero_pipeline.state.records import KeptRecord, MirrorRecord, OrphanNote

RECONCILE_AGAIN_KEY = "days.to_reconcile"
ANSWERED_NULL = (OrphanCause.DELETED, OrphanCause.HIDDEN)
NOT_POSTED = (Outcome.WAITING, Outcome.SKIPPED)


class AskReason(StrEnum):
    """Why a day is to be compared again."""

    MOVED = "an order was moved to this day, or away from it, in Shopify"
    OVERLOOKED = "Shopify's list did not give an order of this day"
    DECIDED = "a person decided about a record"


class RecordOwnership:
    """Finds orphans of one shop's books, and keeps what people decide about them.

    Args:
        connections: to Shopify and to the store.
        day_of: gives the day an order belongs to.
        forget_comparisons: drops what was compared of days, as it does not hold any more.
    """

    def __init__(
        self,
        connections: Connections,
        day_of: Callable[[ChangedOrder], date],
        forget_comparisons: Callable[[Iterable[date]], None],
    ) -> None:
        self._connections = connections
        self._store = connections.store
        self._day_of = day_of
        self._forget_comparisons = forget_comparisons

    def unlisted_orders(self, days: Sequence[date], listed: Iterable[Order]) -> list[Order]:
        """Return the whole posted orders of these days that Shopify has and its list did not give.

        Raises:
            ShopifyError: Shopify could not be read; nothing was noted.
        """
        known = {order.legacy_id for order in listed}
        missing = {one: day for one, day in self._store.orders_of_days(days).items() if one not in known}
        here = [one.legacy_id for one in self._look_up(missing) if self._day_of(one) in days]
        return self._connections.reader.orders_by_id(here) if here else []

    def record_orphans(
        self,
        orders: Mapping[date, Sequence[Order]],
        books: Mapping[date, Sequence[OrderBooks]],
        unmapped: Iterable[MirrorRecord],
    ) -> None:
        """Note what became of every posted order of these days, once the days are loaded.

        Records of an order that moved go with it to its new day; the day it left, or the one it goes to, is compared
        again.

        Args:
            orders: as extracted.
            books: what is to be posted of them.
            unmapped: what Xero shows and the mapping does not know.
        """
        listed = {order.legacy_id: day for day, found in orders.items() for order in found}
        posted = {one: day for one, day in self._store.orders_of_days(orders).items() if one not in listed}
        marked = {one: day for one, day in self._marked(orders, unmapped).items() if one not in listed}
        found = {one.legacy_id: one for one in self._look_up(self._not_noted(posted | marked))}
        here = {order_id: self._day_of(one) for order_id, one in found.items() if order_id in posted}
        self._move(listed, here, posted, orders)
        self._note_before_start([one for order_id, one in found.items() if order_id in marked], orders)
        self._note_unwanted(listed, [one for some in books.values() for one in some if one.outcome in NOT_POSTED])

    def orphans(self, days: Collection[date] | None = None) -> list[OrphanedOrder]:
        """Return the orphans, by day; with `days` those listed under one of them.

        Orders from before the start date are listed under the start date.
        """
        start = self._connections.policy.start_date
        noted = [one for one in self._store.orphans.notes() if one.partition >= start]
        found = {one.order_id: one for one in (*noted, *self._before_start(days))}
        notes = [one for one in found.values() if days is None or one.partition in days]
        ids = [one.order_id for one in notes]
        if not ids:
            return []
        mapped = [row for row in self._store.mapped_of_orders(ids) if row.kind in LISTED]
        shown = {
            (kind.value, xero_id): row
            for kind in LISTED
            for xero_id, row in self._store.mirror_by_xero_id(
                kind, [one.xero_id for one in mapped if one.kind == kind]
            ).items()
        }
        unmapped = self._store.unmapped_mirror(LISTED)
        return build_orphaned_orders(notes, mapped, shown, unmapped, self._store.orphans.decisions(ids))

    def select_orphans(self, name: str | None, *, before_start: bool = False) -> list[OrphanedOrder]:
        """Return the orphans that a name stands for, or all from before the start date.

        Args:
            name: the order's name or id, the number of a document of it, or a record's Xero id; None for no order.
            before_start: those from before the start date, whatever the name.
        """
        return [
            one
            for one in self.orphans()
            if (before_start and one.cause is OrphanCause.BEFORE_START) or (name is not None and name in _names(one))
        ]

    def dismiss(self, orders: Iterable[OrphanedOrder], because: str) -> list[OrphanedOrder]:
        """Let the live records of orders stand as they are, for a reason; return the orders as they are then."""
        now, chosen = self._connections.clock.now(), list(orders)
        kept = [
            KeptRecord(
                xero_id=record.xero_id,
                kind=record.kind,
                natural_key=record.name,
                order_id=order.order_id,
                because=because,
                decided_at=now,
            )
            for order in chosen
            for record in order.records
            if record.is_live
        ]
        self._store.orphans.keep(kept)
        self.invalidate_days(one.day for one in chosen)
        decided = {one.order_id for one in chosen}
        return [one for one in self.orphans() if one.order_id in decided]

    def reopen(self, orders: Collection[OrphanedOrder]) -> int:
        """Take back decisions about orders; return about how many records there were any."""
        self.invalidate_days(one.day for one in orders)
        return self._store.orphans.release([one.order_id for one in orders])

    def invalidate_days(self, days: Iterable[date]) -> None:
        """Have days compared again, so that their checks show what a person decided."""
        known = self._days_again()
        self._keep_days(dict.fromkeys(days, str(AskReason.DECIDED)) | known)

    def days_to_reconcile(self, *, decided: bool = True) -> dict[date, str]:
        """Return the days of the books to be compared again, and why; perhaps without those a person decided on."""
        start, today = self._connections.policy.start_date, self._connections.today()
        found = self._days_again()
        return {
            day: why for day, why in found.items() if start <= day <= today and (decided or why != AskReason.DECIDED)
        }

    def _look_up(self, missing: Mapping[str, date]) -> list[ChangedOrder]:
        """Ask Shopify for orders by id, note those answered with null, and return the others."""
        if not missing:
            return []
        reader, now = self._connections.reader, self._connections.clock.now()
        found = reader.existing_orders(missing)
        known = {one.legacy_id for one in found}
        cause = OrphanCause.DELETED if reader.sees_since() is None else OrphanCause.HIDDEN
        gone = {order_id: day for order_id, day in missing.items() if order_id not in known}
        self._store.orphans.note([_note(order_id, day, cause, now) for order_id, day in gone.items()])
        today = self._connections.today()
        self._store.orphans.clear([one.legacy_id for one in found if self._day_of(one) <= today])
        return found

    def _marked(self, days: Collection[date], unmapped: Iterable[MirrorRecord]) -> dict[str, date]:
        """Return the orders of which Xero shows records on these days and the mapping has none on any day."""
        found = _first_dated(unmapped, self._connections.policy.start_date)
        here = {order_id: day for order_id, day in found.items() if day in days}
        known = self._store.days_of_orders(here)
        return {order_id: day for order_id, day in here.items() if order_id not in known}

    def _not_noted(self, missing: Mapping[str, date]) -> dict[str, date]:
        """Return the orders that were not answered with null when these days were extracted."""
        noted = {one.order_id for one in self._store.orphans.notes() if one.cause in ANSWERED_NULL} if missing else ()
        return {order_id: day for order_id, day in missing.items() if order_id not in noted}

    def _move(
        self, listed: Mapping[str, date], found: Mapping[str, date], posted: Mapping[str, date], done: Collection[date]
    ) -> None:
        """Let records go with their order to another day, and have the days it left or reached compared again.

        Args:
            listed: orders of the days, as extracted.
            found: the day Shopify gives of each order that was missing from them.
            posted: the day to which the records of those are mapped.
            done: the days that are being compared.
        """
        here = {order_id: day for order_id, day in found.items() if day <= self._connections.today()}
        known = self._store.days_of_orders(listed)
        left = {day for order_id, days in known.items() for day in days - {listed[order_id]}}
        again = self._again(left, here.values(), done)
        self._forget_comparisons(again.keys() - set(done))
        self._keep_days({day: why for day, why in self._days_again().items() if day not in done} | again)
        self._store.assign(here | {one: listed[one] for one, days in known.items() if days != {listed[one]}})
        self._note_ahead({order_id: day for order_id, day in found.items() if order_id not in here}, posted)

    def _again(self, left: Iterable[date], reached: Iterable[date], done: Collection[date]) -> dict[date, str]:
        """Return which days are to be compared again: other ones, and those whose list was incomplete."""
        start, reached = self._connections.policy.start_date, set(reached)
        moved = {day: str(AskReason.MOVED) for day in {*left, *reached} if day not in done and day >= start}
        return moved | {day: str(AskReason.OVERLOOKED) for day in reached if day in done}

    def _note_ahead(self, ahead: Mapping[str, date], posted: Mapping[str, date]) -> None:
        """Note orders whose day has not come yet, until it has."""
        now = self._connections.clock.now()
        notes = [_note(one, posted[one], OrphanCause.NOT_YET, now, str(day)) for one, day in ahead.items()]
        self._store.orphans.note(notes)

    def _note_before_start(self, found: Iterable[ChangedOrder], done: Collection[date]) -> None:
        """Note orders from before the start date of which only Xero shows records and that did not change since.

        Those that changed since are listed with the start date.
        """
        start, now = self._connections.policy.start_date, self._connections.clock.now()
        early = [one for one in found if one.processed_at.astimezone(self._connections.zone).date() < start]
        notes = [_note(one.legacy_id, start, OrphanCause.BEFORE_START, now, str(start)) for one in early]
        self._store.orphans.note(notes if start in done else [])

    def _note_unwanted(self, listed: Mapping[str, date], unwanted: Iterable[OrderBooks]) -> None:
        """Note posted orders of which nothing is to be posted now; the notes of all other listed orders go."""
        now = self._connections.clock.now()
        reasons = {one.order_id: one.reason for one in unwanted}
        posted = self._store.days_of_orders(reasons)
        notes = [_note(one, listed[one], OrphanCause.UNWANTED, now, reasons[one]) for one in posted]
        noted = {one.order_id for one in self._store.orphans.notes()}
        self._store.orphans.clear([one for one in listed if one in noted and one not in posted])
        self._store.orphans.note(notes)

    def _before_start(self, days: Collection[date] | None) -> list[OrphanNote]:
        """Return notes of orders mapped to days before the start date, which was moved forward since."""
        start = self._connections.policy.start_date
        if days is not None and start not in days:
            return []
        now = self._connections.clock.now()
        found = self._store.orders_before(start)
        return [_note(order_id, start, OrphanCause.BEFORE_START, now, str(start)) for order_id in found]

    def _days_again(self) -> dict[date, str]:
        known = self._store.get_value(RECONCILE_AGAIN_KEY)
        return {date.fromisoformat(day): why for day, why in json.loads(known[0] if known else "{}").items()}

    def _keep_days(self, days: Mapping[date, str]) -> None:
        if days != self._days_again():
            self._store.put_value(RECONCILE_AGAIN_KEY, json.dumps({str(day): why for day, why in sorted(days.items())}))


def orphan_summary(order: OrphanedOrder) -> dict[str, object]:
    """Return an orphan for `--json`: what is known of it, what follows, and the page of each record in Xero."""
    records = [
        {**one.model_dump(mode="json"), "page": xero_page(one.kind, one.xero_id), "is_open": one.is_open}
        for one in order.records
    ]
    told = order.model_dump(mode="json", exclude={"records"})
    return {**told, "name": order.name, "is_open": order.is_open, "decision": order.decision, "records": records}


def _names(order: OrphanedOrder) -> set[str]:
    """Return the names by which a person may call an orphan."""
    records = {name for one in order.records for name in (one.name, one.xero_id)}
    return {order.order_id, order.order_name, *records} - {""}


def _note(order_id: str, day: date, cause: OrphanCause, now: datetime, detail: str = "") -> OrphanNote:
    return OrphanNote(order_id=order_id, partition=day, cause=cause, detail=detail, noted_at=now, looked_up_at=now)


def _first_dated(unmapped: Iterable[MirrorRecord], start: date) -> dict[str, date]:
    """Return the orders whose marks live records bear, each with the first day of these, or with the start date."""
    days: dict[str, date] = {}
    for order_id, row in rows_by_order(unmapped):
        if row.status not in NOT_LIVE:
            day = max(record_date(row), start)
            days[order_id] = min(day, days.get(order_id, day))
    return days
