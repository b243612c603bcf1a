"""Forgetting a customer: what Shopify's `customers/redact` asks for (docs/contracts/shopify.md §7), done on our copies.

Gone are name, e-mail, telephone and address, in the state store and in stored assets. What stays are the accounting
facts, which the law wants kept: documents, payments, amounts, days and ids. The customer stays forgotten: whatever
Shopify or Xero still show of it is emptied as it is read. Xero's own copy is the owner's to change; what was done is
written down without anything personal.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from shopify_xero_pipeline.books.contacts import NAMELESS
from shopify_xero_pipeline.pipeline.connections import TryLaterError
from shopify_xero_pipeline.pipeline.record_links import xero_page
from shopify_xero_pipeline.shopify.models import Customer, legacy_id
from shopify_xero_pipeline.state.canonical import canonical_json
from shopify_xero_pipeline.state.privacy import ContactOnItsWayError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import REDACT_CUSTOMER
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Contact, Kind

RedactDay = Callable[[Any], Any]
"""Given the JSON of a stored day, returns it without the customer; it changes nothing in place."""

MANUAL_STEPS = (
    "In Xero: open the Contact, replace its name by {name} and empty its other fields, or ask Xero to erase it; then "
    "archive it. Its documents stay."
)


class StoredDays(Protocol):
    """The files in which assets are stored, one for each day."""

    def rewrite(self, asset: Sequence[str], change: RedactDay) -> int:
        """Change every stored day of an asset; return how many days changed.

        Args:
            asset: the path of its key, as `("shopify", "orders")`.
            change: given the JSON of a day, returns its new JSON.
        """


class Redaction(BaseModel):
    """What a redaction did. `emptied` counts rows and stored days, `kept` the accounting records that stay."""

    customer: str
    reason: str
    emptied: dict[str, int]
    kept: dict[str, int]
    xero_contact: str | None
    link: str | None

    @property
    def in_xero(self) -> str:
        """What is left to be done in Xero, by hand."""
        if self.xero_contact is None:
            return "In Xero: nothing; the customer has no Contact there that we know of."
        return MANUAL_STEPS.format(name=NAMELESS.format(self.customer))


def redact_customer(store: StateStore, assets: StoredDays, customer: str, reason: str = "") -> Redaction:
    """Forget a customer for good; done again, it empties whatever has come back.

    Args:
        store: the state store.
        assets: the stored days of all assets.
        customer: the digits of its Shopify id.
        reason: of the owner, kept with the note of it.

    Raises:
        TryLater: a write of its Contact is under way; nothing was changed.
    """
    mapped = store.mapped(Kind.CONTACT, [customer]).get(customer)
    emptied = _empty_store(store, customer) | _empty_assets(assets, customer)
    xero_id = mapped.xero_id if mapped is not None else None
    done = Redaction(
        customer=customer,
        reason=reason,
        emptied=emptied,
        kept=_kept(store, customer),
        xero_contact=xero_id,
        link=xero_page(Kind.CONTACT, xero_id) or None,
    )
    store.note_redaction(customer, done.model_dump(include={"reason", "emptied", "kept"}))
    asked = [one for one in store.hints.requests() if one.topic == REDACT_CUSTOMER]
    store.hints.mark_processed(one for one in asked if one.record_id == customer)
    return done


def _empty_store(store: StateStore, customer: str) -> dict[str, int]:
    """The Contact keeps its ids, and the name that one without a name bears."""
    number, name = references.contact_number(customer), NAMELESS.format(customer)
    contact = Contact(shopify_id=customer, contact_number=number, name=name)
    try:
        return store.redact_contact(customer, canonical_json(contact.content()))
    except ContactOnItsWayError:
        raise TryLaterError(
            f"A write of Contact shopify:{customer} is under way, and nothing was changed. Run `shopify-xero sync` for "
            "an open day until `shopify-xero status` shows no work left, then redact again."
        ) from None


def _empty_assets(assets: StoredDays, customer: str) -> dict[str, int]:
    changes: dict[str, RedactDay] = {
        "customers": lambda rows: [_forgotten(row, customer) for row in rows],
        "orders": lambda rows: [{**row, "customer": _forgotten(row.get("customer"), customer)} for row in rows],
        "contacts": lambda plan: {**plan, "changes": [_unplanned(line, customer) for line in plan["changes"]]},
    }
    rooms = {"customers": "shopify", "orders": "shopify", "contacts": "changes"}
    return {
        f"days of {rooms[name]}/{name}": assets.rewrite((rooms[name], name), change) for name, change in changes.items()
    }


def _forgotten(row: Any, customer: str) -> Any:
    if not row or legacy_id(row["id"]) != customer:
        return row
    return Customer.model_validate(row).redacted().model_dump(mode="json")


def _unplanned(line: Any, customer: str) -> Any:
    """A plan keeps what was to be done, and neither the record nor the fields of it."""
    mine = line["kind"] == Kind.CONTACT and line["shopify_id"] == customer
    return {**line, "record": None, "fields": []} if mine else line


def _kept(store: StateStore, customer: str) -> dict[str, int]:
    """Count what stays: documents that name the Contact, and the money on their orders."""
    bearing = [
        row
        for kind in (Kind.INVOICE, Kind.CREDIT_NOTE)
        for row in store.mapped(kind).values()
        if f'"contact_id":"{customer}"' in row.payload
    ]
    orders = {row.order_id for row in bearing if row.order_id}
    money = [row for row in store.mapped_of_orders(orders) if row.kind in (Kind.PAYMENT, Kind.ALLOCATION)]
    return {"documents": len(bearing), "payments and allocations": len(money)}
