"""The state of one order and the operations on it: charges, the append-only sales ledger, money and refunds.

Arithmetic is Shopify's (docs/contracts/shopify_orders.md §4.9, §4.10, docs/contracts/shopify.md E13-E19): every header
figure is derived from charges, ledger rows and successful transactions, and never set. Times are chosen in
`scenario.py`, nodes are built in `render.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Discount, Portion
from shopify_xero_pipeline.sandbox.shop_generator.money import ZERO, Amount, Currencies, both, total

_IDS_PER_ORDER = 10_000  # the range of ids reserved for an order


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the sales ledger; `total` includes tax in both tax modes, `taxes` follow the charge's taxes."""

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
    """An entry of the ledger with its rows: ORDER, ORDER_EDIT, REFUND or RETURN."""

    serial: int
    at: datetime
    reason: str
    rows: tuple[Row, ...]
    refund: "Refund | None" = None


@dataclass(slots=True, eq=False)
class Transaction:
    """A movement of money or an attempt; only its status and processing instant change later.

    Attributes:
        amount: what it settles of the order, at the order's rate.
        converted: what moved, if the customer's money was converted at another rate.
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
        """The amount that moved."""
        return self.amount if self.converted is None else self.converted

    @property
    def at_parents_rate(self) -> int | None:
        """Its amount in the shop's cents at its parent's rate; None without a parent or without a change of rate."""
        if self.parent is None or (self.converted is None and self.parent.converted is None):
            return None
        parent = self.parent.money
        cents = (2 * self.money.presentment * parent.shop + parent.presentment) // (2 * parent.presentment)
        return cents if cents != self.money.shop else None

    def settle(self, at: datetime, status: str = "SUCCESS") -> None:
        """Set the outcome of a pending transaction, under the same id."""
        self.status, self.processed_at = status, at


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Units of a charge that a refund takes back."""

    serial: int
    charge: Charge
    portion: Portion
    restock_type: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """The difference between a refund and its lines, positive if the refund is smaller."""

    serial: int
    amount: Amount
    reason: str


@dataclass(slots=True, eq=False)
class Refund:
    """A refund; money moved only if one of its transactions succeeded."""

    serial: int
    at: datetime
    lines: list[RefundLine] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """The state of an order: charges, sales ledger and payments.

    Attributes:
        serial: the order's id in digits; the ids of its records are counted from it.
        currencies: the shop's and the customer's currency.
        taxes_included: whether prices contain tax.
        withheld: the tax that a sales channel withheld to remit it itself; the order counts as paid without it.
        rate: the current price of the customer's currency in 1/10,000 of the shop's; None while it is the order's.
    """

    serial: int
    currencies: Currencies
    taxes_included: bool = True
    charges: list[Charge] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    withheld: Amount = ZERO
    rate: int | None = None
    _last_id: int = 0

    def next_id(self) -> int:
        """Return a new id for a record of this order; no other order uses it."""
        self._last_id += 1
        return (self.serial % 10**9) * _IDS_PER_ORDER + self._last_id

    # Events ----------------------------------------------------------------------------------------------------------

    def place(self, at: datetime) -> None:
        """Write the ORDER agreement over all charges."""
        self.agree(at, "ORDER", [self._sold(charge) for charge in self.charges])

    def take_back(
        self, at: datetime, units: Iterable[tuple[Charge, int]], restock_type: str = "RETURN"
    ) -> tuple[Refund, list[Row]]:
        """Open a refund of units of charges, with rows that are not in the ledger until `agree` adds them.

        Args:
            at: the instant of the refund, in UTC.
            units: charges with the number of units to take back.
            restock_type: Shopify's restock type of the refund lines.

        Returns:
            The refund and the ledger rows for its agreement.
        """
        refund, rows = Refund(self.next_id(), at), []
        for charge, count in units:
            portion = self._take(charge, count)
            refund.lines.append(RefundLine(self.next_id(), charge, portion, restock_type))
            rows.append(self._returned(charge, portion))
        self.refunds.append(refund)
        return refund, rows

    def give_back(self, at: datetime, charge: Charge, net: Amount) -> tuple[Refund, list[Row]]:
        """Open a refund of a share of a charge's net price; its row waits for `agree`, as with `take_back`.

        Args:
            at: the instant of the refund, in UTC.
            charge: the charge.
            net: the refunded part of its net price.
        """
        portion = charge.part(net)
        charge.part_gone += net
        refund = Refund(self.next_id(), at, [RefundLine(self.next_id(), charge, portion, "NO_RESTOCK")])
        self.refunds.append(refund)
        return refund, [self._returned(charge, portion)]

    def remove(self, charge: Charge) -> Row:
        """Remove a whole charge from the order; no refund records it, unlike with goods."""
        charge.removed = True
        return self._returned(charge, self._take(charge, charge.quantity - charge.gone))

    def change(self, charge: Charge, less: Amount, *, only_tax: bool = False) -> Row:
        """Return the ledger row that reduces a charge: by a net amount and its taxes, or by its taxes only.

        Args:
            charge: the charge.
            less: the net amount taken off.
            only_tax: whether to take off its taxes instead.
        """
        if only_tax:
            taxes = tuple(-tax for tax in charge.tax_amounts)
            return Row(self.next_id(), charge.line_type, "UPDATE", None, total(taxes), taxes, ZERO, charge)
        portion = charge.part(less)
        taxes = tuple(-tax for tax in portion.taxes)
        return Row(self.next_id(), charge.line_type, "UPDATE", None, -portion.total, taxes, -less, charge)

    def adjust(self, refund: Refund, amount: Amount, reason: str = "REFUND_DISCREPANCY") -> list[Row]:
        """Add a discrepancy to a refund; return its ledger row, or no row for zero.

        Args:
            refund: the refund.
            amount: the amount, positive if the refund is smaller than its lines.
            reason: Shopify's reason of the adjustment.
        """
        if not amount:
            return []
        refund.adjustments.append(Adjustment(self.next_id(), amount, reason))
        return [Row(self.next_id(), "ADJUSTMENT", "RETURN", None, amount)]

    def agree(
        self, at: datetime, reason: str, rows: list[Row], added: Iterable[Charge] = (), refund: Refund | None = None
    ) -> None:
        """Write an agreement over rows and new charges, which are on the order from then on.

        Args:
            at: the instant of the agreement, in UTC.
            reason: ORDER, ORDER_EDIT, REFUND or RETURN.
            rows: the rows of returned or changed charges.
            added: the charges that are added to the order.
            refund: the refund that the agreement belongs to.
        """
        sold = [self._sold(charge) for charge in added]
        self.charges.extend(added)
        self.agreements.append(Agreement(self.next_id(), at, reason, tuple(rows + sold), refund))

    def move(self, transaction: Transaction, refund: Refund | None = None) -> Transaction:
        """Record a transaction, for a refund also among the refund's own."""
        if self.rate is not None:
            transaction.converted = self.currencies.at(transaction.amount, self.rate)
        self.transactions.append(transaction)
        if refund is not None:
            refund.transactions.append(transaction)
        return transaction

    def pay_back(self, refund: Refund, amount: Amount, status: str = "SUCCESS", at: datetime | None = None) -> None:
        """Record refund transactions against the payments, oldest payment first.

        Args:
            refund: the refund that pays.
            amount: the amount to pay back.
            status: the status of the transactions.
            at: their instant in UTC; by default the refund's.

        Raises:
            ValueError: the amount exceeds the payments.
        """
        remaining = amount
        for payment in [t for t in self.transactions if t.status == "SUCCESS" and t.kind in ("SALE", "CAPTURE")]:
            part = both(min, remaining, self.refundable(payment))
            if part.shop > 0:
                back = Transaction(self.next_id(), "REFUND", status, payment.gateway, part, at or refund.at, payment)
                self.move(back, refund)
                remaining = remaining - part
        if remaining:
            raise ValueError(f"order {self.serial}: a refund of {amount} exceeds the payments")

    # State -----------------------------------------------------------------------------------------------------------

    def refundable(self, payment: Transaction) -> Amount:
        """Return the part of a payment that is not refunded yet."""
        back = ("REFUND", "CHANGE")
        gone = (
            t
            for t in self.transactions
            if t.parent is payment and t.kind in back and t.status in ("SUCCESS", "PENDING")
        )
        return payment.amount - total(t.amount for t in gone)

    def rows(self) -> Iterator[Row]:
        """Return all rows of the ledger in order."""
        return (row for agreement in self.agreements for row in agreement.rows)

    def moved(self, *kinds: str) -> Amount:
        """Return the sum of the successful transactions of the kinds."""
        return total(t.money for t in self._done(*kinds))

    def settled(self, *kinds: str) -> Amount:
        """Return what the successful transactions of the kinds settle, at the order's rate."""
        return total(t.amount for t in self._done(*kinds))

    def _done(self, *kinds: str) -> Iterator[Transaction]:
        return (t for t in self.transactions if t.kind in kinds and t.status == "SUCCESS")

    @property
    def original_total(self) -> Amount:
        """The total at the placement of the order."""
        return total(row.total for row in self.agreements[0].rows)

    @property
    def grand_total(self) -> Amount:
        """The total of all sales before returns; it grows with edits."""
        return total(charge.total for charge in self.charges)

    @property
    def current_total(self) -> Amount:
        """The current sum of the ledger."""
        return total(row.total for row in self.rows())

    @property
    def received(self) -> Amount:
        """Money received, less change."""
        return self.moved("SALE", "CAPTURE") - self.moved("CHANGE")

    @property
    def net_payment(self) -> Amount:
        """Received less refunded."""
        return self.received - self.moved("REFUND")

    @property
    def outstanding(self) -> Amount:
        """The amount still to be paid, negative if owed to the customer; changes of rate do not affect it."""
        paid = self.settled("SALE", "CAPTURE") - self.settled("REFUND", "CHANGE")
        return self.current_total - paid - self.withheld

    @property
    def capturable(self) -> Amount:
        """The authorised amount that is neither captured nor voided."""
        return self.moved("AUTHORIZATION") - self.moved("CAPTURE", "VOID") if self.moved("AUTHORIZATION") else ZERO

    def charged(self, *line_types: str) -> list[Charge]:
        """Return the charges of the line types, in the order of their creation."""
        return [charge for charge in self.charges if charge.line_type in line_types]

    def financial_status(self, cancelled: bool) -> str:
        """Return the displayed financial status, derived from successful transactions only (E19)."""
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
