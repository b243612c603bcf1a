"""The same history synced to Xero in several ways, and the permitted differences (docs/books.md §1 to §7).

Each way ends with a sync of everything. All documents are equal, line by line, with their money and credit, and so are
all payments and allocations. Only what the books let depend on time may differ:

- An order on terms that was cancelled unpaid is posted and closed by its credit note, or was never posted.
- A blocked order has the records that were posted before it was blocked.
- Tax that a sales channel withheld and returned later was paid and refunded, or never moved: each document is settled
  to the same amount, and no account has more or less.
- Documents stay with the contact of the first one, so an order of a merged customer is with either of the two.
- A contact keeps what Shopify has blanked since. Either of two namesakes has its id in its name. The code of two items
  with one SKU belongs to the first one. An item of a deleted product exists if a sync has read it.
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
    """Sync everything at the end."""
    yield _everything(stage, trade)


def version_by_version(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Sync each order at each of its changes: the first change of all orders, then the second of all, and so on."""
    for number in range(trade.orders.longest):
        yield sync(stage.sync_service, trade.at_step(number))


def event_by_event(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Sync at each instant with a change the days of the changed records."""
    for instant, days in trade.days_of_change().items():
        _go_on(stage, instant)
        yield sync(stage.sync_service, trade.seen(days, instant))


def night_by_night(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Sync every night the days of the records changed since the last night."""
    nights: dict[datetime, set[Any]] = {}
    for instant, days in trade.days_of_change().items():
        nights.setdefault(trade.night_after(instant), set()).update(days)
    for night, days in nights.items():
        _go_on(stage, night)
        yield sync(stage.sync_service, trade.seen(days, night))


def backwards(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Sync everything at the end, last day first."""
    for day in reversed(trade.days):
        yield sync(stage.sync_service, trade.seen([day], trade.until))


def twice(stage: Stage, trade: Trade) -> Iterator[Round]:
    """Sync everything at the end, twice; the sync of everything that ends each way is the third."""
    yield _everything(stage, trade)
    again = _everything(stage, trade)
    assert not again.wrote, "a second sync of the same history planned to write"
    yield again


@dataclass(frozen=True)
class Outcome:
    """The outcome of one way.

    Attributes:
        content: the content of Xero.
        left_alone: the action (waiting, skipped or blocked) of orders that the last sync did not post, by id.
        problems: refusals, conflicts, and writes of the last sync.
        syncs: the number of syncs.
    """

    content: Content
    left_alone: dict[str, str]
    problems: list[str]
    syncs: int


def carried(folder: Path, source: ShopSource, trade: Trade, way: Way, changed: Sequence[Changed] = ()) -> Outcome:
    """Sync a trade to an empty Xero in one way, then sync everything once more, which must not change orders.

    Args:
        folder: the folder of the state store and `books.yaml`.
        source: the shop.
        trade: its history.
        way: the order of syncs.
        changed: replacements in `books.yaml`.
    """
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
    left_alone = {order_id: action for order_id, (action, _) in rounds[-1].left_alone.items()}
    return Outcome(content, left_alone, problems, len(rounds))


def _everything(stage: Stage, trade: Trade) -> Round:
    return sync(stage.sync_service, trade.seen(trade.days, trade.until))


def _go_on(stage: Stage, instant: datetime) -> None:
    """Move the clock on; the wait for a minute's calls may have moved it further already."""
    stage.clock.move_to(max(instant, stage.clock.now()))


# What may differ --------------------------------------------------------------------------------------------------


def differences(trade: Trade, at_once: Outcome, other: Outcome) -> Iterator[str]:
    """Yield forbidden differences from the outcome of one sync at the end; none is the proof.

    Args:
        trade: the history.
        at_once: the outcome of one sync at the end.
        other: the outcome of another way.
    """
    apart = {order_id for order_id, action in at_once.left_alone.items() if action in ("skipped", "blocked")}
    withheld = {_order_of(key) for side in (at_once, other) for key in side.content.payments if CHANNEL in key}
    sides = [_Side(trade, side.content, apart, withheld) for side in (at_once, other)]
    for part in ("documents", "payments", "channel_tax", "allocations", "contacts", "items"):
        yield from _unequal(part, *(getattr(side, part)() for side in sides))
    skipped = {order_id for order_id, action in at_once.left_alone.items() if action == "skipped"}
    yield from _left_open(skipped - other.left_alone.keys(), other.content)


def _unequal(part: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[str]:
    for identity in sorted({*first, *second}):
        before, after = first.get(identity), second.get(identity)
        if before != after:
            yield f"{part} {identity}: {_describe(before, after)}"


def _describe(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        parts = [name for name in before if before[name] != after.get(name)]
        before, after = ({name: side.get(name) for name in parts} for side in (before, after))
    return f"{before} | {after}"


def _order_of(identity: str) -> str:
    """Return the order id in an identity of a document, payment or allocation."""
    return identity.partition("/")[0].rpartition(" ")[2].rpartition(":")[2]


def _left_open(orders: set[str], content: Content) -> Iterator[str]:
    """Check that an order posted and then cancelled unpaid is closed by its credit note: nothing due, no money."""
    for identity, document in content.documents.items():
        if _order_of(identity) in orders and (document["outstanding"] or document["paid"]):
            yield f"documents {identity} of a cancelled order: {document['outstanding']} open, {document['paid']} paid"


@dataclass(frozen=True)
class _Side:
    """One outcome without the differences that depend on time.

    Attributes:
        trade: the history.
        content: its content in Xero.
        apart: orders that are not compared.
        withheld: orders of which a sales channel withheld tax at some time.
    """

    trade: Trade
    content: Content
    apart: set[str]
    withheld: set[str]

    def documents(self) -> dict[str, Facts]:
        """Return all documents; those of one order must have one contact, also after a merge of its customer."""
        buyers = self.trade.buyers()
        contacts: dict[str, str] = {}
        documents = {}
        for identity, facts in self._of(self.content.documents).items():
            order_id, contact = _order_of(identity), facts["contact"]
            assert contacts.setdefault(order_id, contact) == contact, f"order {order_id} is with two contacts"
            if len(buyers[order_id]) > 1 and contact.removeprefix(OURS) in buyers[order_id]:
                facts = {**facts, "contact": sorted(buyers[order_id])}
            if order_id in self.withheld:
                facts = {**facts, "paid": facts["paid"] + facts["credited"], "credited": "with the paid"}
            documents[identity] = facts
        return documents

    def payments(self) -> dict[str, Facts]:
        """Return all payments without those of tax that a sales channel withheld."""
        return {key: facts for key, facts in self._of(self.content.payments).items() if CHANNEL not in key}

    def channel_tax(self) -> dict[str, Decimal]:
        """Return the balance of withheld tax by order, without zeros."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for key, facts in self._of(self.content.payments).items():
            if CHANNEL in key:
                sums[_order_of(key)] += -facts["amount"] if "ACCRECCREDIT" in key else facts["amount"]
        return {order_id: amount for order_id, amount in sums.items() if amount}

    def allocations(self) -> dict[str, Facts]:
        """Return all allocations of orders without withheld tax, which leaves less to allocate."""
        allocations = self._of(self.content.allocations)
        return {key: facts for key, facts in allocations.items() if _order_of(key) not in self.withheld}

    def contacts(self) -> dict[str, Facts]:
        """Return the contacts of documents with unchanged name and id, without the id of a namesake."""
        merged = {key for ids in self.trade.buyers().values() if len(ids) > 1 for key in ids}
        changed = {OURS + key for key in {*merged, *self.trade.blanked()}}
        used = {facts["contact"] for facts in self._of(self.content.documents).values()}
        return {number: self._unsuffixed(number) for number in used - changed}

    def items(self) -> dict[str, int]:
        """Return the number of items of each variant on orders, by description and price."""
        sold = self.trade.sold()
        counted = Counter((facts["description"], facts["price"]) for facts in self.content.items.values())
        return {f"{title} at {price}": times for (title, price), times in counted.items() if title in sold}

    def _unsuffixed(self, number: str) -> Facts:
        facts = self.content.contacts[number]
        return {**facts, "name": facts["name"].removesuffix(f" ({number.rpartition(':')[2]})")}

    def _of(self, records: Mapping[str, Facts]) -> dict[str, Facts]:
        return {identity: facts for identity, facts in records.items() if _order_of(identity) not in self.apart}
