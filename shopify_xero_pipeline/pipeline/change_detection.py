"""The lookout: which days are to be synced again because somebody changed an order of theirs, or a record in Xero.

What was seen, what was told and where to go on belong here, all in one cursor that is kept elsewhere. How Shopify is
asked stands in `shopify/reader.py`; when it is asked, and what is done about a day, in `defs/sensors.py`. Nothing is
written and Xero is not asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shopify_xero_pipeline.pipeline import webhook_hints
from shopify_xero_pipeline.pipeline.pending_transactions import pending_of_order
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.shopify.errors import QueryRefusedError
from shopify_xero_pipeline.shopify.models import ChangedOrder
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

INDEX_LAG_OVERLAP = timedelta(minutes=5)
"""How much of what was seen is read again, because the index lags (docs/contracts/shopify.md §3.6)."""

MAX_RUN_DURATION = timedelta(hours=2)
"""A day's comparison may be so much later than the reading of its orders."""

TICK_BUDGET_SECONDS, MIN_SECONDS_LEFT = 8.0, 4.0
MAX_PAGES_PER_TICK = 4
MAX_ORDERS_PER_TICK = 100


class ChangeCursor(BaseModel):
    """Where the lookout stands; its JSON is the cursor. Instants are in UTC.

    Attributes:
        greatest: the greatest `updatedAt` that was seen; never a time of our own.
        seen_at: when it was first seen, by our clock, which only measures for how long nothing greater came.
        since: where the list being read begins.
        after: how far that list was read; None before its first page.
        told: orders changed lately, by the digits of their ids, with the `updatedAt` that was told of them.
        settled: transactions that were told as settled and are still noted as pending.
        heard: hints of changes in Xero that were told and at which nobody has looked yet, by their ids.
        turn: the order whose pending money was asked for last.
        rebuilding: the cursor was lost: only what changed since its day was last compared is told.
    """

    model_config = ConfigDict(frozen=True)

    greatest: AwareDatetime
    seen_at: AwareDatetime
    since: AwareDatetime
    after: str | None = None
    told: dict[str, AwareDatetime] = {}
    settled: frozenset[str] = frozenset()
    heard: frozenset[str] = frozenset()
    turn: str = ""
    rebuilding: bool = False


@dataclass(frozen=True)
class DetectedChange:
    """An order's change: the day it belongs to, when Shopify says it changed, and what names it and no other change."""

    day: date
    at: datetime
    name: str


@dataclass(frozen=True)
class DetectionResult:
    """What one look found, and the cursor for the next one; `more` if there is more to read at once."""

    changes: tuple[DetectedChange, ...]
    cursor: str | None
    more: bool = False


class ChangeDetector:
    """Looks for changed orders, a bounded number at a time.

    Args:
        sync_service: its shop, its days and its store.
    """

    def __init__(self, sync_service: SyncService) -> None:
        self._sync_service = sync_service

    def detect(self, cursor: str | None) -> DetectionResult:
        """Return what changed since the last look, each change once.

        A lost cursor, or one that cannot be read, is made anew from when each day was last compared; while no day ever
        was, nothing has to be looked for.

        Raises:
            ShopifyError: Shopify could not be read; the cursor stays as it was.
        """
        seen = _read(cursor) or self._begin()
        if seen is None:
            return DetectionResult((), None)
        with self._sync_service.connections.shopify_client.time_budget(TICK_BUDGET_SECONDS):
            seen, changes = self._list(seen)
            seen, asked = self._read_hinted_and_pending(seen)
        seen, heard = self._detect_xero_changes(seen)
        return DetectionResult((*changes, *asked, *heard), seen.model_dump_json(), seen.after is not None)

    def _begin(self) -> ChangeCursor | None:
        """Return where to begin without a cursor: at the oldest comparison, as nothing older can be news."""
        compared = self._sync_service.reconciled_up_to(self._sync_service.days())
        if not compared:
            return None
        oldest = min(compared.values()) - MAX_RUN_DURATION
        return ChangeCursor(
            greatest=oldest, seen_at=self._sync_service.connections.clock.now(), since=oldest, rebuilding=True
        )

    def _list(self, seen: ChangeCursor) -> tuple[ChangeCursor, list[DetectedChange]]:
        """Go on with the list of changed orders, for some pages or until it ends."""
        found: list[ChangedOrder] = []
        since, after = self._visible(seen.since), seen.after
        for _ in range(MAX_PAGES_PER_TICK):
            orders, after = self._page(since, after)
            found += orders
            if after is None or self._sync_service.connections.shopify_client.seconds_left() < MIN_SECONDS_LEFT:
                break
        news = [one for one in found if seen.told.get(one.legacy_id) != one.updated_at]
        changes = self._changes(news, rebuilding=seen.rebuilding)
        return self._advance(seen, found, since, after), changes

    def _page(self, since: datetime, after: str | None) -> tuple[list[ChangedOrder], str | None]:
        reader = self._sync_service.connections.reader
        try:
            return reader.changed_page(since, after)
        except QueryRefusedError:
            if after is None:
                raise
        return reader.changed_page(since)  # Shopify no longer knows that place in the list

    def _visible(self, since: datetime) -> datetime:
        """Return where a list may begin: without `read_all_orders` Shopify shows no older orders."""
        hidden = self._sync_service.connections.reader.sees_since()
        return since if hidden is None else max(since, hidden)

    def _advance(
        self, seen: ChangeCursor, found: Sequence[ChangedOrder], since: datetime, after: str | None
    ) -> ChangeCursor:
        """Return where the lookout stands after some pages.

        The next list overlaps this one until nothing greater has come for a while; then the index has caught up.
        """
        now = self._sync_service.connections.clock.now()
        greatest = max((seen.greatest, *(one.updated_at for one in found)))
        seen_at = seen.seen_at if greatest == seen.greatest else now
        begin = greatest if now - seen_at >= INDEX_LAG_OVERLAP else greatest - INDEX_LAG_OVERLAP
        told = {**seen.told, **{one.legacy_id: one.updated_at for one in found}}
        return seen.model_copy(
            update={
                "greatest": greatest,
                "seen_at": seen_at,
                "since": begin if after is None else since,
                "after": after,
                "told": {key: at for key, at in told.items() if at >= begin},
                "rebuilding": seen.rebuilding and after is not None,
            }
        )

    def _changed_days(self, orders: Iterable[ChangedOrder]) -> list[DetectedChange]:
        """Return the changes of orders: of the day each belongs to, and of a day that its records were posted under."""
        changes, some = [], list(orders)
        posted = self._sync_service.connections.store.days_of_orders([one.legacy_id for one in some])
        for one in some:
            change = self._change(one)
            left = posted.get(one.legacy_id, set()) - {change.day}
            changes += [change, *(replace(change, day=day) for day in sorted(left))]
        return changes

    def _changes(self, orders: Iterable[ChangedOrder], *, rebuilding: bool) -> list[DetectedChange]:
        found = self._changed_days(orders)
        if not rebuilding:
            return found
        compared = self._sync_service.reconciled_up_to({one.day for one in found})
        return [one for one in found if one.day in compared and one.at >= compared[one.day] - MAX_RUN_DURATION]

    def _read_hinted_and_pending(self, seen: ChangeCursor) -> tuple[ChangeCursor, list[DetectedChange]]:
        """Ask for orders that a webhook named, and in turn for some whose money was pending.

        The list need not know of the first yet, as its index lags, and never of the second: that money settles may not
        change its order.
        """
        noted, hints = (
            self._sync_service.pending_by_order(),
            webhook_hints.hinted_orders(self._sync_service.connections.store, MAX_ORDERS_PER_TICK),
        )
        named = {one.record_id for one in hints}
        in_turn = _in_turn(sorted(noted), seen.turn, MAX_ORDERS_PER_TICK - len(named))
        still = seen.settled & {one for transactions in noted.values() for one in transactions}
        if not (named or in_turn) or self._sync_service.connections.shopify_client.seconds_left() < MIN_SECONDS_LEFT:
            return seen.model_copy(update={"settled": still}), []
        changes, told, settled = [], dict(seen.told), set(still)
        found = self._sync_service.connections.reader.money_of({*named, *in_turn})
        changes += self._deleted_orders(
            [one for one in hints if one.record_id not in {money.legacy_id for money in found}]
        )
        for money in found:
            rested = set(noted.get(money.legacy_id, ())) - set(pending_of_order(money)) - settled
            news = money.legacy_id in named and money.updated_at > seen.since
            if (rested or news) and told.get(money.legacy_id) != money.updated_at:
                changes.append(self._change(money, f"settled {' '.join(sorted(rested))}" if rested else ""))
                told[money.legacy_id] = money.updated_at
            settled |= rested
        self._sync_service.connections.store.hints.mark_processed(hints)
        turn = in_turn[-1] if in_turn else seen.turn
        return seen.model_copy(update={"told": told, "settled": frozenset(settled), "turn": turn}), changes

    def _deleted_orders(self, hints: Iterable[WebhookHint]) -> list[DetectedChange]:
        """Return the days of posted orders that a webhook named and of which Shopify has none: they were deleted."""
        named = {one.record_id: one for one in hints}
        return [
            DetectedChange(day, named[order_id].received_at, f"{order_id} gone")
            for order_id, days in self._sync_service.connections.store.days_of_orders(named).items()
            for day in sorted(days)
        ]

    def _change(self, order: ChangedOrder, what: str = "") -> DetectedChange:
        name = f"{order.legacy_id} {what or order.updated_at.isoformat()}"
        return DetectedChange(self._sync_service.day_of(order), order.updated_at, name)

    def _detect_xero_changes(self, seen: ChangeCursor) -> tuple[ChangeCursor, list[DetectedChange]]:
        """Tell once of each record of ours that Xero says was changed; the run that looks there ends it."""
        changed = webhook_hints.triage_xero_hints(self._sync_service.connections.store)
        news = [
            DetectedChange(one.day, one.at, f"xero {one.hint.id}") for one in changed if one.hint.id not in seen.heard
        ]
        return seen.model_copy(update={"heard": frozenset(one.hint.id for one in changed)}), news


def _read(cursor: str | None) -> ChangeCursor | None:
    try:
        return ChangeCursor.model_validate_json(cursor) if cursor else None
    except ValidationError:
        return None


def _in_turn(ids: Sequence[str], last: str, most: int) -> list[str]:
    """Return those whose turn it is: the ones after the last one asked for, then from the beginning."""
    place = next((number for number, one in enumerate(ids) if one > last), 0)
    return [*ids[place:], *ids[:place]][:most]
