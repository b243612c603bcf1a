"""Exchange differences of orders that a customer pays in another currency (docs/books.md §8.1).

Documents have the exchange rate of the order. Shopify converts a later capture or refund at the rate of its own day, so
the shop-currency amount of the movement differs from the amount that it settles. This module computes the difference if

- the movement settles exactly the amount due in the customer's currency at that moment, or
- Shopify states a changed rate (`two_currencies.py`).

Any other excess remains money without a document. The result depends only on the order's state when the money moves, so
later changes of the order do not alter it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import CashMovement, Direction, pending_refunds
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, smallest_unit
from shopify_xero_pipeline.books.documents import AnyDocument, BookedAgreement
from shopify_xero_pipeline.books.numbering import EXCHANGE, UNCOVERED_REFUND
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.two_currencies import (
    AmountPair,
    channel_taxes,
    check_stated_difference,
    has_another_rate,
    totals,
)

CONVERSION_UNITS = 2
"""Largest difference, in the currency's smallest units, that conversion alone can cause."""


@dataclass(frozen=True)
class ConvertedMovements:
    """An order's money at the rate of the order.

    Attributes:
        movements: completed movements with their exchange differences.
        pending: by transaction, the amount of a pending refund in the shop's currency.
    """

    movements: Sequence[CashMovement]
    pending: Mapping[str, Decimal]


def convert_at_order_rate(
    context: OrderContext,
    bookings: Sequence[BookedAgreement],
    refund_documents: Mapping[str, AnyDocument],
    movements: Sequence[CashMovement],
) -> ConvertedMovements:
    """Return an order's money with the exchange differences that Shopify's figures explain; none in one currency.

    Args:
        context: the order.
        bookings: its agreements, in time order.
        refund_documents: by transaction, the document of the transaction's refund.
        movements: its money, in time order.

    Raises:
        OrderBlockedError: Shopify states a difference other than the one that settles the order.
    """
    pending = pending_refunds(context)
    sums = totals(context, bookings)
    if sums is None or any(movement.presentment is None for movement in movements):
        return ConvertedMovements(movements, {movement.transaction_id: movement.amount for movement in pending})
    converter = _RateConverter(context, bookings, sums, refund_documents)
    conversions = [converter.convert(movement) for movement in movements]
    converter.assign_remainder(conversions)
    for conversion in conversions:
        if not conversion.is_fixed:
            check_stated_difference(context, conversion.movement, conversion.total)
    # Pending refunds come last: they must not change the conversion of completed movements.
    pending_amounts = {movement.transaction_id: converter.convert(movement).total for movement in pending}
    return ConvertedMovements([conversion.result() for conversion in conversions], pending_amounts)


@dataclass
class _Conversion:
    """A movement and the amount that it settles.

    Attributes:
        movement: money as it moved.
        total: the amount that it settles, in the shop's currency.
        is_explained: whether the total may differ from the movement's amount.
        is_fixed: whether an earlier run posted a document for the difference or for an uncovered refund.
        posted: the amount that earlier runs posted on documents of the order.
    """

    movement: CashMovement
    total: Decimal
    is_explained: bool
    is_fixed: bool = False
    posted: Decimal = ZERO

    def result(self) -> CashMovement:
        """Return the movement with its exchange difference."""
        return replace(self.movement, amount=self.total, exchange=self.movement.amount - self.total)

    def can_change_by(self, difference: Decimal) -> bool:
        """Return whether the total may change by a difference without falling below the posted amount."""
        return not self.is_fixed and self.total + difference >= self.posted


@dataclass
class _RateConverter:
    """Conversion of an order's movements in time order, with running sums in both currencies.

    Attributes:
        totals: by Shopify id, the totals of the order's documents, credit notes negative.
        refund_documents: by transaction, the document of the transaction's refund.
        paid: by direction, the money so far, at the rate of the order.
        open_credit: by Shopify id, the open amount of partly refunded credit notes.
        at_other_rates: transactions that moved another amount than they settle.
        is_tax_withheld: whether money settled everything but the tax that the sales channel remits.
    """

    context: OrderContext
    bookings: Sequence[BookedAgreement]
    totals: Mapping[str, AmountPair]
    refund_documents: Mapping[str, AnyDocument]
    paid: dict[Direction, AmountPair] = field(
        default_factory=lambda: {Direction.IN: AmountPair(), Direction.OUT: AmountPair()}
    )
    open_credit: dict[str, AmountPair] = field(default_factory=dict)
    at_other_rates: set[str] = field(default_factory=set)
    is_tax_withheld: bool = False

    def convert(self, movement: CashMovement) -> _Conversion:
        """Return the conversion of a movement, and count the movement as paid."""
        credit = self._open_refund_credit(movement)
        conversion = self._posted_conversion(movement) or self._not_below_posted(self._new_conversion(movement, credit))
        if conversion.total != movement.amount:
            self.at_other_rates.add(movement.transaction_id)
        amounts = AmountPair(conversion.total, movement.presentment or ZERO)
        self.paid[movement.direction] += amounts
        if credit:
            self.open_credit[self.refund_documents[movement.transaction_id].shopify_id] = credit - amounts
        return conversion

    def assign_remainder(self, conversions: Sequence[_Conversion]) -> None:
        """Add the remainder in the shop's currency to the last suitable movement, if none remains in the customer's.

        Odd cents come from conversion. A larger remainder belongs to money that nothing explained when it moved,
        because the order was credited afterwards.
        """
        withheld = channel_taxes(self.context, self.context.agreements) if self.is_tax_withheld else AmountPair()
        remainder = sum(self.totals.values(), AmountPair()) - self._net_paid - withheld
        if remainder.presentment or not remainder.shop:
            return
        # Each sale and each movement can be off by one unit.
        roundings = len(self.context.sales) + len(conversions)
        is_odd = abs(remainder.shop) <= smallest_unit(self.context.currency) * roundings
        for conversion in reversed(conversions):
            sign = conversion.movement.sign
            difference = remainder.shop * sign
            if conversion.can_change_by(difference) and (is_odd or not conversion.is_explained):
                conversion.total += difference
                self.paid[conversion.movement.direction] += remainder.times(sign)
                return

    @property
    def _net_paid(self) -> AmountPair:
        return self.paid[Direction.IN] - self.paid[Direction.OUT]

    def _new_conversion(self, movement: CashMovement, credit: AmountPair | None) -> _Conversion:
        """Return the conversion of a movement that settles a target exactly, in part, or with an excess.

        Args:
            movement: money as it moved.
            credit: the open amount of the credit note of its own refund.
        """
        amount = movement.presentment or ZERO
        targets = [*self._due_amounts(movement), *([credit] if credit else [])]
        for target in targets:
            if amount == target.presentment > 0:
                return _Conversion(movement, target.shop, is_explained=True)
        for total in (self._share(movement, targets), self._total_with_excess(movement, targets)):
            if total is not None and abs(total - movement.amount) > self._conversion_limit:
                return _Conversion(movement, total, is_explained=True)
        return _Conversion(movement, movement.amount, is_explained=False)

    @property
    def _conversion_limit(self) -> Decimal:
        return CONVERSION_UNITS * smallest_unit(self.context.currency)

    def _share(self, movement: CashMovement, targets: Sequence[AmountPair]) -> Decimal | None:
        """Return a partial movement's share of the largest target; None unless its rate is known to differ."""
        amount = movement.presentment or ZERO
        whole = max([*targets, self._open_total(movement)], key=lambda target: target.presentment)
        is_part = 0 < amount <= whole.presentment
        if not is_part or not has_another_rate(self.context, movement.transaction_id, self.at_other_rates):
            return None
        return round_half_up(whole.shop * amount / whole.presentment, self.context.currency)

    def _total_with_excess(self, movement: CashMovement, targets: Sequence[AmountPair]) -> Decimal | None:
        """Return the largest target plus the excess as it moved; None if conversion alone explains the excess."""
        amount = movement.presentment or ZERO
        whole = max(targets, key=lambda target: target.presentment)
        if not 0 < whole.presentment < amount:
            return None
        excess = round_half_up(movement.amount * (amount - whole.presentment) / amount, self.context.currency)
        return whole.shop + excess if abs(excess) > self._conversion_limit else None

    def _open_total(self, movement: CashMovement) -> AmountPair:
        """Return the unsettled total of the invoices, or of the credit notes, that exist when a movement happens."""
        documents = [booking.document for booking in self._existing_at(movement) if booking.document is not None]
        totals = [self.totals[document.shopify_id] for document in documents if document.kind is movement.side]
        return sum(totals, AmountPair()).times(movement.sign) - self.paid[movement.direction]

    def _not_below_posted(self, conversion: _Conversion) -> _Conversion:
        payments = self.context.posted_payments(conversion.movement.transaction_id)
        posted = sum((payment.amount for payment in payments), ZERO)
        least = min(posted, conversion.movement.amount)
        return replace(conversion, total=max(conversion.total, least), posted=least)

    def _posted_conversion(self, movement: CashMovement) -> _Conversion | None:
        """Return the conversion of an earlier run that posted a document for the difference or an uncovered refund."""
        exchange, uncovered = (
            self.context.posted_document(letter + movement.transaction_id) for letter in (EXCHANGE, UNCOVERED_REFUND)
        )
        if exchange is None and uncovered is None:
            return None
        difference = ZERO
        if exchange is not None:
            difference = exchange.total if exchange.kind is movement.side else -exchange.total
        return _Conversion(movement, movement.amount - difference, is_explained=True, is_fixed=True)

    def _due_amounts(self, movement: CashMovement) -> list[AmountPair]:
        """Return the amounts due with and without agreements of a movement's instant, each also less channel tax."""
        due, less_tax = [], []
        for bookings in (self._existing_at(movement), self._existing_at(movement, is_before=True)):
            document_ids = [booking.document.shopify_id for booking in bookings if booking.document is not None]
            balance = sum((self.totals[document_id] for document_id in document_ids), AmountPair()) - self._net_paid
            tax = channel_taxes(self.context, [booking.agreement for booking in bookings])
            due.append(balance.times(movement.sign))
            less_tax.append((balance - tax).times(movement.sign))
        only_less_tax = {amount.presentment for amount in less_tax} - {amount.presentment for amount in due}
        self.is_tax_withheld |= movement.presentment in only_less_tax
        return [*less_tax, *due] if self.is_tax_withheld else [*due, *less_tax]

    def _open_refund_credit(self, movement: CashMovement) -> AmountPair | None:
        """Return the open amount of the credit note of a movement's own refund, before the movement."""
        document = self.refund_documents.get(movement.transaction_id)
        if document is None or document.kind is not movement.side:
            return None
        return self.open_credit.setdefault(document.shopify_id, self.totals[document.shopify_id].times(-1))

    def _existing_at(self, movement: CashMovement, *, is_before: bool = False) -> list[BookedAgreement]:
        """Return the agreements that count for a movement: the first, that of its own refund, and all earlier ones."""
        refund_document = self.refund_documents.get(movement.transaction_id)
        bookings = []
        for booking in self.bookings:
            at = booking.agreement.happened_at
            is_past = at < movement.moved_at if is_before else at <= movement.moved_at
            is_main = self.context.is_main(booking.agreement)
            if is_past or is_main or (booking.document is not None and booking.document is refund_document):
                bookings.append(booking)
        return bookings
