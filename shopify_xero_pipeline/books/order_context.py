"""One order on the desk: the order with the policies, the organisation and what is already posted of it.

Only what every rule needs to look up belongs here, no rule: the order's lines by id, its frozen documents, its days.
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
    """Return a key that sorts ids by their number."""
    return len(digits), digits


@dataclass(frozen=True)
class OrderContext:
    """An order and everything its books depend on. `taken` are numbers of other people's documents, casefolded."""

    order: Order
    policy: BooksPolicy
    organisation: Organisation
    ledger: PostedRecords
    shop_handle: str | None = None
    taken: frozenset[str] = frozenset()

    @property
    def order_id(self) -> str:
        """Digits of the order's id."""
        return self.order.legacy_id

    @property
    def currency(self) -> str:
        """The shop's currency when the order was placed; all documents are in it."""
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
    def posted(self) -> Mapping[str, PostedDocument]:
        """Documents whose number and date are frozen, by Shopify id."""
        return {document.shopify_id: document for document in self.ledger.documents}

    @cached_property
    def agreements(self) -> tuple[Agreement, ...]:
        """The sales ledger in time order; at one instant what the order began with comes first, the rest by id.

        A later entry never stands before one that was there already: money is placed in this order.
        """
        began = self.main
        return tuple(
            sorted(self.order.agreements, key=lambda entry: (entry.happened_at, entry is not began, _id(entry)))
        )

    @cached_property
    def main(self) -> Agreement | None:
        """The agreement the order began with: its earliest ORDER."""
        begun = (entry for entry in self.order.agreements if entry.reason == ORDER)
        return min(begun, key=lambda entry: (entry.happened_at, _id(entry)), default=None)

    def day(self, instant: datetime) -> date:
        """Return the calendar day of an instant in the shop's zone (docs/contracts/shopify.md §9)."""
        return instant.astimezone(self.policy.zone).date()

    def document_id(self, tail: str) -> str:
        """Return the Shopify id of a document: `<order id>/<agreement id>` or `<order id>/<letter><transaction id>`."""
        return f"{self.order_id}/{tail}"

    def refund_of(self, entry: Agreement) -> Refund | None:
        """Return the refund an agreement belongs to."""
        return self.refunds.get(legacy_id(entry.refund_id)) if entry.refund_id else None


def _id(entry: Agreement) -> tuple[int, str]:
    return numeric(entry.legacy_id)
