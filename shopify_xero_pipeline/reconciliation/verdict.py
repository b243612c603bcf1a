"""The verdict on compared days: whether the books agree, which orders are not in them, and the sentence that says so.

The only place where a verdict is made. Terminal, JSON, doctor, alerts and the Dagster UI say it in these words; the
exit codes follow it (`cli/exit_codes.py`). What a single order needs stands in `unposted_orders.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.orphans import LISTED, OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import by_currency, format_amounts
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind

MAX_NAMES = 5
OUTCOMES = ("posted", "waiting", "skipped", "blocked", "postponed", "conflict", "failed")
"""Of an order, the best first."""


class Standing(StrEnum):
    """A verdict in one word, the best first: what passes by itself is better than what waits for a person.

    AGREE: nothing differs, and every order is posted, skipped by a rule or waiting by a rule. UNFINISHED: nothing
    differs, but writes are planned or under way. INCOMPLETE: nothing differs, but orders are blocked and so not in the
    books. DISAGREE: something differs, failed, or is in conflict with what a person did.
    """

    AGREE = "agree"
    UNFINISHED = "unfinished"
    INCOMPLETE = "incomplete"
    DISAGREE = "disagree"


class OrderCount(BaseModel):
    """Some orders: how many, an amount by currency, and the names of the first five."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    amounts: Mapping[str, Decimal] = {}
    named: tuple[str, ...] = ()

    @property
    def money(self) -> str:
        """The amounts as text, `12.00 EUR, 433.00 USD`; empty where all are zero."""
        return format_amounts((currency, amount) for currency, amount in self.amounts.items() if amount)

    @property
    def sentence(self) -> str:
        """How many of how much: `4 orders of 433.00 USD`."""
        return f"{count_of(self.count, 'order')}{f' of {self.money}' if self.money else ''}"

    @property
    def differ(self) -> str:
        """How many differ by how much: `8 orders differ by 1,220.18 NZD`."""
        verb = "differs" if self.count == 1 else "differ"
        return f"{count_of(self.count, 'order')} {verb} {f'by {self.money}' if self.money else 'in what is no amount'}"

    @property
    def are(self) -> str:
        """The verb: `is` for one, else `are`."""
        return "is" if self.count == 1 else "are"


class Agreement(BaseModel):
    """What compared days come to.

    Attributes:
        outcomes: orders by outcome, with what Shopify says they are worth.
        unequal: orders that differ, with the largest difference of each.
        unexplained: orders that are neither posted nor listed with a reason.
        duplicates: records in Xero that carry an order's mark and are not ours.
        lost: records that we posted and that Xero no longer shows.
        left: orders that a person left different in Xero, for a reason.
        undecided: orders of which records stand in Xero without an order, until a person decides.
        refused: failed Contacts and Items, by kind and key: no order's outcome tells of them.
    """

    model_config = ConfigDict(frozen=True)

    outcomes: Mapping[str, OrderCount] = {}
    unequal: OrderCount = OrderCount()
    unexplained: OrderCount = OrderCount()
    duplicates: int = 0
    lost: int = 0
    left: OrderCount = OrderCount()
    undecided: OrderCount = OrderCount()
    refused: tuple[str, ...] = ()

    def of(self, outcome: str) -> OrderCount:
        """Return the orders of an outcome."""
        return self.outcomes.get(outcome, OrderCount())

    @property
    def standing(self) -> Standing:
        """The verdict in one word."""
        if self.differences:
            return Standing.DISAGREE
        if self.of("blocked").count:
            return Standing.INCOMPLETE
        return Standing.UNFINISHED if self.of("postponed").count else Standing.AGREE

    @property
    def sentence(self) -> str:
        """The verdict as a sentence, in which every figure stands that is not as it should be."""
        return verdict_sentence("the books", self.differences, [*self.missing("them"), *self.decided], plural=True)

    @property
    def differences(self) -> list[str]:
        """What speaks against the books, each with its figure."""
        failed, conflict = self.of("failed"), self.of("conflict")
        found = (
            (self.unequal.count, self.unequal.differ),
            (failed.count, f"{failed.sentence} failed"),
            (conflict.count, f"{conflict.sentence} in conflict with what a person did in Xero"),
            (self.unexplained.count, f"{self.unexplained.sentence} without a reason"),
            (self.duplicates, f"{count_of(self.duplicates, 'record')} twice in Xero"),
            (self.lost, f"{count_of(self.lost, 'record')} gone from Xero"),
            (
                len(self.refused),
                f"{count_of(len(self.refused), 'record')} failed: {', '.join(self.refused[:MAX_NAMES])}",
            ),
            (self.undecided.count, f"{self.undecided.sentence} in Xero without an order in these books"),
        )
        return [text for count, text in found if count]

    def missing(self, them: str) -> list[str]:
        """Return which orders are not in the books, although nothing about them is wrong.

        Args:
            them: the books' pronoun.
        """
        blocked, postponed = self.of("blocked"), self.of("postponed")
        found = [f"{blocked.sentence} {blocked.are} not in {them}"] if blocked.count else []
        found += [f"{postponed.sentence} {postponed.are} not written yet"] if postponed.count else []
        return found

    @property
    def decided(self) -> list[str]:
        """Which orders differ in Xero and are not wrong, because a person decided so."""
        found = self.left
        return [f"{found.sentence} {found.are} left different in Xero, as a person decided"] if found.count else []


def count_of(number: int, noun: str) -> str:
    """Return a number of things: `1 order`, `4 orders`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def worst_standing(found: Iterable[Standing]) -> Standing:
    """Return the worst of some verdicts; of none, that all is well."""
    return max(found, key=list(Standing).index, default=Standing.AGREE)


def verdict_sentence(subject: str, wrong: Sequence[str], missing: Sequence[str], *, plural: bool) -> str:
    """Return a verdict as a sentence: `the books agree; 4 orders of 433.00 USD are not in them`."""
    agree, do_not = ("agree", "do not agree") if plural else ("agrees", "does not agree")
    head = f"{subject} {do_not} yet: {', '.join(wrong)}" if wrong else f"{subject} {agree}"
    return "; ".join([head, *missing])


def agreement_of_days(days: Iterable[DayReconciliation]) -> Agreement:
    """Return what compared days come to, with what stands in Xero without an order."""
    found = list(days)
    undecided = undecided_orders(one for day in found for one in day.orphans)
    return agreement_of_orders(found).model_copy(update={"undecided": undecided})


def agreement_of_orders(days: Iterable[DayReconciliation]) -> Agreement:
    """Return what the orders of compared days come to."""
    found = list(days)
    rows = [row for day in found for row in day.rows]
    return Agreement(
        outcomes={name: _worth([row for row in rows if row.outcome == name]) for name in OUTCOMES},
        unequal=orders_of((row.order_name, row.currency, row.difference) for row in rows if row.problems),
        unexplained=_worth([row for day in found for row in day.unaccounted]),
        duplicates=sum(day.extra for day in found),
        lost=sum(day.lost for day in found),
        left=_worth([row for row in rows if row.left]),
    )


def refused_records(errors: Iterable[SyncError]) -> tuple[str, ...]:
    """Return the failed records that are no order's, as people call them: `item PC-01`."""
    return tuple(f"{one.kind} {one.natural_key}" for one in errors if one.order_id is None)


def undecided_orders(orphans: Iterable[OrphanedOrder]) -> OrderCount:
    """Return the orders of which records stand in Xero without an order, until a person decides; live documents count.

    An order of which only payments are left counts with what they come to.
    """
    return orders_of((one.order_name or one.name, *_live(one)) for one in orphans if one.is_open)


def _live(orphan: OrphanedOrder) -> tuple[str, Decimal]:
    found = orphan.live(Kind.INVOICE, Kind.CREDIT_NOTE) or orphan.live(*LISTED)
    return found[0][0], sum((amount for _, amount in found), Decimal(0))


def _worth(rows: Sequence[OrderRow]) -> OrderCount:
    return orders_of((row.order_name, row.currency, row.sales) for row in rows)


def orders_of(found: Iterable[tuple[str, str, Decimal]]) -> OrderCount:
    """Return orders given as name, currency and amount."""
    some = list(found)
    amounts = by_currency((currency, amount) for _, currency, amount in some)
    return OrderCount(count=len(some), amounts=amounts, named=tuple(name for name, _, _ in some[:MAX_NAMES]))
