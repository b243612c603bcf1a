"""Shopify's column, the movements of an order read from its sales ledger and transactions.

This module only reads. The amounts come from the ledger and the transactions, never from our documents. The books
provide the account of each row and the date of its document, which a locked period may have moved. Shopify has no
figure per transaction for three amounts, which the books provide: refunds beyond returns, tax paid by a sales channel,
and exchange differences. The books check exchange differences against Shopify's totals, and `comparison.py` against the
outstanding amount.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.accounts import account_of, discount_on_card
from shopify_xero_pipeline.books.cash_movements import MONEY_IN, MONEY_OUT
from shopify_xero_pipeline.books.dates import agreement_date, transaction_date
from shopify_xero_pipeline.books.documents import signed_total
from shopify_xero_pipeline.books.numbering import EXCHANGE, ROUNDING, UNCOVERED_REFUND, is_of_money
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.payment_allocation import CHANNEL_GATEWAY
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.books.tax import SaleTaxAmount, sale_taxes, tax_account_for, tax_type_for
from shopify_xero_pipeline.reconciliation.movements import ZERO, AccountNames, Movement, StatementSection
from shopify_xero_pipeline.shopify.models import Agreement, MoneyBag, Order, Sale, Transaction, legacy_id
from shopify_xero_pipeline.xero.models import Kind, Organisation, Payment

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
RETURN_CATEGORIES = {"SHIPPING": "shipping refunded", "GIFT_CARD": CARDS_RETURNED}
EXCHANGE_DIFFERENCES = "exchange differences"
LEFT_TO_OTHERS = "left to others"
INVOICES, CREDIT_NOTES = "invoices", "credit notes"
DOCUMENT_KEYS = {Kind.INVOICE: INVOICES, Kind.CREDIT_NOTE: CREDIT_NOTES}


def movements_by_order(
    orders: Iterable[Order],
    all_books: Iterable[OrderBooks],
    policy: BooksPolicy,
    organisation: Organisation,
    account_names: AccountNames,
) -> dict[str, list[Movement]]:
    """Return Shopify's movements by order id, for the orders that are to be posted.

    Movements from before the start date are not included.

    Args:
        orders: the orders with their whole history.
        all_books: the books of the orders.
        policy: the merchant's choices.
        organisation: Xero's settings.
        account_names: account names, and the accounts that hold tax.
    """
    books_by_id = {books.order_id: books for books in all_books if books.outcome is Outcome.POST}
    movements = {}
    for order in orders:
        if order.legacy_id in books_by_id:
            context = OrderContext(order, policy, organisation, PostedRecords())
            reader = _LedgerReader(context, books_by_id[order.legacy_id], account_names)
            movements[order.legacy_id] = [*reader.sales(), *reader.money(), *reader.adjustments()]
    return movements


@dataclass(frozen=True)
class _LedgerReader:
    """A reader of one order's sales ledger and transactions."""

    context: OrderContext
    books: OrderBooks
    account_names: AccountNames

    def sales(self) -> Iterator[Movement]:
        """Yield the rows of the sales ledger, and the difference between their sum and the order's original total."""
        for entry in self.context.agreements:
            if self._is_in_books(entry.legacy_id, agreement_date(self.context, entry)):
                day = self._document_day(entry.legacy_id) or agreement_date(self.context, entry)
                yield from self._agreement(entry, day)

    def money(self) -> Iterator[Movement]:
        """Yield cash movements by gateway, net of change given, and their cash rounding."""
        transactions = [entry for entry in self.context.order.transactions if self._is_booked_transaction(entry)]
        movements = [_net_of_change(entry, transactions) for entry in transactions if entry.kind != "CHANGE"]
        cancelled = self._cancelled(movements)
        for movement in movements:
            yield from self._transaction(movement, cancelled.get(movement.entry.legacy_id, ZERO))

    def adjustments(self) -> Iterator[Movement]:
        """Yield the movements that only the books have: adjustment documents and payments of a channel's tax."""
        accounts = self.context.policy.accounts
        for letter, account, category in (
            (UNCOVERED_REFUND, accounts.adjustments, UNCOVERED),
            (EXCHANGE, accounts.exchange, EXCHANGE_DIFFERENCES),
        ):
            for document in self.books.documents:
                if is_of_money(document.shopify_id, letter):
                    yield from self._document(document.date, account, category, signed_total(document))
        for payment in self.books.payments:
            if payment.gateway == CHANNEL_GATEWAY:
                side = StatementSection.PAYMENTS if payment.document_kind == Kind.INVOICE else StatementSection.REFUNDS
                yield self._movement(payment.date, side, payment.account_code, CHANNEL_PAID, payment.amount)

    def _agreement(self, entry: Agreement, day: date) -> Iterator[Movement]:
        total = sum((_amount(sale.total_amount) for sale in entry.sales), ZERO)
        for sale in entry.sales:
            yield from self._sale(sale, day)
        if self.context.main is not None and entry.id == self.context.main.id:
            gap = _amount(self.context.order.original_total_price_set) - total
            yield self._line(day, self.context.policy.accounts.rounding, ROUNDED, gap)
            total += gap
        kind = CREDIT_NOTES if total < 0 else INVOICES
        yield self._movement(day, StatementSection.DOCUMENTS, kind, kind, total)

    def _sale(self, sale: Sale, day: date) -> Iterator[Movement]:
        account, discount = account_of(self.context, sale), discount_on_card(self.context, sale)
        for category, amount in _split(sale, discount):
            yield self._line(day, account, category, amount)
        if discount:
            yield self._line(day, self.context.policy.accounts.card_discounts, CARD_DISCOUNTS, -discount)
        for key, tax in self._taxes(sale):
            by_channel = " by the sales channel" if tax.channel_liable else ""
            yield self._movement(day, StatementSection.TAX, key, tax.label + by_channel, tax.amount)

    def _taxes(self, sale: Sale) -> Iterator[tuple[str, SaleTaxAmount]]:
        """Yield each tax of a row that is not zero, with its tax type or account."""
        taxes = sale_taxes(self.context, sale, 1)  # 1: in the ledger's own sign
        policy = self.context.policy
        own = [tax for tax in taxes if not tax.channel_liable]
        for tax in taxes:
            if not tax.amount:
                continue
            if tax.channel_liable:
                yield policy.accounts.channel_tax, tax
            elif policy.tax.mode == "lines":
                yield tax_account_for(self.context, tax), tax
            else:
                yield tax_type_for(self.context, own), tax

    def _transaction(self, cash: "_CashMovement", cancelled: Decimal) -> Iterator[Movement]:
        entry = cash.entry
        side = StatementSection.PAYMENTS if cash.came_in else StatementSection.REFUNDS
        for day, account, part in self._payment_parts(entry, cash.total - cancelled):
            movement = self._movement(day, side, account, entry.gateway or "", part)
            is_left_to_others = account == LEFT_TO_OTHERS  # entries of others are not compared
            yield movement.model_copy(update={"mapping": part, "xero": part}) if is_left_to_others else movement
        if cash.rounding:
            rounding = cash.rounding if cash.came_in else -cash.rounding
            day = self._document_day(ROUNDING + entry.legacy_id) or transaction_date(self.context, entry)
            yield from self._document(day, self.context.policy.accounts.rounding, CASH_ROUNDED, rounding)

    def _cancelled(self, cash: Sequence["_CashMovement"]) -> dict[str, Decimal]:
        """Return the excess amount by transaction that was paid and refunded on the same account.

        Such a payment and its refund cancel each other out and have no document.
        """
        own = [movement for movement in cash if self._account(movement.entry) != LEFT_TO_OTHERS]
        excess = {
            movement.entry.legacy_id: movement.total - sum(entry.amount for entry in self._payments_of(movement.entry))
            for movement in own
        }
        cancelled = dict.fromkeys(excess, ZERO)
        for refund in (movement for movement in own if not movement.came_in):
            for payment in (movement for movement in reversed(own) if movement.came_in):
                if self._account(payment.entry) == self._account(refund.entry):
                    pair = refund.entry.legacy_id, payment.entry.legacy_id
                    amount = max(min(excess[key] - cancelled[key] for key in pair), ZERO)
                    cancelled |= {key: cancelled[key] + amount for key in pair}
        return cancelled

    def _account(self, entry: Transaction) -> str:
        policy, gateway = self.context.policy, entry.gateway or ""
        return LEFT_TO_OTHERS if policy.is_left_to_others(gateway) else policy.payment_account(gateway) or ""

    def _payment_parts(self, entry: Transaction, amount: Decimal) -> Iterator[tuple[date, str, Decimal]]:
        """Yield a transaction's amount by the date and account of its payments.

        The account is the gateway's, unless a person entered the payment on another account and it was adopted. An
        amount without a payment is on the last date.
        """
        parts = [(payment.date, payment.account_code, payment.amount) for payment in self._payments_of(entry)]
        remainder = amount - sum((part for *_, part in parts), ZERO)
        last_date = max((day for day, *_ in parts), default=transaction_date(self.context, entry))
        yield from parts
        if remainder:
            yield last_date, self._account(entry), remainder

    def _payments_of(self, entry: Transaction) -> list[Payment]:
        return [payment for payment in self.books.payments if payment.shopify_id.split("/", 1)[0] == entry.legacy_id]

    def _is_booked_transaction(self, entry: Transaction) -> bool:
        if entry.status != "SUCCESS" or entry.kind not in MONEY_IN | MONEY_OUT:
            return False
        return bool(self._payments_of(entry)) or self._is_in_books("", transaction_date(self.context, entry))

    def _is_in_books(self, tail: str, day: date) -> bool:
        """Return whether an entry belongs to these books.

        Of an order from before the start date, only later entries and posted documents do.
        """
        start = self.context.policy.start_date
        is_posted = self.context.main is not None and self._document_day(self.context.main.legacy_id) is not None
        order_date = self.context.day(self.context.order.processed_at)
        return order_date >= start or is_posted or day >= start or self._document_day(tail) is not None

    def _document_day(self, tail: str) -> date | None:
        document_id = self.context.document_id(tail)
        return next((document.date for document in self.books.documents if document.shopify_id == document_id), None)

    def _document(self, day: date, account: str, category: str, amount: Decimal) -> Iterator[Movement]:
        """Yield the only line of a document, and the document's total."""
        yield self._line(day, account, category, amount)
        kind = CREDIT_NOTES if amount < 0 else INVOICES
        yield self._movement(day, StatementSection.DOCUMENTS, kind, category, amount)

    def _line(self, day: date, account: str, category: str, amount: Decimal) -> Movement:
        return self._movement(day, self.account_names.side(account), account, category, amount)

    def _movement(self, day: date, side: StatementSection, key: str, category: str, amount: Decimal) -> Movement:
        currency = self.context.currency
        return Movement(posted=day, currency=currency, side=side, key=key, category=category, shopify=amount)


@dataclass(frozen=True)
class _CashMovement:
    """A transaction net of change given. `total` includes its cash rounding."""

    entry: Transaction
    total: Decimal
    rounding: Decimal

    @property
    def came_in(self) -> bool:
        return self.entry.kind in MONEY_IN


def _net_of_change(entry: Transaction, transactions: Sequence[Transaction]) -> _CashMovement:
    changes = [
        change for change in transactions if change.kind == "CHANGE" and _sale_of_change(change, transactions) is entry
    ]
    amount = _amount(entry.amount_set) - sum(_amount(change.amount_set) for change in changes)
    rounding = _rounding(entry) - sum(_rounding(change) for change in changes)
    return _CashMovement(entry, amount + rounding, rounding)


def _split(sale: Sale, card_discount: Decimal) -> list[tuple[str, Decimal]]:
    """Return a row's net amount by category. Goods are before discounts, and cards at face value."""
    net = _amount(sale.total_amount) - _amount(sale.total_tax_amount) + card_discount
    returned = sale.action_type == "RETURN"
    if sale.line_type != "PRODUCT":
        category = CATEGORIES.get(sale.line_type, sale.line_type)
        return [(RETURN_CATEGORIES.get(sale.line_type, category) if returned else category, net)]
    if returned:
        return [(RETURNED, net)]
    discount = _amount(sale.total_discount_amount_before_taxes)
    return [(SOLD, net + discount), (DISCOUNTS, -discount)]


def _sale_of_change(change: Transaction, transactions: Sequence[Transaction]) -> Transaction | None:
    """Return the sale for which change was given: its parent, or the latest sale of its gateway."""
    sales = [entry for entry in transactions if entry.kind == "SALE"]
    parent = legacy_id(change.parent_id) if change.parent_id else ""
    parent_sales = [entry for entry in sales if entry.legacy_id == parent]
    same_gateway = sorted(
        (entry for entry in sales if entry.gateway == change.gateway),
        key=lambda entry: ((entry.processed_at or entry.created_at).isoformat(), len(entry.legacy_id), entry.legacy_id),
    )
    return next(reversed(parent_sales or same_gateway), None)


def _rounding(entry: Transaction) -> Decimal:
    return ZERO if entry.amount_rounding_set is None else _amount(entry.amount_rounding_set)


def _amount(bag: MoneyBag) -> Decimal:
    return bag.shop_money.amount
