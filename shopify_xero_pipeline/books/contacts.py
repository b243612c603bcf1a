"""Contacts of Xero, built from customers, companies and guests of Shopify (docs/books.md §7).

This module only builds Contacts. `changes/` adopts existing Contacts and resolves name clashes. A value that Xero would
reject is omitted with a warning; no warning contains personal data.
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

# Xero's limits in characters (docs/contracts/xero.md §6.1).
NAME_LIMIT = 255
EMAIL_LIMIT = 255
PHONE_LIMIT = 50
STREET_LIMIT = 500
CITY_LIMIT = 255
POSTAL_CODE_LIMIT = 50
EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
COUNTRY = re.compile(r"[A-Za-z]{1,50}")


@dataclass(frozen=True)
class ContactResult:
    """A Contact with the warnings about omitted values."""

    contact: Contact
    warnings: tuple[str, ...] = ()


def build_contact(customer: Customer, policy: BooksPolicy) -> Contact:
    """Return the Contact of a customer, or the shared Contact if `contacts.mode` is `single`."""
    return contact_from_customer(customer, policy).contact


def build_order_contact(order: Order, policy: BooksPolicy) -> Contact:
    """Return the Contact of an order's documents: the buying company, else the customer, else the guest."""
    return contact_from_order(order, policy).contact


def contact_from_order(order: Order, policy: BooksPolicy) -> ContactResult:
    """Return the Contact of an order's documents with its warnings."""
    if policy.contacts.mode == "per_customer" and order.company is not None:
        return ContactResult(_company(order.company))
    return ContactResult(_guest(policy)) if order.customer is None else contact_from_customer(order.customer, policy)


def contact_from_customer(customer: Customer, policy: BooksPolicy) -> ContactResult:
    """Return the Contact of a customer with its warnings."""
    if policy.contacts.mode == "single":
        return ContactResult(_guest(policy))
    key = customer.legacy_id
    warnings: list[str] = []
    contact = Contact(
        shopify_id=key,
        contact_number=references.contact_number(key),
        name=_name(strip_control_chars(customer.display_name), NAMELESS.format(key), key),
        first_name=_short(customer.first_name, NAME_LIMIT),
        last_name=_short(customer.last_name, NAME_LIMIT),
        email=_email(customer, warnings),
        phone=_phone(customer, warnings),
        address=_address(customer, warnings),
    )
    return ContactResult(contact, tuple(warnings))


def is_nameless(contact: Contact) -> bool:
    """Return whether a Contact is named by its id, because the customer has no name."""
    return contact.name == NAMELESS.format(contact.shopify_id)


def with_id_suffix(contact: Contact) -> Contact:
    """Return the Contact with its id in its name, `John Smith (1234)`, for a name already in use."""
    suffix = _suffix(contact.shopify_id)
    if contact.name.endswith(suffix):
        return contact
    return contact.model_copy(update={"name": truncate(contact.name, NAME_LIMIT, suffix)})


def _company(company: Company) -> Contact:
    """Return the Contact of a company, without e-mail and address: its buyers' ones would overwrite each other."""
    key = f"company:{company.legacy_id}"
    name = _name(strip_control_chars(company.name), f"Shopify company {company.legacy_id}", key)
    return Contact(shopify_id=key, contact_number=references.contact_number(key), name=name)


def _guest(policy: BooksPolicy) -> Contact:
    name = _name(strip_control_chars(policy.contacts.guest_name), "Shopify guest", GUEST)
    return Contact(shopify_id=GUEST, contact_number=references.contact_number(GUEST), name=name)


def _name(name: str, fallback: str, key: str) -> str:
    """Clean a name for Xero (docs/contracts/xero.md §6.1) and reserve room for the suffix of `with_id_suffix`."""
    cleaned = strip_control_chars(name.replace("<", "").replace(">", ""))
    return truncate(cleaned or fallback, NAME_LIMIT - len(_suffix(key)))


def _suffix(key: str) -> str:
    return f" ({key.rpartition(':')[2]})"


def _short(text: str | None, limit: int) -> str | None:
    return truncate(strip_control_chars(text), limit) or None


def _email(customer: Customer, warnings: list[str]) -> str | None:
    email = strip_control_chars(customer.default_email_address.email_address) if customer.default_email_address else ""
    if email and (len(email) > EMAIL_LIMIT or not EMAIL.fullmatch(email)):
        warnings.append(f"customer {customer.legacy_id}: Xero does not accept the e-mail address, so it was left out")
        return None
    return email or None


def _phone(customer: Customer, warnings: list[str]) -> str | None:
    phone = strip_control_chars(customer.default_phone_number.phone_number) if customer.default_phone_number else ""
    if len(phone) > PHONE_LIMIT:
        warnings.append(
            f"customer {customer.legacy_id}: the telephone number exceeds Xero's 50 characters, so it was left out"
        )
        return None
    return phone or None


def _address(customer: Customer, warnings: list[str]) -> PostalAddress | None:
    address = customer.default_address
    if address is None:
        return None
    postal_address = PostalAddress(
        line1=_short(address.address1, STREET_LIMIT),
        line2=_short(address.address2, STREET_LIMIT),
        city=_short(address.city, CITY_LIMIT),
        region=_short(address.province, CITY_LIMIT),
        postal_code=_short(address.zip, POSTAL_CODE_LIMIT),
        country=_country(customer, address, warnings),
    )
    return postal_address if postal_address != PostalAddress() else None


def _country(customer: Customer, address: Address, warnings: list[str]) -> str | None:
    """Return the country's name, or its two-letter code if the name is not letters only, as Xero requires."""
    candidates = [strip_control_chars(address.country), strip_control_chars(address.country_code_v2)]
    country = next((candidate for candidate in candidates if COUNTRY.fullmatch(candidate)), None)
    if country is None and any(candidates):
        warnings.append(f"customer {customer.legacy_id}: the country is not letters only, so it was left out")
    return country
