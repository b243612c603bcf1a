"""The gift-card liability of a month, as a roll-forward from the opening to the closing balance of the account in Xero.

Shopify's side comes from the movements of posted orders. Xero's side comes from every Invoice, Credit Note and Payment
on the account in the mirror. A posting without a posted order is listed separately and is no difference. Manual
journals and bank transactions are not read. Cards issued by hand or sold before the start date are on neither side:
their use is listed when it takes more from the account than was added before.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.changes.compare import REMOVED_STATUSES
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import AccountNames, Movement, StatementSection
from shopify_xero_pipeline.reconciliation.statements import NOTHING
from shopify_xero_pipeline.reconciliation.xero_movements import Posting, mirrored_postings
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references

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


class RollLine(BaseModel):
    """A line of the roll-forward. Shopify's side is None if Shopify does not have the figure."""

    model_config = ConfigDict(frozen=True)

    what: str
    shopify: Decimal | None
    xero: Decimal


class OtherPosting(BaseModel):
    """A posting that is listed separately. A positive `amount` adds to the liability."""

    model_config = ConfigDict(frozen=True)

    posted: date
    what: str
    amount: Decimal
    why: str


class RollForward(BaseModel):
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

    model_config = ConfigDict(frozen=True)

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
        base_currency: the currency of records without a currency.
    """

    code: str
    mirror: Sequence[MirrorRecord]
    mapped: Collection[str]
    base_currency: str


@dataclass(frozen=True)
class _Month:
    """The days from `first` to the day before `after`, and the first day of the books."""

    first: date
    after: date
    began: date


def roll_forward(
    first: date,
    after: date,
    days: Sequence[DayReconciliation],
    account: LiabilityAccount,
    account_names: AccountNames,
    began: date,
) -> list[RollForward]:
    """Return a month's gift-card liability for each currency, up to the day before `after`.

    Args:
        first: the first day of the month, in the shop's time zone.
        after: the first day of the next month.
        days: all compared days.
        account: the account with its rows in the mirror.
        account_names: account names, and the accounts that hold tax.
        began: the first day of the books.
    """
    month, label = _Month(first, after, began), account_names.label(account.code)
    outcomes = {orphan.order_id: (orphan.order_name, NO_ORDER_OUTCOME) for day in days for orphan in day.orphans}
    outcomes |= {row.order_id: (row.order_name, row.outcome) for day in days for row in day.rows}
    shopify = [
        change for day in days for movement in day.movements if (change := _shopify_change(movement, account.code))
    ]
    xero = [change for row in account.mirror for change in _xero_changes(row, account, account_names, outcomes)]
    return [
        _roll_forward_in(currency, month, _in_currency(shopify, currency), _in_currency(xero, currency), label)
        for currency in sorted({change.currency for change in [*shopify, *xero] if change.posted < after})
    ]


def _shopify_change(movement: Movement, code: str) -> _Change | None:
    if movement.key != code or movement.side not in LINE_OF_SECTION or not movement.category:
        return None
    line, sign = LINE_OF_SECTION[movement.side]
    return _Change(movement.posted, movement.currency, line, sign * movement.shopify)


def _xero_changes(
    row: MirrorRecord, account: LiabilityAccount, account_names: AccountNames, outcomes: Mapping[str, tuple[str, str]]
) -> Iterable[_Change]:
    if row.status in REMOVED_STATUSES:
        return
    reason = _unposted_reason(row, account, outcomes)
    order_ids = references.order_ids(row.reference)
    order = outcomes[order_ids[0]][0] if order_ids and not reason else ""
    for posting in mirrored_postings(row, account_names):
        if posting.key == account.code and posting.side in LINE_OF_SECTION:
            yield _xero_change(posting, row, reason, order, posting.currency or account.base_currency)


def _xero_change(posting: Posting, row: MirrorRecord, reason: str, order: str, currency: str) -> _Change:
    line, sign = LINE_OF_SECTION[posting.side]
    amount = sign * posting.amount
    name = order or f"{row.kind.replace('_', ' ')} {row.natural_key.strip('|')}"
    other = OtherPosting(posted=posting.posted, what=name, amount=amount, why=reason) if reason else None
    return _Change(posting.posted, currency, line, amount, name, other)


def _unposted_reason(row: MirrorRecord, account: LiabilityAccount, outcomes: Mapping[str, tuple[str, str]]) -> str:
    """Return the reason why a record belongs to no posted order, or ''."""
    order_ids = references.order_ids(row.reference)
    name, outcome = outcomes.get(order_ids[0], ("", "not compared yet")) if order_ids else ("", "")
    if row.xero_id not in account.mapped:
        return "not booked by this pipeline"
    return "" if outcome == "posted" else f"order {name or order_ids[:1]} is {outcome}"


def _roll_forward_in(
    currency: str, month: _Month, shopify: Sequence[_Change], xero: Sequence[_Change], account: str
) -> RollForward:
    first, after = month.first, month.after
    own_changes = [change for change in xero if change.other is None]
    others = [change for change in xero if change.other is not None and change.posted < after]
    sides = [_side_amounts(changes, first, after) for changes in (shopify, own_changes)]
    lines = [RollLine(what=what, shopify=sides[0][what], xero=sides[1][what]) for what in sides[0]]
    total = sum((change.amount for change in others), NOTHING)
    earlier = sum((change.amount for change in others if change.posted < first), NOTHING)
    if others:
        lines.append(RollLine(what="by others, before", shopify=None, xero=earlier))
        lines.append(RollLine(what="by others, this month", shopify=None, xero=total - earlier))
    lines.append(RollLine(what="the account in Xero", shopify=None, xero=sides[1][CLOSING] + total))
    unsold = list(_unsold_uses(change for change in xero if change.posted < after))
    return RollForward(
        currency=currency,
        account=account,
        lines=tuple(lines),
        others=tuple(change.other for change in others if change.other is not None and change.posted >= first),
        unsold=tuple(use for use in unsold if use.posted >= first),
        unsold_so_far=-sum((use.amount for use in unsold), NOTHING),
        began=month.began,
    )


def _unsold_uses(changes: Iterable[_Change]) -> Iterator[OtherPosting]:
    """Yield the amounts taken from the account beyond its balance. On one day, additions come before uses."""
    balance = NOTHING
    for change in sorted(changes, key=lambda change: (change.posted, LINE_ORDER.index(change.line), change.what)):
        balance += change.amount
        if balance < 0:
            yield OtherPosting(posted=change.posted, what=change.what, amount=balance, why=UNSOLD_REASON)
            balance = NOTHING


def _side_amounts(changes: Iterable[_Change], first: date, after: date) -> dict[str, Decimal]:
    """Return one side's lines. The closing balance comes last and is summed independently of the lines."""
    opening, closing, within = NOTHING, NOTHING, defaultdict[str, Decimal](lambda: NOTHING)
    for change in changes:
        if change.posted >= after:
            continue
        closing += change.amount
        if change.posted < first:
            opening += change.amount
        else:
            within[change.line] += change.amount
    return {OPENING: opening, **{line: within[line] for line in (SOLD, REDEEMED, REFUNDED)}, CLOSING: closing}


def _in_currency(changes: Iterable[_Change], currency: str) -> list[_Change]:
    return [change for change in changes if change.currency == currency]
