"""The verdict on compared days: whether the books agree, which orders are not in them, and the sentence for it.

Every verdict is made here. The terminal, JSON, `doctor`, the alerts and the Dagster UI use its words, and the exit
codes follow it (`cli/exit_codes.py`). The remedy for a single order is in `unposted_orders.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.movements import FrozenModel
from shopify_xero_pipeline.reconciliation.orphans import LISTED, OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import by_currency, format_amounts
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind

MAX_NAMES = 5  # names in a sentence
OUTCOMES = ("posted", "waiting", "skipped", "blocked", "postponed", "conflict", "failed")
"""Outcomes of an order, from the best to the worst."""


class Standing(StrEnum):
    """The verdict in one word, from the best to the worst: a transient state is better than one that needs a person.

    AGREE: nothing differs, and every order is posted, or skipped or waiting by a rule. UNFINISHED: nothing differs, but
    writes are planned or under way. INCOMPLETE: nothing differs, but blocked orders are not in the books. DISAGREE:
    something differs, failed, or is in conflict with a person's change.
    """

    AGREE = "agree"
    UNFINISHED = "unfinished"
    INCOMPLETE = "incomplete"
    DISAGREE = "disagree"


class OrderCount(FrozenModel):
    """A number of orders with their amounts.

    Attributes:
        count: the number of orders.
        amounts: the sum of their amounts by currency.
        named: the names of the first five.
    """

    count: int = 0
    amounts: Mapping[str, Decimal] = {}
    named: tuple[str, ...] = ()

    @property
    def money(self) -> str:
        """The amounts as text, such as `12.00 EUR, 433.00 USD`; empty if all are zero."""
        return format_amounts((currency, amount) for currency, amount in self.amounts.items() if amount)

    @property
    def sentence(self) -> str:
        """The count and the amounts, such as `4 orders of 433.00 USD`."""
        return f"{count_of(self.count, 'order')}{f' of {self.money}' if self.money else ''}"

    @property
    def differ(self) -> str:
        """The count and the difference, such as `8 orders differ by 1,220.18 NZD`."""
        verb = "differs" if self.count == 1 else "differ"
        difference = f"by {self.money}" if self.money else "in fields that are not amounts"
        return f"{count_of(self.count, 'order')} {verb} {difference}"

    @property
    def are(self) -> str:
        """The verb: `is` for one order, otherwise `are`."""
        return "is" if self.count == 1 else "are"


class Agreement(FrozenModel):
    """The figures of compared days.

    Attributes:
        outcomes: orders by outcome, with their sales in Shopify.
        unequal: orders with differences, with the largest difference of each.
        unexplained: orders that are neither posted nor have a reason.
        duplicates: the number of records in Xero with an order's reference that are not in the mapping.
        lost: the number of posted records that Xero no longer has.
        left: orders that a person left different in Xero, with a reason.
        undecided: orphaned orders that need a person's decision.
        refused: failed Contacts and Items by kind and key, which belong to no order.
    """

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
        """The verdict as a sentence with every figure that is wrong or missing."""
        return verdict_sentence("the books", self.differences, [*self.missing("them"), *self.decided], plural=True)

    @property
    def differences(self) -> list[str]:
        """The differences of the books, each with its figure."""
        failed, conflict = self.of("failed"), self.of("conflict")
        counted_sentences = (
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
        return [text for count, text in counted_sentences if count]

    def missing(self, them: str) -> list[str]:
        """Return the orders that are not in the books without an error, as sentences.

        Args:
            them: the pronoun for the books.
        """
        clauses = ((self.of("blocked"), f"not in {them}"), (self.of("postponed"), "not written yet"))
        return [f"{orders.sentence} {orders.are} {clause}" for orders, clause in clauses if orders.count]

    @property
    def decided(self) -> list[str]:
        """The orders that differ in Xero by a person's decision, as a sentence."""
        orders = self.left
        return [f"{orders.sentence} {orders.are} left different in Xero, as a person decided"] if orders.count else []


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 order` or `4 orders`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def worst_standing(standings: Iterable[Standing]) -> Standing:
    """Return the worst of several verdicts, or AGREE without any.

    Args:
        standings: verdicts of several days or checks.
    """
    return max(standings, key=list(Standing).index, default=Standing.AGREE)


def verdict_sentence(subject: str, wrong: Sequence[str], missing: Sequence[str], *, plural: bool) -> str:
    """Return a verdict as a sentence, such as `the books agree; 4 orders of 433.00 USD are not in them`.

    Args:
        subject: the books or a month.
        wrong: the differences.
        missing: further clauses about orders or days that are not in the books.
        plural: whether the subject is plural.
    """
    agree, do_not = ("agree", "do not agree") if plural else ("agrees", "does not agree")
    head = f"{subject} {do_not} yet: {', '.join(wrong)}" if wrong else f"{subject} {agree}"
    return "; ".join([head, *missing])


def agreement_of_days(days: Iterable[DayReconciliation]) -> Agreement:
    """Return the figures of compared days, including their orphans.

    Args:
        days: compared days.
    """
    compared = list(days)
    undecided = undecided_orders(orphan for day in compared for orphan in day.orphans)
    return agreement_of_orders(compared).model_copy(update={"undecided": undecided})


def agreement_of_orders(days: Iterable[DayReconciliation]) -> Agreement:
    """Return the figures of the orders of compared days, without orphans.

    Args:
        days: compared days.
    """
    compared = list(days)
    rows = [row for day in compared for row in day.rows]
    return Agreement(
        outcomes={name: _sales_count(row for row in rows if row.outcome == name) for name in OUTCOMES},
        unequal=orders_of((row.order_name, row.currency, row.difference) for row in rows if row.problems),
        unexplained=_sales_count(row for row in rows if row.is_unaccounted),
        duplicates=sum(day.extra for day in compared),
        lost=sum(day.lost for day in compared),
        left=_sales_count(row for row in rows if row.left),
    )


def sum_agreements(agreements: Iterable[Agreement]) -> Agreement:
    """Return the figures of several days together, from the figures of each.

    Args:
        agreements: the figures of days, in the order of the days; their failed records without an order are ignored.
    """
    days = list(agreements)
    return Agreement(
        outcomes={name: _sum_counts(day.of(name) for day in days) for name in OUTCOMES},
        unequal=_sum_counts(day.unequal for day in days),
        unexplained=_sum_counts(day.unexplained for day in days),
        duplicates=sum(day.duplicates for day in days),
        lost=sum(day.lost for day in days),
        left=_sum_counts(day.left for day in days),
        undecided=_sum_counts(day.undecided for day in days),
    )


def refused_records(errors: Iterable[SyncError]) -> tuple[str, ...]:
    """Return the failed records that belong to no order, such as `item PC-01`.

    Args:
        errors: open failed records.
    """
    return tuple(f"{error.kind} {error.natural_key}" for error in errors if error.order_id is None)


def undecided_orders(orphans: Iterable[OrphanedOrder]) -> OrderCount:
    """Return the orphaned orders that need a decision, with the total of their live documents.

    The amount of an order without live documents is the total of its payments.

    Args:
        orphans: orphaned orders, decided or not.
    """
    return orders_of((orphan.order_name or orphan.name, *_live_amount(orphan)) for orphan in orphans if orphan.is_open)


def _live_amount(orphan: OrphanedOrder) -> tuple[str, Decimal]:
    amounts = orphan.live(Kind.INVOICE, Kind.CREDIT_NOTE) or orphan.live(*LISTED)
    return amounts[0][0], sum((amount for _, amount in amounts), Decimal(0))


def _sales_count(rows: Iterable[OrderRow]) -> OrderCount:
    return orders_of((row.order_name, row.currency, row.sales) for row in rows)


def _sum_counts(counts: Iterable[OrderCount]) -> OrderCount:
    not_empty = [count for count in counts if count.count]
    return OrderCount(
        count=sum(count.count for count in not_empty),
        amounts=by_currency(amount for count in not_empty for amount in count.amounts.items()),
        named=tuple(name for count in not_empty for name in count.named)[:MAX_NAMES],
    )


def orders_of(orders: Iterable[tuple[str, str, Decimal]]) -> OrderCount:
    """Return a count of orders.

    Args:
        orders: the name, the currency and an amount of each order.
    """
    listed = list(orders)
    amounts = by_currency((currency, amount) for _, currency, amount in listed)
    return OrderCount(count=len(listed), amounts=amounts, named=tuple(name for name, _, _ in listed[:MAX_NAMES]))
