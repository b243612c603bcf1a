"""Context of the accounting rules: an order, the policies, Xero's settings and the order's posted records.

This module holds look-ups that several rules share, and no rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import PostedDocument, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, Order, Refund, legacy_id
from shopify_xero_pipeline.xero.models import Organisation

ORDER = "ORDER"


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

    @property
    def order_id(self) -> str:
        """The digits of the order's id."""
        return self.order.legacy_id

    @property
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

    def day(self, instant: datetime) -> date:
        """Return the calendar day of an instant in the shop's time zone (docs/contracts/shopify.md §9)."""
        return instant.astimezone(self.policy.zone).date()

    def document_id(self, tail: str) -> str:
        """Return the Shopify id of a document: `<order id>/<agreement id>` or `<order id>/<letter><transaction id>`."""
        return f"{self.order_id}/{tail}"

    def refund_of(self, agreement: Agreement) -> Refund | None:
        """Return the refund of an agreement, or None."""
        return self.refunds.get(legacy_id(agreement.refund_id)) if agreement.refund_id else None


def _id(agreement: Agreement) -> tuple[int, str]:
    return numeric(agreement.legacy_id)
