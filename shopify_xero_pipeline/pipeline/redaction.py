"""Redaction of a customer's personal data, for Shopify's `customers/redact` (docs/contracts/shopify.md §7).

A redaction empties name, e-mail, telephone and address in the state store and in stored assets. Accounting facts stay,
because the law requires them: documents, payments, amounts, days and ids. The redaction is permanent: later reads from
Shopify and Xero are redacted, too. The owner redacts the Contact in Xero. The record of the redaction has no personal
data.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

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
"""Returns a redacted copy of a stored day's JSON; the argument stays unchanged."""

MANUAL_STEPS = (
    "In Xero: open the Contact, replace its name with {name} and clear its other fields, or ask Xero to erase it; then "
    "archive it. Its documents stay."
)


class StoredDays(Protocol):
    """The stored assets, one file for each day."""

    def rewrite(self, asset: Sequence[str], change: RedactDay) -> int:
        """Rewrite every stored day of an asset and return the number of changed days.

        Args:
            asset: the path of its key, such as `("shopify", "orders")`.
            change: returns the new JSON of a day.
        """


class Redaction(BaseModel):
    """The result of a redaction.

    Attributes:
        customer: digits of the customer's Shopify id.
        reason: the owner's reason.
        emptied: counts of redacted rows and stored days.
        retained: counts of the accounting records that stay.
        xero_contact: the Xero id of the Contact; None without one.
        link: the address of its page in Xero.
    """

    model_config = ConfigDict(populate_by_name=True)

    customer: str
    reason: str
    emptied: dict[str, int]
    retained: dict[str, int] = Field(alias="kept")
    xero_contact: str | None
    link: str | None

    @property
    def in_xero(self) -> str:
        """The manual steps in Xero."""
        if self.xero_contact is None:
            return "In Xero: nothing; no Contact is mapped to the customer."
        return MANUAL_STEPS.format(name=NAMELESS.format(self.customer))


def redact_customer(store: StateStore, assets: StoredDays, customer: str, reason: str = "") -> Redaction:
    """Redact a customer permanently; the function is idempotent.

    Args:
        store: the state store.
        assets: the stored days of all assets.
        customer: digits of the customer's Shopify id.
        reason: the owner's reason, stored with the record of the redaction.

    Raises:
        TryLaterError: a write of the customer's Contact is under way; nothing was changed.
    """
    mapped = store.mapped(Kind.CONTACT, [customer]).get(customer)
    emptied = _empty_store(store, customer) | _empty_assets(assets, customer)
    xero_id = mapped.xero_id if mapped is not None else None
    redaction = Redaction(
        customer=customer,
        reason=reason,
        emptied=emptied,
        retained=_count_retained(store, customer),
        xero_contact=xero_id,
        link=xero_page(Kind.CONTACT, xero_id) or None,
    )
    store.privacy.note_redaction(
        customer, redaction.model_dump(include={"reason", "emptied", "retained"}, by_alias=True)
    )
    requests = [hint for hint in store.hints.requests() if hint.topic == REDACT_CUSTOMER]
    store.hints.mark_processed(hint for hint in requests if hint.record_id == customer)
    return redaction


def _empty_store(store: StateStore, customer: str) -> dict[str, int]:
    """Redact the Contact in the store; it retains its ids and gets the name of a nameless customer."""
    number, name = references.contact_number(customer), NAMELESS.format(customer)
    contact = Contact(shopify_id=customer, contact_number=number, name=name)
    try:
        return store.privacy.redact_contact(customer, canonical_json(contact.content()))
    except ContactOnItsWayError:
        raise TryLaterError(
            f"A write of Contact shopify:{customer} is under way, and nothing was changed. Run `shopify-xero sync` for "
            "an open day until `shopify-xero status` shows no work left, then redact again."
        ) from None


def _empty_assets(assets: StoredDays, customer: str) -> dict[str, int]:
    changes: dict[tuple[str, str], RedactDay] = {
        ("shopify", "customers"): lambda rows: [_redact_customer_row(row, customer) for row in rows],
        ("shopify", "orders"): lambda rows: [
            {**row, "customer": _redact_customer_row(row.get("customer"), customer)} for row in rows
        ],
        ("changes", "contacts"): lambda plan: {
            **plan,
            "changes": [_redact_plan_line(line, customer) for line in plan["changes"]],
        },
    }
    return {f"days of {'/'.join(path)}": assets.rewrite(path, change) for path, change in changes.items()}


def _redact_customer_row(row: Any, customer: str) -> Any:
    if not row or legacy_id(row["id"]) != customer:
        return row
    return Customer.model_validate(row).redacted().model_dump(mode="json")


def _redact_plan_line(line: Any, customer: str) -> Any:
    """Return a line of a plan without its record and fields if it is the customer's; its action stays."""
    is_of_customer = line["kind"] == Kind.CONTACT and line["shopify_id"] == customer
    return {**line, "record": None, "fields": []} if is_of_customer else line


def _count_retained(store: StateStore, customer: str) -> dict[str, int]:
    """Count the documents of the Contact, and the payments and allocations on their orders."""
    documents = [
        row
        for kind in (Kind.INVOICE, Kind.CREDIT_NOTE)
        for row in store.mapped(kind).values()
        if f'"contact_id":"{customer}"' in row.payload
    ]
    order_ids = {row.order_id for row in documents if row.order_id}
    payments = [row for row in store.mapped_of_orders(order_ids) if row.kind in (Kind.PAYMENT, Kind.ALLOCATION)]
    return {"documents": len(documents), "payments and allocations": len(payments)}
