"""Exchange differences: the customer pays in another currency, and its rate is another one when money moves.

Only their reckoning belongs here (docs/books.md, Currencies). Documents stand at the rate of the order. Money that is
captured or refunded later is converted at the rate of its own day, so that in the shop's currency it differs from what
it settles. The difference is explained where money settles exactly what is due in the customer's currency when it
moves, or where Shopify states that the rate moved (`rates.py`). What neither explains stays money without a document.
It is decided at the moment money moves, so that what happens to the order later changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import SIDE, CashMovement, Direction, pending_refunds
from shopify_xero_pipeline.books.currency import ZERO, round_half_up, smallest_unit
from shopify_xero_pipeline.books.documents import AnyDocument, BookedAgreement
from shopify_xero_pipeline.books.numbering import EXCHANGE, UNCOVERED_REFUND
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.rates import check_stated_difference, has_another_rate
from shopify_xero_pipeline.books.two_currencies import AmountPair, channel_taxes, totals

ODD_CENTS = 2
"""Amounts up to so many of a currency's smallest units may come of conversion alone."""


@dataclass(frozen=True)
class ConvertedMovements:
    """Money at the rate of the order. `moved` carry their exchange differences, `pending` are refunds under way."""

    movements: Sequence[CashMovement]
    pending: Mapping[str, Decimal]


def convert_at_order_rate(
    case: OrderContext, booked: Sequence[BookedAgreement], own: Mapping[str, AnyDocument], moved: Sequence[CashMovement]
) -> ConvertedMovements:
    """Return an order's money with the exchange differences that Shopify's figures explain; none in one currency.

    Args:
        case: the order.
        booked: its agreements, in order.
        own: by transaction, the document of the refund it belongs to.
        moved: its money, in time order.

    Raises:
        Blocked: Shopify states another difference than the one that settles the order.
    """
    pending = pending_refunds(case)
    sums = totals(case, booked)
    if sums is None or any(movement.presentment is None for movement in moved):
        return ConvertedMovements(moved, {movement.transaction_id: movement.amount for movement in pending})
    order = _Settlement(case, booked, sums, own)
    parts = [order.settle(movement) for movement in moved]
    order.share_what_is_off(parts)
    for part in parts:
        if not part.is_fixed:
            check_stated_difference(case, part.movement, part.total)
    waiting = {movement.transaction_id: order.settle(movement).total for movement in pending}
    return ConvertedMovements([part.converted() for part in parts], waiting)


@dataclass
class _Part:
    """Money that moved, and what it settles in the shop's currency.

    `is_explained` if that may be another amount than moved. `is_fixed` if an earlier run posted a document for the
    difference, or one for an uncovered refund. `posted` is what earlier runs posted on documents of the order.
    """

    movement: CashMovement
    total: Decimal
    is_explained: bool
    is_fixed: bool = False
    posted: Decimal = ZERO

    def converted(self) -> CashMovement:
        """Return the movement with its exchange difference."""
        return replace(self.movement, amount=self.total, exchange=self.movement.amount - self.total)

    def can_take(self, more: Decimal) -> bool:
        """Return whether it may settle so much more, or less: what is posted stays."""
        return not self.is_fixed and self.total + more >= self.posted


@dataclass
class _Settlement:
    """An order that is settled in time order, in both currencies.

    Attributes:
        totals: of its documents by Shopify id, credit notes negative.
        own: by transaction, the document of the refund it belongs to.
        paid: money so far by direction, at the rate of the order.
        left: of credit notes that money has settled in part.
        at_other_rates: transactions that moved another amount than they settle.
        is_tax_withheld: money settled all but the tax that the sales channel remits.
    """

    case: OrderContext
    booked: Sequence[BookedAgreement]
    totals: Mapping[str, AmountPair]
    own: Mapping[str, AnyDocument]
    paid: dict[Direction, AmountPair] = field(
        default_factory=lambda: {Direction.IN: AmountPair(), Direction.OUT: AmountPair()}
    )
    left: dict[str, AmountPair] = field(default_factory=dict)
    at_other_rates: set[str] = field(default_factory=set)
    is_tax_withheld: bool = False

    def settle(self, movement: CashMovement) -> _Part:
        """Return what a movement settles, and count it as paid."""
        own = self._left_of_own(movement)
        part = self._fixed(movement) or self._not_below_posted(self._part(movement, own))
        if part.total != movement.amount:
            self.at_other_rates.add(movement.transaction_id)
        settled = AmountPair(part.total, movement.presentment or ZERO)
        self.paid[movement.direction] += settled
        if own:
            self.left[self.own[movement.transaction_id].shopify_id] = own - settled
        return part

    def share_what_is_off(self, parts: Sequence[_Part]) -> None:
        """Give what is off to the last money that can take it, where nothing is left to pay in the customer's currency.

        Odd cents come of conversion. More is of money that nothing explained when it moved, as the rest was credited
        only afterwards.
        """
        withheld = channel_taxes(self.case, self.case.agreements) if self.is_tax_withheld else AmountPair()
        left = sum(self.totals.values(), AmountPair()) - self._net_paid - withheld
        if left.presentment or not left.shop:
            return
        rows = sum(len(entry.sales) for entry in self.case.agreements)
        is_odd = abs(left.shop) <= smallest_unit(self.case.currency) * (rows + len(parts))
        for part in reversed(parts):
            more = left.shop * _sign(part.movement)
            if part.can_take(more) and (is_odd or not part.is_explained):
                part.total += more
                self.paid[part.movement.direction] += left.times(_sign(part.movement))
                return

    @property
    def _net_paid(self) -> AmountPair:
        return self.paid[Direction.IN] - self.paid[Direction.OUT]

    def _part(self, movement: CashMovement, own: AmountPair | None) -> _Part:
        """Return what a movement settles: a target exactly, its share of one, or one with what goes beyond it.

        Args:
            movement: money as it moved.
            own: what is left of the credit note of its own refund.
        """
        amount = movement.presentment or ZERO
        targets = [*self._due(movement), *([own] if own else [])]
        for target in targets:
            if amount == target.presentment > 0:
                return _Part(movement, target.shop, is_explained=True)
        odd = ODD_CENTS * smallest_unit(self.case.currency)
        for total in (self._share(movement, targets), self._with_beyond(movement, targets)):
            if total is not None and abs(total - movement.amount) > odd:
                return _Part(movement, total, is_explained=True)
        return _Part(movement, movement.amount, is_explained=False)

    def _share(self, movement: CashMovement, targets: Sequence[AmountPair]) -> Decimal | None:
        """Return the share of a part payment or refund, if the rate is known to have moved."""
        amount = movement.presentment or ZERO
        whole = max([*targets, self._room(movement)], key=lambda target: target.presentment)
        is_part = 0 < amount <= whole.presentment
        if not is_part or not has_another_rate(self.case, movement.transaction_id, self.at_other_rates):
            return None
        return round_half_up(whole.shop * amount / whole.presentment, self.case.currency)

    def _with_beyond(self, movement: CashMovement, targets: Sequence[AmountPair]) -> Decimal | None:
        """Return all that was due, with what goes beyond it as it moved; None where that is conversion alone."""
        amount = movement.presentment or ZERO
        whole = max(targets, key=lambda target: target.presentment)
        if not 0 < whole.presentment < amount:
            return None
        beyond = round_half_up(movement.amount * (amount - whole.presentment) / amount, self.case.currency)
        return whole.shop + beyond if abs(beyond) > ODD_CENTS * smallest_unit(self.case.currency) else None

    def _room(self, movement: CashMovement) -> AmountPair:
        """Return what invoices, or credit notes, come to so far that no money has settled."""
        documents = [entry.document for entry in self._known_at(movement) if entry.document is not None]
        totals = [self.totals[one.shopify_id] for one in documents if one.kind is SIDE[movement.direction]]
        return sum(totals, AmountPair()).times(_sign(movement)) - self.paid[movement.direction]

    def _not_below_posted(self, part: _Part) -> _Part:
        posted = [one.amount for one in self.case.ledger.payments if one.transaction_id == part.movement.transaction_id]
        least = min(sum(posted, ZERO), part.movement.amount)
        return replace(part, total=max(part.total, least), posted=least)

    def _fixed(self, movement: CashMovement) -> _Part | None:
        """Return what it settled in an earlier run that posted a document for its difference, or for no goods."""
        exchange, uncovered = (
            self.case.posted.get(self.case.document_id(letter + movement.transaction_id))
            for letter in (EXCHANGE, UNCOVERED_REFUND)
        )
        if exchange is None and uncovered is None:
            return None
        more = ZERO
        if exchange is not None:
            more = exchange.total if exchange.kind is SIDE[movement.direction] else -exchange.total
        return _Part(movement, movement.amount - more, is_explained=True, is_fixed=True)

    def _due(self, movement: CashMovement) -> list[AmountPair]:
        """Return what a movement may settle: what is due with the changes of its instant and without, and less tax."""
        due, less_tax = [], []
        for entries in (self._known_at(movement), self._known_at(movement, is_before=True)):
            documents = [entry.document.shopify_id for entry in entries if entry.document is not None]
            left = sum((self.totals[document_id] for document_id in documents), AmountPair()) - self._net_paid
            tax = channel_taxes(self.case, [entry.entry for entry in entries])
            due.append(left.times(_sign(movement)))
            less_tax.append((left - tax).times(_sign(movement)))
        only_less_tax = {one.presentment for one in less_tax} - {one.presentment for one in due}
        self.is_tax_withheld |= movement.presentment in only_less_tax
        return [*less_tax, *due] if self.is_tax_withheld else [*due, *less_tax]

    def _left_of_own(self, movement: CashMovement) -> AmountPair | None:
        """Return what is left of the credit note of a refund's own, before this money."""
        document = self.own.get(movement.transaction_id)
        if document is None or document.kind is not SIDE[movement.direction]:
            return None
        left = self.left.setdefault(document.shopify_id, self.totals[document.shopify_id].times(-1))
        return left if left.presentment > 0 else None

    def _known_at(self, movement: CashMovement, *, is_before: bool = False) -> list[BookedAgreement]:
        """Return the agreements that count when a movement comes: the first, its own, and those until then."""
        own = self.own.get(movement.transaction_id)
        found = []
        for entry in self.booked:
            at = entry.entry.happened_at
            is_past = at < movement.moved_at if is_before else at <= movement.moved_at
            is_main = self.case.main is not None and entry.entry.id == self.case.main.id
            if is_past or is_main or (entry.document is not None and entry.document is own):
                found.append(entry)
        return found


def _sign(movement: CashMovement) -> int:
    return 1 if movement.direction is Direction.IN else -1
