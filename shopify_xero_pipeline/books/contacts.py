"""Whom documents are for: customers, companies and guests of Shopify as Contacts of Xero (docs/books.md §7).

Only the making of a Contact belongs here; which Contact of Xero is adopted and what happens on a clash of names is
decided in `changes/`. What Xero would refuse is left out with a warning that names no personal data.
"""

import re
from dataclasses import dataclass

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Address, Company, Customer, Order
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Contact, PostalAddress

GUEST = "guest"
NAMELESS = "Shopify customer {}"
NAME_LIMIT = 255
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
COUNTRY = re.compile(r"[A-Za-z]{1,50}")


@dataclass(frozen=True)
class ContactResult:
    """A Contact, and what of the customer was left out of it."""

    contact: Contact
    warnings: tuple[str, ...] = ()


def build_contact(customer: Customer, policy: BooksPolicy) -> Contact:
    """Return the Contact of a customer; with `contacts.mode: single` the one Contact of all."""
    return contact_from_customer(customer, policy).contact


def build_order_contact(order: Order, policy: BooksPolicy) -> Contact:
    """Return the Contact an order's documents are for: the company that bought, else the customer, else the guest."""
    return _contact_from_order(order, policy).contact


def contact_warnings(order: Order, policy: BooksPolicy) -> tuple[str, ...]:
    """Return what was left out of the Contact of an order."""
    return _contact_from_order(order, policy).warnings


def contact_from_customer(customer: Customer, policy: BooksPolicy) -> ContactResult:
    """Return the Contact of a customer, with what was left out of it."""
    if policy.contacts.mode == "single":
        return ContactResult(_guest(policy))
    key = customer.legacy_id
    warnings: list[str] = []
    contact = Contact(
        shopify_id=key,
        contact_number=references.contact_number(key),
        name=_name(strip_control_chars(customer.display_name), NAMELESS.format(key), key),
        first_name=_short(customer.first_name, 255),
        last_name=_short(customer.last_name, 255),
        email=_email(customer, warnings),
        phone=_phone(customer, warnings),
        address=_address(customer, warnings),
    )
    return ContactResult(contact, tuple(warnings))


def is_nameless(contact: Contact) -> bool:
    """Return whether a customer gave no name, or no longer has one, so that the Contact is called by its id."""
    return contact.name == NAMELESS.format(contact.shopify_id)


def with_id_suffix(contact: Contact) -> Contact:
    """Return the Contact with its id in its name, `John Smith (1234)`, for names that others already bear."""
    suffix = _suffix(contact.shopify_id)
    if contact.name.endswith(suffix):
        return contact
    return contact.model_copy(update={"name": truncate(contact.name, NAME_LIMIT, suffix)})


def _contact_from_order(order: Order, policy: BooksPolicy) -> ContactResult:
    if policy.contacts.mode == "single":
        return ContactResult(_guest(policy))
    if order.company is not None:
        return ContactResult(_company(order.company))
    return (
        contact_from_customer(order.customer, policy) if order.customer is not None else ContactResult(_guest(policy))
    )


def _company(company: Company) -> Contact:
    """A company has no e-mail or address of its own here: those of its buyers would overwrite each other."""
    key = f"company:{company.legacy_id}"
    name = _name(strip_control_chars(company.name), f"Shopify company {company.legacy_id}", key)
    return Contact(shopify_id=key, contact_number=references.contact_number(key), name=name)


def _guest(policy: BooksPolicy) -> Contact:
    name = _name(strip_control_chars(policy.contacts.guest_name), "Shopify guest", GUEST)
    return Contact(shopify_id=GUEST, contact_number=references.contact_number(GUEST), name=name)


def _name(name: str, fallback: str, key: str) -> str:
    """Clean a name for Xero (docs/contracts/xero.md §6.1) and leave room for the suffix a clash may need."""
    cleaned = strip_control_chars(name.replace("<", "").replace(">", ""))
    return truncate(cleaned or fallback, NAME_LIMIT - len(_suffix(key)))


def _suffix(key: str) -> str:
    return f" ({key.rpartition(':')[2]})"


def _short(text: str | None, limit: int) -> str | None:
    return truncate(strip_control_chars(text), limit) or None


def _email(customer: Customer, warnings: list[str]) -> str | None:
    email = strip_control_chars(customer.default_email_address.email_address) if customer.default_email_address else ""
    if email and (len(email) > 255 or not EMAIL.fullmatch(email)):
        warnings.append(f"customer {customer.legacy_id}: the e-mail address is not one Xero accepts and was left out")
        return None
    return email or None


def _phone(customer: Customer, warnings: list[str]) -> str | None:
    phone = strip_control_chars(customer.default_phone_number.phone_number) if customer.default_phone_number else ""
    if len(phone) > 50:
        warnings.append(
            f"customer {customer.legacy_id}: the telephone number is longer than Xero's 50 characters and was left out"
        )
        return None
    return phone or None


def _address(customer: Customer, warnings: list[str]) -> PostalAddress | None:
    address = customer.default_address
    if address is None:
        return None
    kept = PostalAddress(
        line1=_short(address.address1, 500),
        line2=_short(address.address2, 500),
        city=_short(address.city, 255),
        region=_short(address.province, 255),
        postal_code=_short(address.zip, 50),
        country=_country(customer, address, warnings),
    )
    return kept if kept != PostalAddress() else None


def _country(customer: Customer, address: Address, warnings: list[str]) -> str | None:
    """Xero takes letters only: a name of several words gives way to its two-letter code."""
    given = [strip_control_chars(address.country), strip_control_chars(address.country_code_v2)]
    fitting = next((country for country in given if COUNTRY.fullmatch(country)), None)
    if fitting is None and any(given):
        warnings.append(f"customer {customer.legacy_id}: the country is not written in letters only and was left out")
    return fitting
