"""Orders of which nothing more is written, because a person changed or voided a document of theirs in Xero.

A Credit Note beside a voided Invoice, or money on one whose amounts a person changed, would make the books worse. Only
finding these orders belongs here; `plan.py` holds their lines back until both sides agree again or a person decides.
"""

from collections.abc import Iterable, Mapping

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.compare import plan_record
from shopify_xero_pipeline.changes.decisions import Decisions, is_decided
from shopify_xero_pipeline.changes.models import Action, Change
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord

COSMETIC_FIELDS = frozenset({"due_date", "url"})
"""Parts of a document that a person may change without any effect on what is still to be placed on it."""


def held_orders(
    orders: Iterable[OrderBooks],
    mapped: Mapping[str, MappedRecord],
    shown: Mapping[str, MirrorRecord],
    contacts: Mapping[str, str],
    decisions: Decisions,
) -> dict[str, str]:
    """Return why orders are held, by order id, in words for people.

    Args:
        orders: what ought to be in Xero of each.
        mapped: the documents we posted, by Shopify id.
        shown: what Xero shows of them, by Xero id.
        contacts: Xero ids of Contacts by Shopify id, merges followed.
        decisions: about documents that a person changed; one that is voided holds its order all the same, as nothing
            can be placed on it.
    """
    found: dict[str, str] = {}
    for books in orders:
        for document in books.documents:
            row = mapped.get(document.shopify_id)
            if row is None:
                continue
            line = plan_record(document, row, shown.get(row.xero_id), bearer=contacts.get(document.contact_id))
            if _holds(line) and not (line.fields and is_decided(line, decisions)):
                reason = f"held back: of {document.number}, {line.reason}. Compare both sides in Xero and correct them"
                found.setdefault(books.order_id, reason)
    return found


def _holds(line: Change) -> bool:
    if line.action is not Action.CONFLICT:
        return False
    return not line.fields or bool({field.field for field in line.fields} - COSMETIC_FIELDS)
