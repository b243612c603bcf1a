"""Context of the accounting rules: an order, the policies, Xero's settings and the order's posted records.

This module holds look-ups that several rules share, and no rule. `orders.py` catches the exception with which a rule
blocks the order, so no other package sees it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedDocument, PostedPayment, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, MoneyBag, Order, Refund, Sale, legacy_id
from shopify_xero_pipeline.xero.models import Organisation

ORDER = "ORDER"


class OrderBlockedError(Exception):
    """An order that must not be posted; the message gives the reason and the remedy."""


def numeric(digits: str) -> tuple[int, str]:
    """Return a sort key that orders ids by their numeric value."""
    return len(digits), digits


@dataclass(frozen=True)
class OrderContext:
    """An order with everything on which its books depend.

    Attributes:
        order: the order with its whole history.
        policy: the merchant's choices.
        organisation: currencies, accounts and lock dates of Xero.
        posted_records: the order's posted records.
        shop_handle: the shop's name in admin URLs; None for no links.
        taken: document numbers of other orders, casefolded.
    """

    order: Order
    policy: BooksPolicy
    organisation: Organisation
    posted_records: PostedRecords
    shop_handle: str | None = None
    taken: frozenset[str] = frozenset()

    @cached_property
    def order_id(self) -> str:
        """The digits of the order's id."""
        return self.order.legacy_id

    @cached_property
    def currency(self) -> str:
        """The shop's currency when the order was placed; the currency of all its documents."""
        return self.order.currency_code

    @cached_property
    def line_items(self) -> Mapping[str, LineItem]:
        """The order's lines by digits of their id."""
        return {line.legacy_id: line for line in self.order.line_items}

    @cached_property
    def refunds(self) -> Mapping[str, Refund]:
        """The order's refunds by digits of their id."""
        return {refund.legacy_id: refund for refund in self.order.refunds}

    @cached_property
    def posted_documents(self) -> Mapping[str, PostedDocument]:
        """Posted documents, whose number and date are fixed, by Shopify id."""
        return {document.shopify_id: document for document in self.posted_records.documents}

    @cached_property
    def agreements(self) -> tuple[Agreement, ...]:
        """The sales ledger in time order; at one instant the first agreement precedes the others, which follow by id.

        Money is applied in this order. A new agreement never precedes an existing one.
        """
        first = self.main
        return tuple(
            sorted(
                self.order.agreements,
                key=lambda agreement: (agreement.happened_at, agreement is not first, _id(agreement)),
            )
        )

    @cached_property
    def main(self) -> Agreement | None:
        """The order's first agreement, which is its earliest one with the reason ORDER."""
        candidates = (agreement for agreement in self.order.agreements if agreement.reason == ORDER)
        return min(candidates, key=lambda agreement: (agreement.happened_at, _id(agreement)), default=None)

    @cached_property
    def tax_types(self) -> dict[tuple[tuple[str, Decimal | None], ...], str]:
        """The TaxTypes of earlier lines, by the titles and rates of the taxes of a sale (`tax.py`)."""
        return {}

    @property
    def sales(self) -> list[Sale]:
        """The sales of all agreements, in time order of the agreements."""
        return [sale for agreement in self.agreements for sale in agreement.sales]

    def day(self, instant: datetime) -> date:
        """Return the calendar day of an instant in the shop's time zone (docs/contracts/shopify.md §9)."""
        return instant.astimezone(self.policy.zone).date()

    def is_main(self, agreement: Agreement) -> bool:
        """Return whether an agreement is the order's first one."""
        return self.main is not None and agreement.id == self.main.id

    def document_id(self, tail: str) -> str:
        """Return the Shopify id of a document: `<order id>/<agreement id>` or `<order id>/<letter><transaction id>`."""
        return f"{self.order_id}/{tail}"

    def posted_document(self, tail: str) -> PostedDocument | None:
        """Return a posted document by the end of its id (`document_id`), or None."""
        return self.posted_documents.get(self.document_id(tail))

    def posted_payments(self, transaction_id: str) -> list[PostedPayment]:
        """Return the posted payments of a transaction."""
        return [payment for payment in self.posted_records.payments if payment.transaction_id == transaction_id]

    def line_item_of(self, sale: Sale) -> LineItem | None:
        """Return the order line of a sale, or None if the sale has none."""
        return self.line_items.get(legacy_id(sale.line_item_id)) if sale.line_item_id else None

    def presentment_amount(self, bag: MoneyBag) -> Decimal | None:
        """Return an amount in the customer's currency; None if it is in another one than the order's."""
        money = bag.presentment_money
        return money.amount if money.currency_code == self.order.presentment_currency_code else None

    def refund_of(self, agreement: Agreement) -> Refund | None:
        """Return the refund of an agreement, or None."""
        return self.refunds.get(legacy_id(agreement.refund_id)) if agreement.refund_id else None


def _id(agreement: Agreement) -> tuple[int, str]:
    return numeric(agreement.legacy_id)
