"""The same history carried to Xero in several ways, and in what their outcomes may differ (docs/books.md §1 to §7).

Every way ends with a sync of everything. Equal are all documents, line by line, with the money and credit on each,
every payment and every allocation. What the books themselves let depend on time, and nothing else, may differ:

- an order on terms that was cancelled unpaid is posted and closed by its credit note, or was never posted at all;
- of an order that is blocked in the end stands what was posted before it was;
- tax that a sales channel kept back and gave back later was paid and refunded, or never moved: each document is
  settled to the same amount, and no account is left with more or less;
- documents stay with the contact of the first one, so an order of a merged customer is with either of the two;
- a contact keeps what Shopify has blanked since; which of two namesakes bears its id in its name; a code of two items
  of one SKU goes to the first that came; items of products deleted since are there if they were ever seen.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from shopify_xero_pipeline.sandbox.nodes import ShopSource
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.proof.content import Content, Facts, content_of
from shopify_xero_pipeline_tests.campaigns.proof.synced import Changed, Round, house, sync
from shopify_xero_pipeline_tests.campaigns.proof.trade import Trade
from shopify_xero_pipeline_tests.support.stage import Stage

OURS = "shopify:"
CHANNEL = "/channel-tax-"
Way = Callable[[Stage, Trade], Iterator[Round]]


def in_one_go(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Everything at the end."""
    yield _everything(stage, trade)


def version_by_version(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Every order at each of its own changes; the first change of all orders, then the second of all, and so on."""
    for number in range(trade.orders.longest):
        yield sync(stage.sync_service, trade.at_step(number))


def event_by_event(stage: Stage, trade: Trade) -> Iterator[Round]:
    """At every instant at which anything changed, the days whose records did."""
    for instant, days in trade.days_of_change().items():
        _go_on(stage, instant)
        yield sync(stage.sync_service, trade.seen(days, instant))


def night_by_night(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Every night the days whose records changed since the last one."""
    nights: dict[datetime, set[Any]] = {}
    for instant, days in trade.days_of_change().items():
        nights.setdefault(trade.night_after(instant), set()).update(days)
    for night, days in nights.items():
        _go_on(stage, night)
        yield sync(stage.sync_service, trade.seen(days, night))


def backwards(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Everything at the end, the last day first."""
    for day in reversed(trade.days):
        yield sync(stage.sync_service, trade.seen([day], trade.until))


def twice(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Everything at the end, and again; the sync of everything that ends every way is then the third."""
    yield _everything(stage, trade)
    again = _everything(stage, trade)
    assert not again.wrote, "a second sync of the same history planned to write"
    yield again


@dataclass(frozen=True)
class Outcome:
    """What one way came to.

    Attributes:
        content: what Xero holds.
        left_alone: orders that the last sync left alone, by id: waiting, skipped or blocked.
        problems: whatever was refused or listed for a person, and anything the last sync still had to write.
        syncs: how many it took.
    """

    content: Content
    left_alone: dict[str, str]
    problems: list[str]
    syncs: int


def carried(folder: Path, source: ShopSource, trade: Trade, way: Way, changed: Sequence[Changed] = ()) -> Outcome:
    """Carry a trade to an empty Xero in one way, then sync everything once more, which must find orders as they are."""
    gradual = way in (event_by_event, night_by_night)
    start = min(trade.days_of_change()) if gradual else trade.until
    with house(folder, source, start, changed=changed) as stage:
        rounds = list(way(stage, trade))
        _go_on(stage, trade.until)
        rounds.append(_everything(stage, trade))
        content = content_of(stage.sandbox.books)
    problems = [failure for done in rounds for failure in done.failures]
    problems += [f"{line.natural_key}: {line.reason}" for done in rounds for line in done.conflicts]
    still = rounds[-1].wrote - {Kind.CONTACT, Kind.ITEM}
    if still:
        problems.append(f"a sync of everything afterwards still wrote: {', '.join(sorted(still))}")
    left_alone = {order_id: told for order_id, (told, _) in rounds[-1].left_alone.items()}
    return Outcome(content, left_alone, problems, len(rounds))


def _everything(stage: Stage, trade: Trade) -> Round:
    return sync(stage.sync_service, trade.seen(trade.days, trade.until))


def _go_on(stage: Stage, instant: datetime) -> None:
    """Move the clock on; waiting for a minute's calls may have taken it further already."""
    stage.clock.move_to(max(instant, stage.clock.now()))


# What may differ --------------------------------------------------------------------------------------------------


def differences(trade: Trade, at_once: Outcome, other: Outcome) -> Iterator[str]:
    """Tell what differs from the outcome of one sync at the end and must not; nothing is the proof."""
    apart = {order_id for order_id, told in at_once.left_alone.items() if told in ("skipped", "blocked")}
    kept_back = {_order_of(key) for side in (at_once, other) for key in side.content.payments if CHANNEL in key}
    sides = [_Side(trade, side.content, apart, kept_back) for side in (at_once, other)]
    for what in ("documents", "payments", "channel_tax", "allocations", "contacts", "items"):
        yield from _unequal(what, *(getattr(side, what)() for side in sides))
    skipped = {order_id for order_id, told in at_once.left_alone.items() if told == "skipped"}
    yield from _left_open(skipped - other.left_alone.keys(), other.content)


def _unequal(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for identity in sorted({*one, *other}):
        left, right = one.get(identity), other.get(identity)
        if left != right:
            yield f"{what} {identity}: {_told(left, right)}"


def _told(left: Any, right: Any) -> str:
    if isinstance(left, dict) and isinstance(right, dict):
        parts = [name for name in left if left[name] != right.get(name)]
        left, right = ({name: side.get(name) for name in parts} for side in (left, right))
    return f"{left} | {right}"


def _order_of(identity: str) -> str:
    """Return the order in an identity of a document, payment or allocation."""
    return identity.partition("/")[0].rpartition(" ")[2].rpartition(":")[2]


def _left_open(orders: set[str], content: Content) -> Iterator[str]:
    """An order posted and then cancelled unpaid is closed by its credit note alone: nothing due, no money."""
    for identity, document in content.documents.items():
        if _order_of(identity) in orders and (document["outstanding"] or document["paid"]):
            yield f"documents {identity} of a cancelled order: {document['outstanding']} open, {document['paid']} paid"


@dataclass(frozen=True)
class _Side:
    """One outcome without what time may decide.

    Attributes:
        trade: the history.
        content: what Xero holds of it.
        apart: orders that are not compared at all.
        kept_back: orders of which a sales channel kept tax back at some time.
    """

    trade: Trade
    content: Content
    apart: set[str]
    kept_back: set[str]

    def documents(self) -> dict[str, Facts]:
        """Return every document; all of one order must be with one contact, whoever its customer was merged into."""
        buyers = self.trade.buyers()
        with_whom: dict[str, str] = {}
        found = {}
        for identity, facts in self._of(self.content.documents).items():
            order_id, contact = _order_of(identity), facts["contact"]
            assert with_whom.setdefault(order_id, contact) == contact, f"order {order_id} is with two contacts"
            if len(buyers[order_id]) > 1 and contact.removeprefix(OURS) in buyers[order_id]:
                facts = {**facts, "contact": sorted(buyers[order_id])}
            if order_id in self.kept_back:
                facts = {**facts, "paid": facts["paid"] + facts["credited"], "credited": "with the paid"}
            found[identity] = facts
        return found

    def payments(self) -> dict[str, Facts]:
        """Return every payment but those of tax that a sales channel kept back."""
        return {key: facts for key, facts in self._of(self.content.payments).items() if CHANNEL not in key}

    def channel_tax(self) -> dict[str, Decimal]:
        """Return what came from the account of kept-back tax on balance, by order; nothing is left out."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for key, facts in self._of(self.content.payments).items():
            if CHANNEL in key:
                sums[_order_of(key)] += -facts["amount"] if "ACCRECCREDIT" in key else facts["amount"]
        return {order_id: amount for order_id, amount in sums.items() if amount}

    def allocations(self) -> dict[str, Facts]:
        """Return every allocation; where kept-back tax was paid, less was left to allocate."""
        found = self._of(self.content.allocations)
        return {key: facts for key, facts in found.items() if _order_of(key) not in self.kept_back}

    def contacts(self) -> dict[str, Facts]:
        """Return the contacts on documents but those that changed their name or id, without the id of a namesake."""
        merged = {key for ids in self.trade.buyers().values() if len(ids) > 1 for key in ids}
        changed = {OURS + key for key in {*merged, *self.trade.blanked()}}
        used = {facts["contact"] for facts in self._of(self.content.documents).values()}
        return {number: self._unsuffixed(number) for number in used - changed}

    def items(self) -> dict[str, int]:
        """Return how many items there are of each variant on orders, by what it is called and costs."""
        sold = self.trade.sold()
        counted = Counter((facts["description"], facts["price"]) for facts in self.content.items.values())
        return {f"{what} at {price}": times for (what, price), times in counted.items() if what in sold}

    def _unsuffixed(self, number: str) -> Facts:
        facts = self.content.contacts[number]
        return {**facts, "name": facts["name"].removesuffix(f" ({number.rpartition(':')[2]})")}

    def _of(self, found: Mapping[str, Facts]) -> dict[str, Facts]:
        return {identity: facts for identity, facts in found.items() if _order_of(identity) not in self.apart}
