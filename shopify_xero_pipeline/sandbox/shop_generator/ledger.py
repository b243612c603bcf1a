"""One order's state and the only ways to change it: charges, the append-only sales ledger, money and refunds.

Arithmetic is Shopify's (docs/contracts/shopify_orders.md §4.9, §4.10, docs/contracts/shopify.md E13-E19): every header
figure is derived from the charges, the ledger's rows and the successful transactions, never set. No randomness, no
calendar, no nodes: when things happen and what they look like in the API is decided elsewhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Discount, Portion
from shopify_xero_pipeline.sandbox.shop_generator.money import ZERO, Amount, Currencies, both, total

_IDS_PER_ORDER = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the sales ledger; `total` includes tax in both tax modes, `taxes` go with the charge's taxes."""

    serial: int
    line_type: str
    action: str
    quantity: int | None
    total: Amount
    taxes: tuple[Amount, ...] = ()
    discount: Amount = ZERO
    charge: Charge | None = None

    @property
    def tax(self) -> Amount:
        """All taxes of the row."""
        return total(self.taxes)


@dataclass(frozen=True, slots=True)
class Agreement:
    """An entry of the ledger: ORDER, ORDER_EDIT, REFUND or RETURN with its rows."""

    serial: int
    at: datetime
    reason: str
    rows: tuple[Row, ...]
    refund: "Refund | None" = None


@dataclass(slots=True, eq=False)
class Transaction:
    """A movement of money or an attempt; only its status and the instant it was processed change afterwards.

    Attributes:
        amount: What it settles of the order, at the order's own rate.
        converted: What moved, where the customer's money was converted at another rate.
    """

    serial: int
    kind: str
    status: str
    gateway: str
    amount: Amount
    at: datetime
    parent: "Transaction | None" = None
    rounding: Amount | None = None
    processed_at: datetime | None = None
    converted: Amount | None = None

    def __post_init__(self) -> None:
        if self.status != "PENDING":
            self.processed_at = self.at

    @property
    def money(self) -> Amount:
        """What moved."""
        return self.amount if self.converted is None else self.converted

    @property
    def at_parents_rate(self) -> int | None:
        """The shop's cents of it as its parent was converted; None if it has no parent or no rate moved."""
        if self.parent is None or (self.converted is None and self.parent.converted is None):
            return None
        parent = self.parent.money
        cents = (2 * self.money.presentment * parent.shop + parent.presentment) // (2 * parent.presentment)
        return cents if cents != self.money.shop else None

    def settle(self, at: datetime, status: str = "SUCCESS") -> None:
        """What was pending is through, or has failed, under the same id."""
        self.status, self.processed_at = status, at


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units of a charge taken back by a refund."""

    serial: int
    charge: Charge
    portion: Portion
    restock_type: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a refund differs by from its lines: positive when less was paid back than calculated."""

    serial: int
    amount: Amount
    reason: str


@dataclass(slots=True, eq=False)
class Refund:
    """A refund record; money moved only if one of its transactions succeeded."""

    serial: int
    at: datetime
    lines: list[RefundLine] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """An order as it stands: what was charged, what the sales ledger says, what was paid.

    Attributes:
        serial: The order's id in digits; its records' ids are counted on from it.
        currencies: The shop's and the customer's currency.
        taxes_included: Whether prices contain tax.
        kept_back: The tax a sales channel kept of the payment, to remit it itself; the order counts as paid without it.
        rate: What the customer's currency costs now, in 1/10,000 of the shop's; None while it is the order's own.
    """

    serial: int
    currencies: Currencies
    taxes_included: bool = True
    charges: list[Charge] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    kept_back: Amount = ZERO
    rate: int | None = None
    _last_id: int = 0

    def next_id(self) -> int:
        """A fresh id for a record of this order, never used by another order."""
        self._last_id += 1
        return (self.serial % 10**9) * _IDS_PER_ORDER + self._last_id

    # What happened ---------------------------------------------------------------------------------------------------

    def place(self, at: datetime) -> None:
        """Write the ORDER agreement over every charge so far."""
        self.agree(at, "ORDER", [self._sold(charge) for charge in self.charges])

    def take_back(
        self, at: datetime, units: Iterable[tuple[Charge, int]], restock_type: str = "RETURN"
    ) -> tuple[Refund, list[Row]]:
        """Open a refund of units of charges; its rows stay out of the ledger until an agreement takes them in."""
        refund, rows = Refund(self.next_id(), at), []
        for charge, count in units:
            portion = self._take(charge, count)
            refund.lines.append(RefundLine(self.next_id(), charge, portion, restock_type))
            rows.append(self._returned(charge, portion))
        self.refunds.append(refund)
        return refund, rows

    def give_back(self, at: datetime, charge: Charge, net: Amount) -> tuple[Refund, list[Row]]:
        """Open a refund of a share of a charge's net price; its row waits for an agreement, as with `take_back`."""
        portion = charge.part(net)
        charge.part_gone += net
        refund = Refund(self.next_id(), at, [RefundLine(self.next_id(), charge, portion, "NO_RESTOCK")])
        self.refunds.append(refund)
        return refund, [self._returned(charge, portion)]

    def remove(self, charge: Charge) -> Row:
        """Take a whole charge off the order; unlike with goods no refund tells of it."""
        charge.removed = True
        return self._returned(charge, self._take(charge, charge.quantity - charge.gone))

    def change(self, charge: Charge, less: Amount, *, only_tax: bool = False) -> Row:
        """Charge less of what was sold before: off its net price with the taxes on that, or of its taxes alone."""
        if only_tax:
            taxes = tuple(-tax for tax in charge.tax_amounts)
            return Row(self.next_id(), charge.line_type, "UPDATE", None, total(taxes), taxes, ZERO, charge)
        portion = charge.part(less)
        taxes = tuple(-tax for tax in portion.taxes)
        return Row(self.next_id(), charge.line_type, "UPDATE", None, -portion.total, taxes, -less, charge)

    def adjust(self, refund: Refund, amount: Amount, reason: str = "REFUND_DISCREPANCY") -> list[Row]:
        """Add a discrepancy to a refund; returns its ledger row, or none for nothing."""
        if not amount:
            return []
        refund.adjustments.append(Adjustment(self.next_id(), amount, reason))
        return [Row(self.next_id(), "ADJUSTMENT", "RETURN", None, amount)]

    def agree(
        self, at: datetime, reason: str, rows: list[Row], added: Iterable[Charge] = (), refund: Refund | None = None
    ) -> None:
        """Write an agreement: rows of what came back and charges that went out, which are on the order from now on."""
        sold = [self._sold(charge) for charge in added]
        self.charges.extend(added)
        self.agreements.append(Agreement(self.next_id(), at, reason, tuple(rows + sold), refund))

    def move(self, transaction: Transaction, refund: Refund | None = None) -> Transaction:
        """Record a transaction, with a refund also as the refund's own."""
        if self.rate is not None:
            transaction.converted = self.currencies.at(transaction.amount, self.rate)
        self.transactions.append(transaction)
        if refund is not None:
            refund.transactions.append(transaction)
        return transaction

    def pay_back(self, refund: Refund, amount: Amount, status: str = "SUCCESS", at: datetime | None = None) -> None:
        """Record refund transactions over the payments they go back to, oldest payment first."""
        left = amount
        for payment in [t for t in self.transactions if t.status == "SUCCESS" and t.kind in ("SALE", "CAPTURE")]:
            part = both(min, left, self.refundable(payment))
            if part.shop > 0:
                back = Transaction(self.next_id(), "REFUND", status, payment.gateway, part, at or refund.at, payment)
                self.move(back, refund)
                left = left - part
        if left:
            raise ValueError(f"order {self.serial}: a refund of {amount} is more than was paid")

    # How it stands ---------------------------------------------------------------------------------------------------

    def refundable(self, payment: Transaction) -> Amount:
        """What of a payment has not gone back yet."""
        back = ("REFUND", "CHANGE")
        gone = (
            t
            for t in self.transactions
            if t.parent is payment and t.kind in back and t.status in ("SUCCESS", "PENDING")
        )
        return payment.amount - total(t.amount for t in gone)

    def rows(self) -> Iterator[Row]:
        """Every row of the ledger so far."""
        return (row for agreement in self.agreements for row in agreement.rows)

    def moved(self, *kinds: str) -> Amount:
        """The sum of the successful transactions of some kinds."""
        return total(t.money for t in self._done(*kinds))

    def settled(self, *kinds: str) -> Amount:
        """What the successful transactions of some kinds settle of the order, at its own rate."""
        return total(t.amount for t in self._done(*kinds))

    def _done(self, *kinds: str) -> Iterator[Transaction]:
        return (t for t in self.transactions if t.kind in kinds and t.status == "SUCCESS")

    @property
    def original_total(self) -> Amount:
        """The total when the order was placed."""
        return total(row.total for row in self.agreements[0].rows)

    @property
    def grand_total(self) -> Amount:
        """Everything ever sold on the order, before returns: it grows with edits."""
        return total(charge.total for charge in self.charges)

    @property
    def current_total(self) -> Amount:
        """What the ledger adds up to now."""
        return total(row.total for row in self.rows())

    @property
    def received(self) -> Amount:
        """Money that came in and stayed: change handed out is not received."""
        return self.moved("SALE", "CAPTURE") - self.moved("CHANGE")

    @property
    def net_payment(self) -> Amount:
        """Received less refunded."""
        return self.received - self.moved("REFUND")

    @property
    def outstanding(self) -> Amount:
        """What is still to be paid; negative is owed to the customer. Rates that moved make no difference to it."""
        paid = self.settled("SALE", "CAPTURE") - self.settled("REFUND", "CHANGE")
        return self.current_total - paid - self.kept_back

    @property
    def capturable(self) -> Amount:
        """What is authorised and neither captured nor voided yet."""
        return self.moved("AUTHORIZATION") - self.moved("CAPTURE", "VOID") if self.moved("AUTHORIZATION") else ZERO

    def charged(self, *line_types: str) -> list[Charge]:
        """The charges of some line types, in the order they were made."""
        return [charge for charge in self.charges if charge.line_type in line_types]

    def financial_status(self, cancelled: bool) -> str:
        """The status the admin displays, from successful transactions only (E19)."""
        if self.received.shop <= 0:
            return self._status_unpaid(cancelled)
        refunded = self.moved("REFUND")
        if refunded.shop > 0:
            whole = refunded.presentment >= self.received.presentment
            return "REFUNDED" if whole else "PARTIALLY_REFUNDED"
        return "PAID" if self.outstanding.shop <= 0 else "PARTIALLY_PAID"

    def _status_unpaid(self, cancelled: bool) -> str:
        if not self.original_total and not self.grand_total:
            return "PAID"
        if cancelled or self.moved("VOID"):
            return "VOIDED"
        return "AUTHORIZED" if self.moved("AUTHORIZATION") else "PENDING"

    # Rows ------------------------------------------------------------------------------------------------------------

    def _sold(self, charge: Charge) -> Row:
        return self._row(charge, charge.portion(0, charge.quantity), "ORDER", 1)

    def _take(self, charge: Charge, units: int) -> Portion:
        portion = charge.portion(charge.gone, units)
        charge.gone += units
        return portion

    def _returned(self, charge: Charge, portion: Portion) -> Row:
        return self._row(charge, portion, "RETURN", -1)

    def _row(self, charge: Charge, portion: Portion, action: str, sign: int) -> Row:
        taxes = tuple(tax * sign for tax in portion.taxes)
        quantity, discount = portion.units * sign, portion.discount * sign
        return Row(self.next_id(), charge.line_type, action, quantity, portion.total * sign, taxes, discount, charge)
