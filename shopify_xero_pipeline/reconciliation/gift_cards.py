"""The gift-card liability of a month: opening + sold - redeemed + refunded to cards = closing = the account in Xero.

Shopify's side is taken from the movements of posted orders, Xero's from every invoice, credit note and payment that the
mirror shows on the account, whoever made it. What no posted order stands for is named instead of being called a
difference. Manual journals and bank transactions are not read, and cards issued by hand or sold before the start date
are in neither side: a use of them is seen once it takes more from the account than was ever added to it, and is named.
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
NO_ORDER = "not in these books any more"
SOLD, REDEEMED, REFUNDED = "sold, less taken back", "redeemed", "refunded to cards"
ORDER_OF_A_DAY = (SOLD, REFUNDED, REDEEMED)
UNSOLD = "paid with a gift card that no order in these books sold"
KINDS = {
    StatementSection.SALES: (SOLD, 1),
    StatementSection.TAX: (SOLD, 1),
    StatementSection.PAYMENTS: (REDEEMED, -1),
    StatementSection.REFUNDS: (REFUNDED, 1),
}


class RollLine(BaseModel):
    """A line of the roll-forward; Shopify's side is None where it cannot know."""

    model_config = ConfigDict(frozen=True)

    what: str
    shopify: Decimal | None
    xero: Decimal


class OtherPosting(BaseModel):
    """Something on the account to be named by itself. `amount` is positive where it adds to the liability."""

    model_config = ConfigDict(frozen=True)

    posted: date
    what: str
    amount: Decimal
    why: str


class RollForward(BaseModel):
    """A month's gift-card liability in one currency. `moved`: whether anything stands on the account at all.

    `others` are postings that no posted order stands for, `unsold` uses of cards that no order sold, both of the month;
    `unsold_so_far` is what such uses come to by its end, `began` the first day of the books.
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
        """Whether every line that both sides know is equal."""
        return all(line.shopify == line.xero for line in self.lines if line.shopify is not None)

    @property
    def difference(self) -> Decimal:
        """The largest difference of a line that both sides know."""
        known = (abs(line.shopify - line.xero) for line in self.lines if line.shopify is not None)
        return max(known, default=NOTHING)

    @property
    def note(self) -> str:
        """What to know about cards that no order sold, and what to do about them; '' if none was used."""
        if not self.unsold_so_far:
            return ""
        since = f" since {self.began}" if self.began is not None else ""
        return (
            f"{self.unsold_so_far:,.2f} was paid with gift cards that no order{since} sold: they were issued by hand in"
            f" Shopify, or sold before. Enter in Xero what they were issued for, as a journal that credits"
            f" {self.account}; until then the account shows that much less than holders can spend"
        )

    @property
    def has_activity(self) -> bool:
        """Whether anything ever stood on the account."""
        return any(line.shopify or line.xero for line in self.lines)


@dataclass(frozen=True)
class _Change:
    """A change of the liability. `what` names its order or record; `other` is set if no posted order stands for it."""

    posted: date
    currency: str
    line: str
    amount: Decimal
    what: str = ""
    other: OtherPosting | None = None


@dataclass(frozen=True)
class LiabilityAccount:
    """The liability account and what Xero shows on it.

    Args:
        code: `accounts.gift_cards`.
        shown: mirror rows, at least all that touch the account.
        mapped: Xero ids of the records that are ours.
        base_currency: of records that name no currency.
    """

    code: str
    shown: Sequence[MirrorRecord]
    mapped: Collection[str]
    base_currency: str


@dataclass(frozen=True)
class _Month:
    """From `first` to the day before `after`, in books that began on a day."""

    first: date
    after: date
    began: date


def roll_forward(
    first: date,
    after: date,
    days: Sequence[DayReconciliation],
    account: LiabilityAccount,
    chart: AccountNames,
    began: date,
) -> list[RollForward]:
    """Return the liability of a month (from `first` to the day before `after`) for each currency it moved in.

    Args:
        first: the first day of the month.
        after: the first day of the next one.
        days: every day compared so far.
        account: the account and what Xero shows on it.
        chart: names of accounts.
        began: the first day of the books.
    """
    month = _Month(first, after, began)
    outcomes = {one.order_id: (one.order_name, NO_ORDER) for day in days for one in day.orphans}
    outcomes |= {row.order_id: (row.order_name, row.outcome) for day in days for row in day.rows}
    shopify = [change for day in days for one in day.movements if (change := _in_shopify(one, account.code))]
    xero = [change for row in account.shown for change in _in_xero(row, account, chart, outcomes)]
    return [
        _of_currency(currency, month, _only(shopify, currency), _only(xero, currency), chart.label(account.code))
        for currency in sorted({change.currency for change in [*shopify, *xero] if change.posted < after})
    ]


def _in_shopify(one: Movement, code: str) -> _Change | None:
    if one.key != code or one.side not in KINDS or not one.category:
        return None
    line, sign = KINDS[one.side]
    return _Change(one.posted, one.currency, line, sign * one.shopify)


def _in_xero(
    row: MirrorRecord, account: LiabilityAccount, chart: AccountNames, outcomes: Mapping[str, tuple[str, str]]
) -> Iterable[_Change]:
    if row.status in REMOVED_STATUSES:
        return
    why = _stranger(row, account, outcomes)
    marks = references.order_ids(row.reference)
    order = outcomes[marks[0]][0] if marks and not why else ""
    for posting in mirrored_postings(row, chart):
        if posting.key == account.code and posting.side in KINDS:
            yield _change(posting, row, why, order, posting.currency or account.base_currency)


def _change(posting: Posting, row: MirrorRecord, why: str, order: str, currency: str) -> _Change:
    line, sign = KINDS[posting.side]
    amount = sign * posting.amount
    what = order or f"{row.kind.replace('_', ' ')} {row.natural_key.strip('|')}"
    other = OtherPosting(posted=posting.posted, what=what, amount=amount, why=why) if why else None
    return _Change(posting.posted, currency, line, amount, what, other)


def _stranger(row: MirrorRecord, account: LiabilityAccount, outcomes: Mapping[str, tuple[str, str]]) -> str:
    """Return why a record is not one of a posted order, or ''."""
    marks = references.order_ids(row.reference)
    name, outcome = outcomes.get(marks[0], ("", "not compared yet")) if marks else ("", "")
    if row.xero_id not in account.mapped:
        return "not booked by this pipeline"
    return "" if outcome == "posted" else f"order {name or marks[:1]} is {outcome}"


def _of_currency(
    currency: str, month: _Month, shopify: Sequence[_Change], xero: Sequence[_Change], account: str
) -> RollForward:
    first, after = month.first, month.after
    ours = [change for change in xero if change.other is None]
    others = [change for change in xero if change.other is not None and change.posted < after]
    columns = [_column(changes, first, after) for changes in (shopify, ours)]
    lines = [RollLine(what=what, shopify=columns[0][what], xero=columns[1][what]) for what in columns[0]]
    total = sum((change.amount for change in others), NOTHING)
    earlier = sum((change.amount for change in others if change.posted < first), NOTHING)
    if others:
        lines.append(RollLine(what="by others, before", shopify=None, xero=earlier))
        lines.append(RollLine(what="by others, this month", shopify=None, xero=total - earlier))
    lines.append(RollLine(what="the account in Xero", shopify=None, xero=columns[1][CLOSING] + total))
    unsold = list(_unsold(change for change in xero if change.posted < after))
    return RollForward(
        currency=currency,
        account=account,
        lines=tuple(lines),
        others=tuple(change.other for change in others if change.other is not None and change.posted >= first),
        unsold=tuple(one for one in unsold if one.posted >= first),
        unsold_so_far=-sum((one.amount for one in unsold), NOTHING),
        began=month.began,
    )


def _unsold(changes: Iterable[_Change]) -> Iterator[OtherPosting]:
    """Yield what was taken from the account beyond what was added to it by then; of a day, additions come first."""
    left = NOTHING
    for change in sorted(changes, key=lambda one: (one.posted, ORDER_OF_A_DAY.index(one.line), one.what)):
        left += change.amount
        if left < 0:
            yield OtherPosting(posted=change.posted, what=change.what, amount=left, why=UNSOLD)
            left = NOTHING


def _column(changes: Iterable[_Change], first: date, after: date) -> dict[str, Decimal]:
    """Return one side's lines, the closing balance last; it is summed by itself, not from the lines."""
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


def _only(changes: Iterable[_Change], currency: str) -> list[_Change]:
    return [change for change in changes if change.currency == currency]
