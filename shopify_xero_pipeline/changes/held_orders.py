"""Orders that are held because a person changed or voided one of their documents in Xero.

Nothing more is written for such an order: a Credit Note beside a voided Invoice, or a payment on an edited Invoice,
makes the books worse. This module only finds these orders. `plan.py` holds their lines until both sides agree again or
a person decides.
"""

from collections.abc import Iterable, Mapping

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.compare import plan_record
from shopify_xero_pipeline.changes.decisions import Decisions, is_decided
from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord

HELD_REASON = "held back because of {number}: {reason}. Compare both sides in Xero and correct them"
COSMETIC_FIELDS = frozenset({"due_date", "url"})
"""Parts of a document that a person may change without an effect on its later payments and credits."""


def held_orders(
    orders: Iterable[OrderBooks],
    mapped: Mapping[str, MappedRecord],
    mirror: Mapping[str, MirrorRecord],
    contacts: Mapping[str, str],
    decisions: Decisions,
) -> dict[str, str]:
    """Return the reasons why orders are held, by order id.

    Args:
        orders: the books of the orders.
        mapped: posted documents by Shopify id.
        mirror: their rows in the mirror, by Xero id.
        contacts: Xero ids of Contacts after merges, by Shopify id.
        decisions: decisions about changed documents. A decision does not release an order with a voided document, on
            which nothing can be entered.
    """
    reasons: dict[str, str] = {}
    for books in orders:
        for document in books.documents:
            row = mapped.get(document.shopify_id)
            if row is None:
                continue
            contact = contacts.get(document.contact_id)
            line = plan_record(document, row, mirror.get(row.xero_id), contact_xero_id=contact)
            changed = {field.field for field in line.fields}
            is_cosmetic = bool(changed) and changed <= COSMETIC_FIELDS
            is_released = bool(changed) and is_decided(line, decisions)
            if line.action is Action.CONFLICT and not is_cosmetic and not is_released:
                reasons.setdefault(books.order_id, HELD_REASON.format(number=document.number, reason=line.reason))
    return reasons
