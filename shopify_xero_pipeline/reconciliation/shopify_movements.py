"""Shopify's column: an order's movements read from its own sales ledger and transactions, not from our documents.

Only reading belongs here. Amounts come from the ledger's rows and from the transactions; of the books come the account
of each row and the day its document bears, because a day that Xero has locked may have moved it. Three things Shopify
does not say for each transaction are taken from the books as they are: refunds beyond what was returned, tax paid by a
sales channel, and how far money moved by another rate than that of the order. The last is held against Shopify's own
statement where the books are made, and against what is outstanding in `comparison.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.accounts import account_of
from shopify_xero_pipeline.books.cash_movements import MONEY_IN, MONEY_OUT
from shopify_xero_pipeline.books.dates import agreement_date, transaction_date
from shopify_xero_pipeline.books.documents import signed_total
from shopify_xero_pipeline.books.gift_cards import discount_on_card
from shopify_xero_pipeline.books.numbering import EXCHANGE, ROUNDING, UNCOVERED_REFUND, is_of_money
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.payment_allocation import CHANNEL_GATEWAY
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.books.tax import SaleTaxAmount, sale_taxes, tax_account_for, tax_type_for
from shopify_xero_pipeline.reconciliation.movements import ZERO, AccountNames, Movement, StatementSection
from shopify_xero_pipeline.shopify.models import Agreement, MoneyBag, Order, Sale, Transaction, legacy_id
from shopify_xero_pipeline.xero.models import CreditNote, Invoice, Kind, Organisation, Payment

SOLD, DISCOUNTS, RETURNED = "goods sold", "discounts", "goods returned"
CARDS_SOLD, CARDS_RETURNED, CARD_DISCOUNTS = "gift cards sold", "gift cards returned", "gift card discounts"
ROUNDED, CASH_ROUNDED, UNCOVERED = "rounding", "cash rounding", "refunds beyond returns"
CHANNEL_PAID = "tax paid by the sales channel"
CATEGORIES = {
    "SHIPPING": "shipping",
    "FEE": "fees",
    "ADDITIONAL_FEE": "fees",
    "DUTY": "duties",
    "TIP": "tips",
    "GIFT_CARD": CARDS_SOLD,
    "ADJUSTMENT": "refund adjustments",
}
RETURNS = {"SHIPPING": "shipping refunded", "GIFT_CARD": CARDS_RETURNED}
EXCHANGED = "exchange differences"
LEFT_TO_OTHERS = "left to others"
INVOICES, CREDIT_NOTES = "invoices", "credit notes"
TOTALS = {Kind.INVOICE: INVOICES, Kind.CREDIT_NOTE: CREDIT_NOTES}


def movements_by_order(
    orders: Iterable[Order],
    kept: Iterable[OrderBooks],
    policy: BooksPolicy,
    organisation: Organisation,
    chart: AccountNames,
) -> dict[str, list[Movement]]:
    """Return what Shopify says moved, by order id, for those of the orders that are to be posted."""
    books = {one.order_id: one for one in kept if one.outcome is Outcome.POST}
    return {
        order.legacy_id: shopify_movements(order, books[order.legacy_id], policy, organisation, chart)
        for order in orders
        if order.legacy_id in books
    }


def shopify_movements(
    order: Order, books: OrderBooks, policy: BooksPolicy, organisation: Organisation, chart: AccountNames
) -> list[Movement]:
    """Return what Shopify says moved on an order that is posted, with the cut-over's earlier part left out.

    Args:
        order: the order with its whole history.
        books: its books, whose outcome is `post`.
        policy: the merchant's choices.
        organisation: Xero's settings.
        chart: which accounts hold tax.
    """
    reading = _LedgerReader(OrderContext(order, policy, organisation, PostedRecords()), books, chart)
    return [*reading.sales(), *reading.money(), *reading.beside()]


@dataclass(frozen=True)
class _LedgerReader:
    """An order being read."""

    case: OrderContext
    books: OrderBooks
    chart: AccountNames

    def sales(self) -> Iterator[Movement]:
        """Yield the rows of the sales ledger, and what is missing from them to the total the order began with."""
        for entry in self.case.agreements:
            if self._is_kept(entry.legacy_id, agreement_date(self.case, entry)):
                day = self._document_day(entry.legacy_id) or agreement_date(self.case, entry)
                yield from self._agreement(entry, day)

    def money(self) -> Iterator[Movement]:
        """Yield the cash that moved by gateway, change given subtracted, and the cash rounding in it."""
        moved = [entry for entry in self.case.order.transactions if self._moved_here(entry)]
        cash = [_Cash(entry, *_with_change(entry, moved)) for entry in moved if entry.kind != "CHANGE"]
        cancelled = self._cancelled(cash)
        for one in cash:
            yield from self._transaction(one, cancelled.get(one.entry.legacy_id, ZERO))

    def beside(self) -> Iterator[Movement]:
        """Yield what only the books know: documents that money called for, payments of a channel's tax."""
        accounts = self.case.policy.accounts
        for letter, account, category in (
            (UNCOVERED_REFUND, accounts.adjustments, UNCOVERED),
            (EXCHANGE, accounts.exchange, EXCHANGED),
        ):
            for document in self.books.documents:
                if is_of_money(document.shopify_id, letter):
                    yield from self._of_money(document, account, category)
        for payment in self.books.payments:
            if payment.gateway == CHANNEL_GATEWAY:
                side = StatementSection.PAYMENTS if payment.document_kind == Kind.INVOICE else StatementSection.REFUNDS
                yield self._movement(payment.date, side, payment.account_code, CHANNEL_PAID, payment.amount)

    def _of_money(self, document: Invoice | CreditNote, account: str, category: str) -> Iterator[Movement]:
        amount, kind = signed_total(document), TOTALS[document.kind]
        yield self._movement(document.date, self.chart.side(account), account, category, amount)
        yield self._movement(document.date, StatementSection.DOCUMENTS, kind, category, amount)

    def _agreement(self, entry: Agreement, day: date) -> Iterator[Movement]:
        total = sum((_amount(sale.total_amount) for sale in entry.sales), ZERO)
        for sale in entry.sales:
            yield from self._sale(sale, day)
        if self.case.main is not None and entry.id == self.case.main.id:
            gap = _amount(self.case.order.original_total_price_set) - total
            account = self.case.policy.accounts.rounding
            yield self._movement(day, self.chart.side(account), account, ROUNDED, gap)
            total += gap
        kind = CREDIT_NOTES if total < 0 else INVOICES
        yield self._movement(day, StatementSection.DOCUMENTS, kind, kind, total)

    def _sale(self, sale: Sale, day: date) -> Iterator[Movement]:
        account, discount = account_of(self.case, sale), discount_on_card(self.case, sale)
        for category, amount in _split(sale, discount):
            yield self._movement(day, self.chart.side(account), account, category, amount)
        if discount:
            lower = self.case.policy.accounts.card_discounts
            yield self._movement(day, self.chart.side(lower), lower, CARD_DISCOUNTS, -discount)
        for key, tax in self._taxes(sale):
            by_channel = " by the sales channel" if tax.channel_liable else ""
            yield self._movement(day, StatementSection.TAX, key, tax.label + by_channel, tax.amount)

    def _taxes(self, sale: Sale) -> Iterator[tuple[str, SaleTaxAmount]]:
        """Yield each tax of a row that is not nothing, with the tax type or the account it belongs to."""
        taxes, policy = sale_taxes(self.case, sale, 1), self.case.policy
        own = [tax for tax in taxes if not tax.channel_liable]
        for tax in taxes:
            if not tax.amount:
                continue
            if tax.channel_liable:
                yield policy.accounts.channel_tax, tax
            elif policy.tax.mode == "lines":
                yield tax_account_for(self.case, tax), tax
            else:
                yield tax_type_for(self.case, own, policy.tax.none), tax

    def _transaction(self, cash: "_Cash", cancelled: Decimal) -> Iterator[Movement]:
        gateway = cash.entry.gateway or ""
        side = StatementSection.PAYMENTS if cash.came_in else StatementSection.REFUNDS
        for day, account, part in self._placed_on(cash.entry, cash.total - cancelled):
            found = self._movement(day, side, account, gateway, part)
            is_left = account == LEFT_TO_OTHERS  # nobody looks how they enter it
            yield found.model_copy(update={"mapping": part, "xero": part}) if is_left else found
        if cash.rounding:
            yield from self._cash_rounding(cash.entry, cash.rounding if cash.came_in else -cash.rounding)

    def _cancelled(self, cash: Sequence["_Cash"]) -> dict[str, Decimal]:
        """Return by transaction what came beyond what was sold and went back by the same account: both cancel out."""
        ours = [one for one in cash if self._account(one.entry) != LEFT_TO_OTHERS]
        rest = {one.entry.legacy_id: one.total - self._placed(one.entry) for one in ours}
        cancelled = dict.fromkeys(rest, ZERO)
        for back in (one for one in ours if not one.came_in):
            for came in (one for one in reversed(ours) if one.came_in):
                if self._account(came.entry) == self._account(back.entry):
                    pair = back.entry.legacy_id, came.entry.legacy_id
                    amount = max(min(rest[key] - cancelled[key] for key in pair), ZERO)
                    cancelled |= {key: cancelled[key] + amount for key in pair}
        return cancelled

    def _account(self, entry: Transaction) -> str:
        gateway = entry.gateway or ""
        is_left = self.case.policy.is_left_to_others(gateway)
        return LEFT_TO_OTHERS if is_left else self.case.policy.payment_account(gateway) or ""

    def _placed(self, entry: Transaction) -> Decimal:
        return sum((payment.amount for payment in self._payments_of(entry)), ZERO)

    def _cash_rounding(self, entry: Transaction, amount: Decimal) -> Iterator[Movement]:
        day = self._document_day(ROUNDING + entry.legacy_id) or transaction_date(self.case, entry)
        account = self.case.policy.accounts.rounding
        yield self._movement(day, self.chart.side(account), account, CASH_ROUNDED, amount)
        yield self._movement(
            day, StatementSection.DOCUMENTS, CREDIT_NOTES if amount < 0 else INVOICES, CASH_ROUNDED, amount
        )

    def _placed_on(self, entry: Transaction, amount: Decimal) -> Iterator[tuple[date, str, Decimal]]:
        """Spread a transaction over the days and accounts its payments bear; what they do not cover stays on the last.

        That is the gateway's account, unless a person entered the payment on another one before it was known here.
        """
        placed = [(one.date, one.account_code, one.amount) for one in self._payments_of(entry)]
        rest = amount - sum((part for *_, part in placed), ZERO)
        last = max((day for day, *_ in placed), default=transaction_date(self.case, entry))
        yield from placed
        if rest:
            yield last, self._account(entry), rest

    def _payments_of(self, entry: Transaction) -> list[Payment]:
        return [one for one in self.books.payments if one.shopify_id.split("/", 1)[0] == entry.legacy_id]

    def _moved_here(self, entry: Transaction) -> bool:
        if entry.status != "SUCCESS" or entry.kind not in MONEY_IN | MONEY_OUT:
            return False
        return bool(self._payments_of(entry)) or self._is_kept("", transaction_date(self.case, entry))

    def _is_kept(self, tail: str, day: date) -> bool:
        """Cut-over: of an order placed before the start date, only what came later or is posted counts."""
        start = self.case.policy.start_date
        began_here = self.case.main is not None and self._document_day(self.case.main.legacy_id) is not None
        placed = self.case.day(self.case.order.processed_at)
        return placed >= start or began_here or day >= start or self._document_day(tail) is not None

    def _document_day(self, tail: str) -> date | None:
        wanted = self.case.document_id(tail)
        return next((one.date for one in self.books.documents if one.shopify_id == wanted), None)

    def _movement(self, day: date, side: StatementSection, key: str, category: str, amount: Decimal) -> Movement:
        return Movement(posted=day, currency=self.case.currency, side=side, key=key, category=category, shopify=amount)


@dataclass(frozen=True)
class _Cash:
    """A transaction with the change given on it subtracted: its amount, and how much more cash moved than that."""

    entry: Transaction
    amount: Decimal
    rounding: Decimal

    @property
    def came_in(self) -> bool:
        return self.entry.kind in MONEY_IN

    @property
    def total(self) -> Decimal:
        return self.amount + self.rounding


def _with_change(entry: Transaction, moved: Sequence[Transaction]) -> tuple[Decimal, Decimal]:
    changes = [change for change in moved if change.kind == "CHANGE" and _sale_of(change, moved) is entry]
    amount = _amount(entry.amount_set) - sum((_amount(change.amount_set) for change in changes), ZERO)
    return amount, _rounding(entry) - sum((_rounding(change) for change in changes), ZERO)


def _split(sale: Sale, on_card: Decimal) -> list[tuple[str, Decimal]]:
    """Return a row's amount without tax by category; of goods sold the discount stands apart, cards at face value."""
    net = _amount(sale.total_amount) - _amount(sale.total_tax_amount) + on_card
    returned = sale.action_type == "RETURN"
    if sale.line_type != "PRODUCT":
        plain = CATEGORIES.get(sale.line_type, sale.line_type)
        return [(RETURNS.get(sale.line_type, plain) if returned else plain, net)]
    if returned:
        return [(RETURNED, net)]
    discount = _amount(sale.total_discount_amount_before_taxes)
    return [(SOLD, net + discount), (DISCOUNTS, -discount)]


def _sale_of(change: Transaction, moved: Sequence[Transaction]) -> Transaction | None:
    """Return the sale that change was given on: its parent, else the latest of its gateway."""
    sales = [entry for entry in moved if entry.kind == "SALE"]
    parent = legacy_id(change.parent_id) if change.parent_id else ""
    own = [entry for entry in sales if entry.legacy_id == parent]
    same = sorted((entry for entry in sales if entry.gateway == change.gateway), key=_moment)
    return next(reversed(own or same), None)


def _moment(entry: Transaction) -> tuple[str, int, str]:
    return (entry.processed_at or entry.created_at).isoformat(), len(entry.legacy_id), entry.legacy_id


def _rounding(entry: Transaction) -> Decimal:
    return ZERO if entry.amount_rounding_set is None else _amount(entry.amount_rounding_set)


def _amount(bag: MoneyBag) -> Decimal:
    return bag.shop_money.amount
