"""Detection of the days to sync again because an order changed in Shopify or a record changed in Xero.

This module only detects changes and moves the cursor. It writes nothing to Shopify or Xero and makes no call to Xero.
The queries to Shopify are in `shopify/reader.py`. `defs/sensors.py` stores the cursor, decides when to poll, and
requests the runs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shopify_xero_pipeline.pipeline import webhook_hints
from shopify_xero_pipeline.pipeline.calendar import day_of_order
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.pending_transactions import pending_by_order, pending_of_order
from shopify_xero_pipeline.pipeline.reconciled_days import reconciled_up_to
from shopify_xero_pipeline.shopify.errors import QueryRefusedError
from shopify_xero_pipeline.shopify.models import ChangedOrder
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

INDEX_LAG_OVERLAP = timedelta(minutes=5)
"""Overlap of two lists, because Shopify's search index lags (docs/contracts/shopify.md §3.6)."""

MAX_RUN_DURATION = timedelta(hours=2)
"""Longest time between the read of a day's orders and its reconciliation."""

TICK_BUDGET_SECONDS = 8.0
"""Time for Shopify's responses in one tick of the sensor."""

MIN_SECONDS_LEFT = 4.0
"""Rest of the time budget below which a tick starts no further query."""

MAX_PAGES_PER_TICK = 4
MAX_ORDERS_PER_TICK = 100
"""Most orders that one tick reads by id, hinted and pending ones together."""


class ChangeCursor(BaseModel):
    """The cursor of the change detection, stored as JSON. Instants are in UTC.

    Aliases are the keys of stored cursors.

    Attributes:
        high_watermark: the latest `updatedAt` of any order read; never an instant of the local clock.
        watermark_at: when the detector first read the high watermark, by the local clock; it only measures for how
            long no later `updatedAt` has come.
        window_start: the start of the list that is being read.
        page_cursor: Shopify's cursor in this list; None before its first page.
        reported: `updatedAt` of recently reported orders, by the digits of their ids.
        reported_settlements: transactions reported as settled that are still stored as pending; digits of their ids.
        reported_hints: ids of reported hints of Xero that no run has processed yet.
        last_polled_order: id of the order whose pending transactions were read last.
        rebuilding: the cursor was lost; only changes after the last reconciliation of their day are reported.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    high_watermark: AwareDatetime = Field(alias="greatest")
    watermark_at: AwareDatetime = Field(alias="seen_at")
    window_start: AwareDatetime = Field(alias="since")
    page_cursor: str | None = Field(None, alias="after")
    reported: dict[str, AwareDatetime] = Field({}, alias="told")
    reported_settlements: frozenset[str] = Field(frozenset(), alias="settled")
    reported_hints: frozenset[str] = Field(frozenset(), alias="heard")
    last_polled_order: str = Field("", alias="turn")
    rebuilding: bool = False


@dataclass(frozen=True)
class DetectedChange:
    """A change of one order or record.

    Attributes:
        day: the day it belongs to, in the shop's time zone.
        at: the instant of the change, UTC.
        name: identifies this change among all changes.
    """

    day: date
    at: datetime
    name: str


@dataclass(frozen=True)
class DetectionResult:
    """The result of one tick.

    Attributes:
        changes: changes that no earlier tick reported.
        cursor: the cursor for the next tick; None while no day was reconciled.
        more: whether the list has further pages.
    """

    changes: tuple[DetectedChange, ...]
    cursor: str | None
    more: bool = False


class ChangeDetector:
    """Detects changes in Shopify and Xero, a bounded number per tick.

    Args:
        connections: the connections to Shopify and to the state store.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def detect(self, cursor: str | None) -> DetectionResult:
        """Return the changes since the last tick, each one once.

        If the cursor is lost or unreadable, the detector starts from the last reconciliation of each day. Before the
        first reconciliation it detects nothing.

        Args:
            cursor: the cursor of the last result; None before the first tick.

        Raises:
            ShopifyError: Shopify could not be read; the last cursor stays valid.
        """
        state = _parse_cursor(cursor) or self._initial_cursor()
        if state is None:
            return DetectionResult((), None)
        with self._connections.shopify_client.time_budget(TICK_BUDGET_SECONDS):
            state, listed = self._read_list(state)
            state, polled = self._read_hinted_and_pending(state)
        state, in_xero = self._detect_xero_changes(state)
        return DetectionResult(
            (*listed, *polled, *in_xero), state.model_dump_json(by_alias=True), state.page_cursor is not None
        )

    def _initial_cursor(self) -> ChangeCursor | None:
        """Return a cursor at the oldest reconciliation, because older changes are in the books already."""
        reconciled = reconciled_up_to(self._connections.store, self._connections.days())
        if not reconciled:
            return None
        oldest = min(reconciled.values()) - MAX_RUN_DURATION
        now = self._connections.clock.now()
        return ChangeCursor(high_watermark=oldest, watermark_at=now, window_start=oldest, rebuilding=True)

    def _read_list(self, state: ChangeCursor) -> tuple[ChangeCursor, list[DetectedChange]]:
        """Read the next pages of changed orders, at most `MAX_PAGES_PER_TICK`."""
        orders: list[ChangedOrder] = []
        since, after = state.window_start, state.page_cursor
        if (hidden := self._connections.reader.sees_since()) is not None:
            since = max(since, hidden)  # without `read_all_orders` Shopify hides older orders
        for _ in range(MAX_PAGES_PER_TICK):
            page, after = self._read_page(since, after)
            orders += page
            if after is None or self._connections.shopify_client.seconds_left() < MIN_SECONDS_LEFT:
                break
        unreported = [order for order in orders if state.reported.get(order.legacy_id) != order.updated_at]
        changes = self._changes_of(unreported, rebuilding=state.rebuilding)
        return self._advance(state, orders, since, after), changes

    def _read_page(self, since: datetime, after: str | None) -> tuple[list[ChangedOrder], str | None]:
        reader = self._connections.reader
        try:
            return reader.changed_page(since, after)
        except QueryRefusedError:
            if after is None:
                raise
        return reader.changed_page(since)  # Shopify no longer accepts this page cursor

    def _advance(
        self, state: ChangeCursor, orders: Sequence[ChangedOrder], since: datetime, after: str | None
    ) -> ChangeCursor:
        """Return the cursor after some pages.

        The next list overlaps this one until the high watermark has not moved for `INDEX_LAG_OVERLAP`. By then the
        index is up to date.
        """
        now = self._connections.clock.now()
        high_watermark = max((state.high_watermark, *(order.updated_at for order in orders)))
        watermark_at = state.watermark_at if high_watermark == state.high_watermark else now
        is_up_to_date = now - watermark_at >= INDEX_LAG_OVERLAP
        next_start = high_watermark if is_up_to_date else high_watermark - INDEX_LAG_OVERLAP
        reported = {**state.reported, **{order.legacy_id: order.updated_at for order in orders}}
        return state.model_copy(
            update={
                "high_watermark": high_watermark,
                "watermark_at": watermark_at,
                "window_start": next_start if after is None else since,
                "page_cursor": after,
                "reported": {order_id: at for order_id, at in reported.items() if at >= next_start},
                "rebuilding": state.rebuilding and after is not None,
            }
        )

    def _changes_of(self, orders: Sequence[ChangedOrder], *, rebuilding: bool) -> list[DetectedChange]:
        """Return each order's change for its day, and for every other day under which its records are posted.

        After the loss of the cursor, only changes after the last reconciliation of their day are returned.
        """
        changes, store = list[DetectedChange](), self._connections.store
        posted_days = store.days_of_orders([order.legacy_id for order in orders])
        for order in orders:
            change = self._change_of(order)
            other_days = posted_days.get(order.legacy_id, set()) - {change.day}
            changes += [change, *(replace(change, day=day) for day in sorted(other_days))]
        if not rebuilding:
            return changes
        reconciled = reconciled_up_to(store, {change.day for change in changes})
        return [
            change
            for change in changes
            if change.day in reconciled and change.at >= reconciled[change.day] - MAX_RUN_DURATION
        ]

    def _read_hinted_and_pending(self, state: ChangeCursor) -> tuple[ChangeCursor, list[DetectedChange]]:
        """Read the orders that webhooks named and, in rotation, orders with pending transactions.

        The list may not have a named order yet, because its index lags. It may never have an order whose transaction
        settled, because that need not change the order.
        """
        pending = pending_by_order(self._connections.store, self._connections.days())
        open_hints = self._connections.store.hints.open("shopify")
        hints = [hint for hint in open_hints if hint.record == "order"][:MAX_ORDERS_PER_TICK]
        named = {hint.record_id for hint in hints}
        polled = _next_in_rotation(sorted(pending), state.last_polled_order, MAX_ORDERS_PER_TICK - len(named))
        still_stored = state.reported_settlements & {
            transaction_id for transaction_ids in pending.values() for transaction_id in transaction_ids
        }
        if not (named or polled) or self._connections.shopify_client.seconds_left() < MIN_SECONDS_LEFT:
            return state.model_copy(update={"reported_settlements": still_stored}), []
        reported, settlements = dict(state.reported), set(still_stored)
        orders = self._connections.reader.money_of({*named, *polled})
        existing = {order.legacy_id for order in orders}
        changes = self._deleted_orders([hint for hint in hints if hint.record_id not in existing])
        for order in orders:
            settled = set(pending.get(order.legacy_id, ())) - set(pending_of_order(order)) - settlements
            is_hinted = order.legacy_id in named and order.updated_at > state.window_start
            if (settled or is_hinted) and reported.get(order.legacy_id) != order.updated_at:
                changes.append(self._change_of(order, f"settled {' '.join(sorted(settled))}" if settled else ""))
                reported[order.legacy_id] = order.updated_at
            settlements |= settled
        self._connections.store.hints.mark_processed(hints)
        update = {
            "reported": reported,
            "reported_settlements": frozenset(settlements),
            "last_polled_order": polled[-1] if polled else state.last_polled_order,
        }
        return state.model_copy(update=update), changes

    def _deleted_orders(self, hints: Iterable[WebhookHint]) -> list[DetectedChange]:
        """Return the days of posted orders that webhooks named and Shopify no longer has."""
        hint_by_order = {hint.record_id: hint for hint in hints}
        return [
            DetectedChange(day, hint_by_order[order_id].received_at, f"{order_id} gone")
            for order_id, days in self._connections.store.days_of_orders(hint_by_order).items()
            for day in sorted(days)
        ]

    def _change_of(self, order: ChangedOrder, event: str = "") -> DetectedChange:
        name = f"{order.legacy_id} {event or order.updated_at.isoformat()}"
        return DetectedChange(day_of_order(order.processed_at, self._connections.policy), order.updated_at, name)

    def _detect_xero_changes(self, state: ChangeCursor) -> tuple[ChangeCursor, list[DetectedChange]]:
        """Return the posted records that changed in Xero, each once; the run that refreshes the mirror ends a hint."""
        records = webhook_hints.triage_xero_hints(self._connections.store)
        changes = [
            DetectedChange(record.day, record.at, f"xero {record.hint.id}")
            for record in records
            if record.hint.id not in state.reported_hints
        ]
        return state.model_copy(update={"reported_hints": frozenset(record.hint.id for record in records)}), changes


def _parse_cursor(cursor: str | None) -> ChangeCursor | None:
    try:
        return ChangeCursor.model_validate_json(cursor) if cursor else None
    except ValidationError:
        return None


def _next_in_rotation(ids: Sequence[str], last: str, limit: int) -> list[str]:
    """Return the ids after the last one polled, then those from the beginning."""
    start = next((index for index, order_id in enumerate(ids) if order_id > last), 0)
    return [*ids[start:], *ids[:start]][:limit]
