"""The gift-card liability of a month, as a roll-forward from the opening to the closing balance of the account in Xero.

Shopify's side comes from the movements of posted orders. Xero's side comes from every Invoice, Credit Note and Payment
on the account: those of compared orders from the comparison of their day, all others from the mirror. A posting without
a posted order is listed separately and is no difference. Manual journals and bank transactions are not read. Cards
issued by hand or sold before the start date are on neither side: their use is listed when it takes more from the
account than was added before.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from shopify_xero_pipeline.reconciliation.card_changes import LINE_OF_SECTION, REDEEMED, REFUNDED, SOLD, CardChange
from shopify_xero_pipeline.reconciliation.movements import AccountNames, FrozenModel, Movement
from shopify_xero_pipeline.reconciliation.rollup import group_by
from shopify_xero_pipeline.reconciliation.statements import NOTHING
from shopify_xero_pipeline.reconciliation.xero_movements import mirrored_postings
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES
from shopify_xero_pipeline.xero.models import kind_label

OPENING, CLOSING = "opening", "closing"
NO_ORDER_OUTCOME = "not in these books any more"
UNSOLD_REASON = "paid with a gift card that no order in these books sold"
SEVERAL_ORDERS = "several orders"

OrderLabel: TypeAlias = tuple[str, str]
"""The name and the outcome of an order."""


class RollLine(FrozenModel):
    """A line of the roll-forward. Shopify's side is None if Shopify does not have the figure."""

    what: str
    shopify: Decimal | None
    xero: Decimal


class OtherPosting(FrozenModel):
    """A posting that is listed separately. A positive `amount` adds to the liability."""

    posted: date
    what: str
    amount: Decimal
    why: str


class RollForward(FrozenModel):
    """A month's gift-card liability in one currency.

    Attributes:
        currency: the currency of all amounts.
        account: the code and name of the liability account.
        lines: the lines of the roll-forward.
        others: postings of the month without a posted order.
        unsold: uses of cards in the month that no order sold.
        unsold_so_far: the sum of all such uses up to the end of the month.
        began: the first day of the books, in the shop's time zone.
    """

    currency: str
    account: str
    lines: tuple[RollLine, ...]
    others: tuple[OtherPosting, ...]
    unsold: tuple[OtherPosting, ...] = ()
    unsold_so_far: Decimal = NOTHING
    began: date | None = None

    @property
    def agrees(self) -> bool:
        """Whether every line with both sides is equal."""
        return all(line.shopify == line.xero for line in self.lines if line.shopify is not None)

    @property
    def difference(self) -> Decimal:
        """The largest difference of a line with both sides."""
        distances = (abs(line.shopify - line.xero) for line in self.lines if line.shopify is not None)
        return max(distances, default=NOTHING)

    @property
    def note(self) -> str:
        """The explanation and remedy for cards that no order sold; empty if none was used."""
        if not self.unsold_so_far:
            return ""
        since = f" since {self.began}" if self.began is not None else ""
        return (
            f"{self.unsold_so_far:,.2f} was paid with gift cards that no order{since} sold: they were issued by hand in"
            f" Shopify, or sold before. Enter their issue value in Xero as a journal that credits {self.account};"
            " until then the account shows less than holders can spend, by that amount"
        )

    @property
    def has_activity(self) -> bool:
        """Whether the account ever had a posting."""
        return any(line.shopify or line.xero for line in self.lines)


@dataclass(frozen=True)
class _Change:
    """A change of the liability. `what` names its order or record; `other` is set if it has no posted order."""

    posted: date
    currency: str
    line: str
    amount: Decimal
    what: str = ""
    other: OtherPosting | None = None


@dataclass(frozen=True)
class LiabilityAccount:
    """The liability account in Xero.

    Args:
        code: `accounts.gift_cards` of `books.yaml`.
        base_currency: the currency of records without a currency.
        compared: the changes by the orders of the days that are compared with all their records.
        mirror: the other records that use the account; records that do not use it have no effect.
        mapped: Xero ids of those in the mapping.
        orders: the name and the outcome of each order of these records that was compared or is orphaned, by its id.
        posted_on: returns the records of compared orders that use the account on a date, each with the order's name.
    """

    code: str
    base_currency: str
    compared: Sequence[CardChange] = ()
    mirror: Sequence[MirrorRecord] = ()
    mapped: Collection[str] = ()
    orders: Mapping[str, OrderLabel] = field(default_factory=dict)
    posted_on: Callable[[date], Sequence[tuple[str, MirrorRecord]]] = lambda _: ()


def roll_forward(
    first: date,
    after: date,
    movements: Iterable[Movement],
    account: LiabilityAccount,
    account_names: AccountNames,
    began: date,
) -> list[RollForward]:
    """Return a month's gift-card liability for each currency, up to the day before `after`.

    Args:
        first: the first day of the month, in the shop's time zone.
        after: the first day of the next month.
        movements: the movements of all compared days, by date or by month.
        account: the account with its rows in the mirror.
        account_names: account names, and the accounts that hold tax.
        began: the first day of the books.
    """
    shopify_changes = _shopify_changes(movements, account.code)
    shopify = group_by((change.currency, change) for change in shopify_changes if change.posted < after)
    xero_changes = _xero_changes(account, account_names)
    xero = group_by((change.currency, change) for change in xero_changes if change.posted < after)
    return [
        _Builder(account, account_names, currency, first, began).build(shopify[currency], xero[currency])
        for currency in sorted({*shopify, *xero})
    ]


def _shopify_changes(movements: Iterable[Movement], code: str) -> Iterator[_Change]:
    for movement in movements:
        if movement.key == code and movement.side in LINE_OF_SECTION and movement.category:
            line, sign = LINE_OF_SECTION[movement.side]
            yield _Change(movement.posted, movement.currency, line, sign * movement.shopify)


def _xero_changes(account: LiabilityAccount, account_names: AccountNames) -> Iterator[_Change]:
    """Yield the changes of compared orders, and the postings of the other records.

    Args:
        account: the account in Xero.
        account_names: account names, and the accounts that hold tax.
    """
    for each in account.compared:
        yield _Change(each.posted, each.currency, each.line, each.amount)
    for row in account.mirror:
        order_id = order_of_row(row)
        name, outcome = account.orders.get(order_id, ("", "not compared yet"))
        reason = "" if outcome == "posted" else f"order {name or order_id} is {outcome}"
        if not order_id:
            reason = "its reference names no order"
        if row.xero_id not in account.mapped:
            reason = "not booked by this pipeline"
        what = f"{kind_label(row.kind)} {row.natural_key.strip('|')}"
        if name and not reason:
            what = name
        for change in _changes_of(row, account, account_names, what):
            other = OtherPosting(posted=change.posted, what=what, amount=change.amount, why=reason)
            yield replace(change, other=other) if reason else change


def _changes_of(
    row: MirrorRecord, account: LiabilityAccount, account_names: AccountNames, what: str
) -> Iterator[_Change]:
    """Yield the changes of the liability by a record in Xero; a voided or deleted one has none."""
    for posting in mirrored_postings(row, account_names) if row.status not in REMOVED_STATUSES else ():
        if posting.key == account.code and posting.side in LINE_OF_SECTION:
            line, sign = LINE_OF_SECTION[posting.side]
            currency = posting.currency or account.base_currency
            yield _Change(posting.posted, currency, line, sign * posting.amount, what)


def order_of_row(row: MirrorRecord) -> str:
    """Return the id of the order in the reference of a record; empty without one."""
    return next(iter(references.order_ids(row.reference)), "")


@dataclass(frozen=True)
class _Builder:
    """Builds the roll-forward of one currency; the other fields are those of `roll_forward`."""

    account: LiabilityAccount
    account_names: AccountNames
    currency: str
    first: date
    began: date

    def build(self, shopify: Sequence[_Change], xero: Sequence[_Change]) -> RollForward:
        """Return the roll-forward.

        Args:
            shopify: Shopify's changes up to the end of the month.
            xero: Xero's changes up to the end of the month.
        """
        others = [change.other for change in xero if change.other is not None]
        unsold = list(self._unsold_uses(xero))
        return RollForward(
            currency=self.currency,
            account=self.account_names.label(self.account.code),
            lines=tuple(self._lines(shopify, [change for change in xero if change.other is None], others)),
            others=tuple(other for other in others if other.posted >= self.first),
            unsold=tuple(use for use in unsold if use.posted >= self.first),
            unsold_so_far=-sum((use.amount for use in unsold), NOTHING),
            began=self.began,
        )

    def _lines(
        self, shopify: Sequence[_Change], posted: Sequence[_Change], others: Sequence[OtherPosting]
    ) -> Iterator[RollLine]:
        ours, theirs = _side_amounts(shopify, self.first), _side_amounts(posted, self.first)
        yield from (RollLine(what=what, shopify=ours[what], xero=theirs[what]) for what in ours)
        total = sum((other.amount for other in others), NOTHING)
        if others:
            earlier = sum((other.amount for other in others if other.posted < self.first), NOTHING)
            yield RollLine(what="by others, before", shopify=None, xero=earlier)
            yield RollLine(what="by others, this month", shopify=None, xero=total - earlier)
        yield RollLine(what="the account in Xero", shopify=None, xero=theirs[CLOSING] + total)

    def _unsold_uses(self, changes: Iterable[_Change]) -> Iterator[OtherPosting]:
        """Yield the amounts taken from the account beyond its balance; those of the month with the orders' names."""
        balance = NOTHING
        for posted, of_date in sorted(group_by((change.posted, change) for change in changes).items()):
            uses = _uses_of_date(of_date, balance)
            if uses and posted >= self.first:
                uses = self._by_order(posted, of_date, balance, uses)
            yield from uses
            balance += sum((change.amount for change in of_date), NOTHING) - sum(use.amount for use in uses)

    def _by_order(
        self, posted: date, of_date: Sequence[_Change], balance: Decimal, uses: list[OtherPosting]
    ) -> list[OtherPosting]:
        """Return the uses of a date order by order, or as they are if the records changed since the comparison.

        Args:
            posted: the date.
            of_date: the changes of the date.
            balance: the balance before the date.
            uses: the uses of the date, with those of compared orders as a sum.
        """
        orders = [
            change
            for name, row in self.account.posted_on(posted)
            for change in _changes_of(row, self.account, self.account_names, name)
            if change.currency == self.currency
        ]
        by_order = _uses_of_date([*orders, *(change for change in of_date if change.what)], balance)
        is_same = sum(use.amount for use in by_order) == sum(use.amount for use in uses)
        return by_order if is_same else uses


def _uses_of_date(changes: Iterable[_Change], balance: Decimal) -> list[OtherPosting]:
    """Return the amounts that a date takes from the account beyond its balance. Additions come before uses.

    Args:
        changes: the changes of the date.
        balance: the balance before the date.
    """
    uses = []
    for change in sorted(changes, key=lambda change: (change.amount < 0, change.what)):
        balance += change.amount
        if balance < 0:
            what = change.what or SEVERAL_ORDERS
            uses.append(OtherPosting(posted=change.posted, what=what, amount=balance, why=UNSOLD_REASON))
            balance = NOTHING
    return uses


def _side_amounts(changes: Iterable[_Change], first: date) -> dict[str, Decimal]:
    """Return one side's lines. The closing balance comes last and is summed independently of the lines."""
    lines = dict.fromkeys((OPENING, SOLD, REDEEMED, REFUNDED, CLOSING), NOTHING)
    for change in changes:
        lines[OPENING if change.posted < first else change.line] += change.amount
        lines[CLOSING] += change.amount
    return lines
