"""The gift-card liability of a month, as a roll-forward from the opening to the closing balance of the account in Xero.

Shopify's side comes from the movements of posted orders. Xero's side comes from every Invoice, Credit Note and Payment
on the account in the mirror. A posting without a posted order is listed separately and is no difference. Manual
journals and bank transactions are not read. Cards issued by hand or sold before the start date are on neither side:
their use is listed when it takes more from the account than was added before.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from shopify_xero_pipeline.reconciliation.movements import AccountNames, FrozenModel, Movement, StatementSection
from shopify_xero_pipeline.reconciliation.rollup import group_by
from shopify_xero_pipeline.reconciliation.statements import NOTHING
from shopify_xero_pipeline.reconciliation.xero_movements import mirrored_postings
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES
from shopify_xero_pipeline.xero.models import kind_label

OPENING, CLOSING = "opening", "closing"
NO_ORDER_OUTCOME = "not in these books any more"
SOLD, REDEEMED, REFUNDED = "sold, less taken back", "redeemed", "refunded to cards"
LINE_ORDER = (SOLD, REFUNDED, REDEEMED)
UNSOLD_REASON = "paid with a gift card that no order in these books sold"
LINE_OF_SECTION = {
    StatementSection.SALES: (SOLD, 1),
    StatementSection.TAX: (SOLD, 1),
    StatementSection.PAYMENTS: (REDEEMED, -1),
    StatementSection.REFUNDS: (REFUNDED, 1),
}

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
    """The liability account with its rows in the mirror.

    Args:
        code: `accounts.gift_cards` of `books.yaml`.
        mirror: rows of the mirror, at least all that use the account.
        mapped: Xero ids of the records in the mapping.
        orders: the name and the outcome of each order of these records that was compared or is orphaned, by its id.
        base_currency: the currency of records without a currency.
    """

    code: str
    mirror: Sequence[MirrorRecord]
    mapped: Collection[str]
    orders: Mapping[str, OrderLabel]
    base_currency: str


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
    label = account_names.label(account.code)
    return [
        _roll_forward_in(currency, label, shopify[currency], xero[currency], first, began)
        for currency in sorted({*shopify, *xero})
    ]


def _shopify_changes(movements: Iterable[Movement], code: str) -> Iterator[_Change]:
    for movement in movements:
        if movement.key == code and movement.side in LINE_OF_SECTION and movement.category:
            line, sign = LINE_OF_SECTION[movement.side]
            yield _Change(movement.posted, movement.currency, line, sign * movement.shopify)


def _xero_changes(account: LiabilityAccount, account_names: AccountNames) -> Iterator[_Change]:
    """Yield the postings on the account in Xero.

    Args:
        account: the account with its rows in the mirror.
        account_names: account names, and the accounts that hold tax.
    """
    for row in account.mirror:
        if row.status in REMOVED_STATUSES:
            continue
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
        for posting in mirrored_postings(row, account_names):
            if posting.key == account.code and posting.side in LINE_OF_SECTION:
                line, sign = LINE_OF_SECTION[posting.side]
                amount = sign * posting.amount
                other = OtherPosting(posted=posting.posted, what=what, amount=amount, why=reason) if reason else None
                yield _Change(posting.posted, posting.currency or account.base_currency, line, amount, what, other)


def order_of_row(row: MirrorRecord) -> str:
    """Return the id of the order in the reference of a record; empty without one."""
    return next(iter(references.order_ids(row.reference)), "")


def _roll_forward_in(
    currency: str, account: str, shopify: Sequence[_Change], xero: Sequence[_Change], first: date, began: date
) -> RollForward:
    others = [change.other for change in xero if change.other is not None]
    sides = [_side_amounts(changes, first) for changes in (shopify, [entry for entry in xero if entry.other is None])]
    lines = [RollLine(what=what, shopify=sides[0][what], xero=sides[1][what]) for what in sides[0]]
    total = sum((other.amount for other in others), NOTHING)
    earlier = sum((other.amount for other in others if other.posted < first), NOTHING)
    if others:
        lines.append(RollLine(what="by others, before", shopify=None, xero=earlier))
        lines.append(RollLine(what="by others, this month", shopify=None, xero=total - earlier))
    lines.append(RollLine(what="the account in Xero", shopify=None, xero=sides[1][CLOSING] + total))
    unsold = list(_unsold_uses(xero))
    return RollForward(
        currency=currency,
        account=account,
        lines=tuple(lines),
        others=tuple(other for other in others if other.posted >= first),
        unsold=tuple(use for use in unsold if use.posted >= first),
        unsold_so_far=-sum((use.amount for use in unsold), NOTHING),
        began=began,
    )


def _unsold_uses(changes: Iterable[_Change]) -> Iterator[OtherPosting]:
    """Yield the amounts taken from the account beyond its balance. On one day, additions come before uses."""
    balance = NOTHING
    for change in sorted(changes, key=lambda change: (change.posted, LINE_ORDER.index(change.line), change.what)):
        balance += change.amount
        if balance < 0:
            yield OtherPosting(posted=change.posted, what=change.what, amount=balance, why=UNSOLD_REASON)
            balance = NOTHING


def _side_amounts(changes: Iterable[_Change], first: date) -> dict[str, Decimal]:
    """Return one side's lines. The closing balance comes last and is summed independently of the lines."""
    lines = dict.fromkeys((OPENING, SOLD, REDEEMED, REFUNDED, CLOSING), NOTHING)
    for change in changes:
        lines[OPENING if change.posted < first else change.line] += change.amount
        lines[CLOSING] += change.amount
    return lines
