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
from shopify_xero_pipeline.pipeline.pending_transactions import pending
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.shopify.errors import QueryRefused
from shopify_xero_pipeline.shopify.models import ChangedOrder
from shopify_xero_pipeline.state.webhook_hints import Hint

OVERLAP = timedelta(minutes=5)
"""How much of what was seen is read again, because the index lags (docs/contracts/shopify.md §3.6)."""

LONGEST_RUN = timedelta(hours=2)
"""A day's comparison may be so much later than the reading of its orders."""

SECONDS, ENOUGH = 8.0, 4.0
PAGES = 4
ASKED_AT_ONCE = 100


class Seen(BaseModel):
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
class Change:
    """An order's change: the day it belongs to, when Shopify says it changed, and what names it and no other change."""

    day: date
    at: datetime
    name: str


@dataclass(frozen=True)
class Sighting:
    """What one look found, and the cursor for the next one; `more` if there is more to read at once."""

    changes: tuple[Change, ...]
    cursor: str | None
    more: bool = False


class Lookout:
    """Looks for changed orders, a bounded number at a time.

    Args:
        bookkeeper: its shop, its days and its store.
    """

    def __init__(self, bookkeeper: Bookkeeper) -> None:
        self._bookkeeper = bookkeeper

    def look(self, cursor: str | None) -> Sighting:
        """Return what changed since the last look, each change once.

        A lost cursor, or one that cannot be read, is made anew from when each day was last compared; while no day ever
        was, nothing has to be looked for.

        Raises:
            ShopifyError: Shopify could not be read; the cursor stays as it was.
        """
        seen = _read(cursor) or self._begin()
        if seen is None:
            return Sighting((), None)
        with self._bookkeeper.shopify_client.within(SECONDS):
            seen, changes = self._list(seen)
            seen, asked = self._ask_for_some(seen)
        seen, heard = self._listen_to_xero(seen)
        return Sighting((*changes, *asked, *heard), seen.model_dump_json(), seen.after is not None)

    def _begin(self) -> Seen | None:
        """Return where to begin without a cursor: at the oldest comparison, as nothing older can be news."""
        compared = self._bookkeeper.compared_up_to(self._bookkeeper.days())
        if not compared:
            return None
        oldest = min(compared.values()) - LONGEST_RUN
        return Seen(greatest=oldest, seen_at=self._bookkeeper.clock.now(), since=oldest, rebuilding=True)

    def _list(self, seen: Seen) -> tuple[Seen, list[Change]]:
        """Go on with the list of changed orders, for some pages or until it ends."""
        found: list[ChangedOrder] = []
        since, after = self._visible(seen.since), seen.after
        for _ in range(PAGES):
            orders, after = self._page(since, after)
            found += orders
            if after is None or self._bookkeeper.shopify_client.seconds_left() < ENOUGH:
                break
        news = [one for one in found if seen.told.get(one.legacy_id) != one.updated_at]
        changes = self._changes(news, rebuilding=seen.rebuilding)
        return self._moved_on(seen, found, since, after), changes

    def _page(self, since: datetime, after: str | None) -> tuple[list[ChangedOrder], str | None]:
        reader = self._bookkeeper.reader
        try:
            return reader.changed_page(since, after)
        except QueryRefused:
            if after is None:
                raise
        return reader.changed_page(since)  # Shopify no longer knows that place in the list

    def _visible(self, since: datetime) -> datetime:
        """Return where a list may begin: without `read_all_orders` Shopify shows no older orders."""
        hidden = self._bookkeeper.reader.sees_since()
        return since if hidden is None else max(since, hidden)

    def _moved_on(self, seen: Seen, found: Sequence[ChangedOrder], since: datetime, after: str | None) -> Seen:
        """Return where the lookout stands after some pages.

        The next list overlaps this one until nothing greater has come for a while; then the index has caught up.
        """
        now = self._bookkeeper.clock.now()
        greatest = max((seen.greatest, *(one.updated_at for one in found)))
        seen_at = seen.seen_at if greatest == seen.greatest else now
        begin = greatest if now - seen_at >= OVERLAP else greatest - OVERLAP
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

    def _changed_days(self, orders: Iterable[ChangedOrder]) -> list[Change]:
        """Return the changes of orders: of the day each belongs to, and of a day that its records were posted under."""
        changes, some = [], list(orders)
        posted = self._bookkeeper.store.days_of_orders([one.legacy_id for one in some])
        for one in some:
            change = self._change(one)
            left = posted.get(one.legacy_id, set()) - {change.day}
            changes += [change, *(replace(change, day=day) for day in sorted(left))]
        return changes

    def _changes(self, orders: Iterable[ChangedOrder], *, rebuilding: bool) -> list[Change]:
        found = self._changed_days(orders)
        if not rebuilding:
            return found
        compared = self._bookkeeper.compared_up_to({one.day for one in found})
        return [one for one in found if one.day in compared and one.at >= compared[one.day] - LONGEST_RUN]

    def _ask_for_some(self, seen: Seen) -> tuple[Seen, list[Change]]:
        """Ask for orders that a webhook named, and in turn for some whose money was pending.

        The list need not know of the first yet, as its index lags, and never of the second: that money settles may not
        change its order.
        """
        noted, hints = self._bookkeeper.pending_money(), webhook_hints.orders(self._bookkeeper.store, ASKED_AT_ONCE)
        named = {one.record_id for one in hints}
        in_turn = _in_turn(sorted(noted), seen.turn, ASKED_AT_ONCE - len(named))
        still = seen.settled & {one for transactions in noted.values() for one in transactions}
        if not (named or in_turn) or self._bookkeeper.shopify_client.seconds_left() < ENOUGH:
            return seen.model_copy(update={"settled": still}), []
        changes, told, settled = [], dict(seen.told), set(still)
        found = self._bookkeeper.reader.money_of({*named, *in_turn})
        changes += self._gone([one for one in hints if one.record_id not in {money.legacy_id for money in found}])
        for money in found:
            rested = set(noted.get(money.legacy_id, ())) - set(pending(money)) - settled
            news = money.legacy_id in named and money.updated_at > seen.since
            if (rested or news) and told.get(money.legacy_id) != money.updated_at:
                changes.append(self._change(money, f"settled {' '.join(sorted(rested))}" if rested else ""))
                told[money.legacy_id] = money.updated_at
            settled |= rested
        self._bookkeeper.store.hints.looked_at(hints)
        turn = in_turn[-1] if in_turn else seen.turn
        return seen.model_copy(update={"told": told, "settled": frozenset(settled), "turn": turn}), changes

    def _gone(self, hints: Iterable[Hint]) -> list[Change]:
        """Return the days of posted orders that a webhook named and of which Shopify has none: they were deleted."""
        named = {one.record_id: one for one in hints}
        return [
            Change(day, named[order_id].received_at, f"{order_id} gone")
            for order_id, days in self._bookkeeper.store.days_of_orders(named).items()
            for day in sorted(days)
        ]

    def _change(self, order: ChangedOrder, what: str = "") -> Change:
        name = f"{order.legacy_id} {what or order.updated_at.isoformat()}"
        return Change(self._bookkeeper.day_of(order), order.updated_at, name)

    def _listen_to_xero(self, seen: Seen) -> tuple[Seen, list[Change]]:
        """Tell once of each record of ours that Xero says was changed; the run that looks there ends it."""
        changed = webhook_hints.sorted_out(self._bookkeeper.store)
        news = [Change(one.day, one.at, f"xero {one.hint.id}") for one in changed if one.hint.id not in seen.heard]
        return seen.model_copy(update={"heard": frozenset(one.hint.id for one in changed)}), news


def _read(cursor: str | None) -> Seen | None:
    try:
        return Seen.model_validate_json(cursor) if cursor else None
    except ValidationError:
        return None


def _in_turn(ids: Sequence[str], last: str, most: int) -> list[str]:
    """Return those whose turn it is: the ones after the last one asked for, then from the beginning."""
    place = next((number for number, one in enumerate(ids) if one > last), 0)
    return [*ids[place:], *ids[:place]][:most]
