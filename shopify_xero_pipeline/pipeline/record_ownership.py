"""Ownership of posted records by orders and days, and orphans, whose order is missing.

Shopify's list of a day comes from a search index that lags, so an order that is missing from it may still exist. Each
posted order that is missing from the list of its day is read by id, which reads the record itself
(docs/contracts/shopify.md §3.6). The order still belongs to the day, belongs to another day, or Shopify returns null;
in the last case it is stored as an orphan, with the time. The number of queries depends on the missing orders and not
on the history.
This module writes nothing to Xero. `reconciliation/orphans.py` describes and judges orphans.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import TypeVar

from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes.known_records import NOT_LIVE
from shopify_xero_pipeline.pipeline.calendar import day_of_order, first_instant
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.reconciled_days import drop_reconciliations
from shopify_xero_pipeline.pipeline.record_links import xero_page
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary
from shopify_xero_pipeline.reconciliation.orphans import (
    LISTED,
    OrphanCause,
    OrphanedOrder,
    build_orphaned_orders,
    record_date,
    rows_by_order,
)
from shopify_xero_pipeline.shopify.models import ChangedOrder, Order
from shopify_xero_pipeline.state.record_keys import day_key, order_key
from shopify_xero_pipeline.state.records import KeptRecord, MirrorRecord, OrphanNote
from shopify_xero_pipeline.state.store import StateStore

D = TypeVar("D", DayReconciliation, DaySummary)
RECONCILE_AGAIN_KEY = "days.to_reconcile"
NULL_CAUSES = (OrphanCause.DELETED, OrphanCause.HIDDEN)
"""Causes of orders for which Shopify returned null."""

UNPOSTED_OUTCOMES = (Outcome.WAITING, Outcome.SKIPPED)


class ReconcileReason(StrEnum):
    """Reason to reconcile a day again; its values are stored."""

    MOVED = "an order was moved to this day, or away from it, in Shopify"
    OVERLOOKED = "Shopify's list did not give an order of this day"
    DECIDED = "a person decided about a record"


class RecordOwnership:
    """Detects orphans of one shop's books and stores people's decisions about them.

    Args:
        connections: the connections to Shopify and to the state store.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @property
    def _store(self) -> StateStore:
        return self._connections.store

    def _day_of(self, order: ChangedOrder) -> date:
        return day_of_order(order.processed_at, self._connections.policy)

    def unlisted_orders(self, days: Sequence[date], listed: Iterable[Order]) -> list[Order]:
        """Return the posted orders of some days that exist in Shopify but are missing from its list, with histories.

        Args:
            days: the days of the list.
            listed: the orders of the list.

        Raises:
            ShopifyError: Shopify could not be read; nothing was stored.
        """
        listed_ids = {order.legacy_id for order in listed}
        missing = {
            order_id: day for order_id, day in self._store.orders_of_days(days).items() if order_id not in listed_ids
        }
        order_ids = [order.legacy_id for order in self._look_up(missing) if self._day_of(order) in days]
        return self._connections.reader.orders_by_id(order_ids) if order_ids else []

    def record_orphans(self, days: Collection[date], listed: Mapping[str, date], unwanted: Mapping[str, str]) -> None:
        """Store the orphans of some days after their load, and move the records of orders that changed their day.

        The day that an order left or reached is reconciled again.

        Args:
            days: the days.
            listed: the day of each extracted order, by its Shopify id.
            unwanted: the reasons of the orders that the books do not want posted; see `unwanted_orders`.

        Raises:
            ShopifyError: Shopify could not be read; nothing was stored.
        """
        posted = {order_id: day for order_id, day in self._store.orders_of_days(days).items() if order_id not in listed}
        unmapped = {order_id: day for order_id, day in self._unmapped_orders(days).items() if order_id not in listed}
        noted = {note.order_id for note in self._store.orphans.notes() if note.cause in NULL_CAUSES}
        missing = {order_id: day for order_id, day in (posted | unmapped).items() if order_id not in noted}
        existing = self._look_up(missing)  # an order with a null note was looked up when the days were extracted
        present_days = {order.legacy_id: self._day_of(order) for order in existing if order.legacy_id in posted}
        self._move_records(listed, present_days, posted, days)
        if self._connections.policy.start_date in days:
            self._note_before_start(order for order in existing if order.legacy_id in unmapped)
        self._note_unwanted(listed, unwanted)

    def orphans(self, days: Collection[date] | None = None) -> list[OrphanedOrder]:
        """Return the orphans by day; those from before the start date belong to the start date.

        Args:
            days: the days to return; None for all.
        """
        start = self._connections.policy.start_date
        stored = [note for note in self._store.orphans.notes() if note.partition >= start]
        earlier = self._store.orders_before(start) if days is None or start in days else ()  # start_date moved forward
        before_start = [self._note(order_id, start, OrphanCause.BEFORE_START, str(start)) for order_id in earlier]
        by_order = {note.order_id: note for note in (*stored, *before_start)}
        notes = [note for note in by_order.values() if days is None or note.partition in days]
        order_ids = [note.order_id for note in notes]
        if not order_ids:
            return []
        mapped = [row for row in self._store.mapped_of_orders(order_ids) if row.kind in LISTED]
        mirrored = {
            (kind.value, xero_id): row
            for kind in LISTED
            for xero_id, row in self._store.mirror_by_xero_id(
                kind, [row.xero_id for row in mapped if row.kind == kind]
            ).items()
        }
        unmapped = self._unmapped(order_ids)
        return build_orphaned_orders(notes, mapped, mirrored, unmapped, self._store.orphans.decisions(order_ids))

    def with_orphans(self, days: Sequence[D]) -> list[D]:
        """Return days with their present orphans, so that a decision takes effect immediately.

        Args:
            days: reconciliations, or their summaries.
        """
        orphans = self.orphans({day.day for day in days}) if days else []
        by_day = {day.day: tuple(orphan for orphan in orphans if orphan.day == day.day) for day in days}
        return [day.model_copy(update={"orphans": by_day[day.day]}) for day in days]

    def select_orphans(self, name: str | None, *, before_start: bool = False) -> list[OrphanedOrder]:
        """Return the orphans with a name.

        Args:
            name: the order's name or Shopify id, the number of one of its documents, or a record's Xero id; None
                matches no order.
            before_start: also return all orphans from before the start date.
        """
        return [
            orphan
            for orphan in self.orphans()
            if (before_start and orphan.cause is OrphanCause.BEFORE_START)
            or (name is not None and name in _names(orphan))
        ]

    def dismiss(self, orders: Iterable[OrphanedOrder], because: str) -> list[OrphanedOrder]:
        """Store a person's decision that the live records of orphans stay in Xero; return the orphans with it.

        Args:
            orders: the orphans.
            because: the person's reason.
        """
        now, orders = self._connections.clock.now(), list(orders)
        decisions = [
            KeptRecord(
                xero_id=record.xero_id,
                kind=record.kind,
                natural_key=record.name,
                order_id=order.order_id,
                because=because,
                decided_at=now,
            )
            for order in orders
            for record in order.records
            if record.is_live
        ]
        self._store.orphans.keep(decisions)
        self.invalidate_days(order.day for order in orders)
        order_ids = {order.order_id for order in orders}
        return [orphan for orphan in self.orphans() if orphan.order_id in order_ids]

    def reopen(self, orders: Collection[OrphanedOrder]) -> int:
        """Revoke the decisions about orphans and return the number of their records.

        Args:
            orders: the orphans.
        """
        self.invalidate_days(order.day for order in orders)
        return self._store.orphans.release([order.order_id for order in orders])

    def invalidate_days(self, days: Iterable[date]) -> None:
        """Request another reconciliation of days, so that their checks reflect a decision.

        Args:
            days: days of the books.
        """
        requested = self._requested_days()
        self._store_requested_days(dict.fromkeys(days, str(ReconcileReason.DECIDED)) | requested)

    def days_to_reconcile(self, *, decided: bool = True) -> dict[date, str]:
        """Return the days of the books to reconcile again, with the reasons.

        Args:
            decided: include days with `ReconcileReason.DECIDED`.
        """
        start, today = self._connections.policy.start_date, self._connections.today()
        return {
            day: reason
            for day, reason in self._requested_days().items()
            if start <= day <= today and (decided or reason != ReconcileReason.DECIDED)
        }

    def unfinished_days(self) -> set[date]:
        """Return the days with unfinished work that a retry may complete."""
        return self._store.unfinished_days() | {*self.days_to_reconcile(decided=False)}

    def _look_up(self, missing: Mapping[str, date]) -> list[ChangedOrder]:
        """Read orders by id, store those for which Shopify returns null as orphans, and return the others."""
        if not missing:
            return []
        reader = self._connections.reader
        orders = reader.existing_orders(missing)
        existing = {order.legacy_id for order in orders}
        cause = OrphanCause.DELETED if reader.sees_since() is None else OrphanCause.HIDDEN
        self._store.orphans.note(
            [self._note(order_id, day, cause) for order_id, day in missing.items() if order_id not in existing]
        )
        today = self._connections.today()
        self._store.orphans.clear([order.legacy_id for order in orders if self._day_of(order) <= today])
        return orders

    def _unmapped_orders(self, days: Collection[date]) -> dict[str, date]:
        """Return the orders whose first live record in Xero is on one of the days, and that have no mapping at all."""
        start, first_days = self._connections.policy.start_date, dict[str, date]()
        for order_id, row in rows_by_order(self._unmapped(self._unmapped_orders_near(days))):
            if row.status not in NOT_LIVE:
                day = max(record_date(row), start)
                first_days[order_id] = min(day, first_days.get(order_id, day))
        in_days = {order_id: day for order_id, day in first_days.items() if day in days}
        mapped = self._store.days_of_orders(in_days)
        return {order_id: day for order_id, day in in_days.items() if order_id not in mapped}

    def _unmapped_orders_near(self, days: Collection[date]) -> set[str]:
        """Return the orders with an unmapped record on one of the days; those before the start date belong to it."""
        start, keys = self._connections.policy.start_date, {day_key(day) for day in days}
        rows = [row for kind in LISTED for row in self._store.unmapped_by_key(kind, keys)]
        if start in days:
            earlier = (day_key(date.min), day_key(start))
            rows += [row for kind in LISTED for row in self._store.unmapped_between(kind, *earlier)]
        return {order_id for order_id, _ in rows_by_order(rows)}

    def _unmapped(self, order_ids: Iterable[str]) -> list[MirrorRecord]:
        """Return the documents and Payments in Xero that refer to orders and are not mapped."""
        keys = {order_key(order_id) for order_id in order_ids}
        return [row for kind in LISTED for row in self._store.unmapped_by_key(kind, keys)]

    def _move_records(
        self,
        listed: Mapping[str, date],
        present_days: Mapping[str, date],
        posted: Mapping[str, date],
        days: Collection[date],
    ) -> None:
        """Move records with their order to another day, and request a reconciliation of the days left and reached.

        Args:
            listed: the day of each extracted order.
            present_days: the present day of each posted order that is missing from the list.
            posted: the day to which the records of these orders are mapped.
            days: the days of this reconciliation.
        """
        reached = {order_id: day for order_id, day in present_days.items() if day <= self._connections.today()}
        mapped_days = self._store.days_of_orders(listed)
        left_days = {
            day for order_id, days_of_order in mapped_days.items() for day in days_of_order - {listed[order_id]}
        }
        reached_days, start = set(reached.values()), self._connections.policy.start_date
        other_days = {day for day in left_days | reached_days if day not in days and day >= start}
        incomplete = reached_days & set(days)  # their list lacked an order
        again = dict.fromkeys(other_days, str(ReconcileReason.MOVED))
        again |= dict.fromkeys(incomplete, str(ReconcileReason.OVERLOOKED))
        drop_reconciliations(self._store, again.keys() - set(days))
        requested = {day: reason for day, reason in self._requested_days().items() if day not in days}
        self._store_requested_days(requested | again)
        relisted = {
            order_id: listed[order_id]
            for order_id, days_of_order in mapped_days.items()
            if days_of_order != {listed[order_id]}
        }
        self._store.assign(reached | relisted)
        future_days = {order_id: day for order_id, day in present_days.items() if order_id not in reached}
        self._store.orphans.note(
            [
                self._note(order_id, posted[order_id], OrphanCause.NOT_YET, str(day))
                for order_id, day in future_days.items()
            ]
        )

    def _note_before_start(self, orders: Iterable[ChangedOrder]) -> None:
        """Store unmapped orders from before the start date as orphans.

        Those that changed on or after the start date are extracted with it and are not among `orders`.
        """
        start, first = self._connections.policy.start_date, first_instant(self._connections.policy)
        self._store.orphans.note(
            [
                self._note(order.legacy_id, start, OrphanCause.BEFORE_START, str(start))
                for order in orders
                if order.processed_at < first
            ]
        )

    def _note_unwanted(self, listed: Mapping[str, date], reasons: Mapping[str, str]) -> None:
        """Store posted orders that the books no longer want as orphans, and delete the notes of other listed orders."""
        posted = self._store.days_of_orders(reasons)
        noted = {note.order_id for note in self._store.orphans.notes()}
        self._store.orphans.clear([order_id for order_id in listed if order_id in noted and order_id not in posted])
        self._store.orphans.note(
            [self._note(order_id, listed[order_id], OrphanCause.UNWANTED, reasons[order_id]) for order_id in posted]
        )

    def _note(self, order_id: str, day: date, cause: OrphanCause, detail: str = "") -> OrphanNote:
        now = self._connections.clock.now()
        return OrphanNote(order_id=order_id, partition=day, cause=cause, detail=detail, noted_at=now, looked_up_at=now)

    def _requested_days(self) -> dict[date, str]:
        known = self._store.get_value(RECONCILE_AGAIN_KEY)
        return {date.fromisoformat(day): reason for day, reason in json.loads(known[0] if known else "{}").items()}

    def _store_requested_days(self, days: Mapping[date, str]) -> None:
        if days != self._requested_days():
            reasons = {str(day): reason for day, reason in sorted(days.items())}
            self._store.put_value(RECONCILE_AGAIN_KEY, json.dumps(reasons))


def unwanted_orders(books: Mapping[date, Sequence[OrderBooks]]) -> dict[str, str]:
    """Return the reasons of the orders that wait or are skipped, by order id.

    Args:
        books: order books by day.
    """
    return {
        order.order_id: order.reason for day in books.values() for order in day if order.outcome in UNPOSTED_OUTCOMES
    }


def orphan_summary(order: OrphanedOrder) -> dict[str, object]:
    """Return the `--json` entry of an orphan, with the page of each record in Xero."""
    records = [
        {**record.model_dump(mode="json"), "page": xero_page(record.kind, record.xero_id), "is_open": record.is_open}
        for record in order.records
    ]
    fields = order.model_dump(mode="json", exclude={"records"})
    return {**fields, "name": order.name, "is_open": order.is_open, "decision": order.decision, "records": records}


def _names(order: OrphanedOrder) -> set[str]:
    """Return the names that select an orphan on the command line."""
    records = {name for record in order.records for name in (record.name, record.xero_id)}
    return {order.order_id, order.order_name, *records} - {""}
