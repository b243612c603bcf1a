"""Contacts: named within Xero's rules, never refused for one bad field, and no personal data in a warning."""

from typing import Any

import pytest

from shopify_xero_pipeline.books.contacts import (
    build_contact,
    build_order_contact,
    contact_from_customer,
    contact_from_order,
    with_id_suffix,
)
from shopify_xero_pipeline.books.policy import BooksPolicy, ContactPolicy
from shopify_xero_pipeline.shopify.models import Address, Company, Customer, EmailAddress, PhoneNumber
from shopify_xero_pipeline.xero.models import PostalAddress
from shopify_xero_pipeline_tests.books.builders import NOON, agreement, customer, gid, order, sale

POLICY = BooksPolicy()


def named(name: str) -> str:
    return build_contact(customer(7, name), POLICY).name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Aroha Ngata", "Aroha Ngata"),
        ("  Aroha \t Ngata\n", "Aroha Ngata"),
        ("<b>Aroha</b>", "bAroha/b"),
        ("Aro\x00ha", "Aroha"),
        ("", "Shopify customer 7"),
        ("<>", "Shopify customer 7"),
    ],
)
def test_a_name_is_cleaned_for_xero(given: str, expected: str) -> None:
    assert named(given) == expected


def test_a_long_name_leaves_room_for_the_suffix_of_a_clash() -> None:
    contact = build_contact(customer(1234567890, "x" * 400), POLICY)
    suffixed = with_id_suffix(contact)
    assert len(suffixed.name) == 255
    assert suffixed.name == contact.name + " (1234567890)"
    assert with_id_suffix(suffixed) == suffixed


def test_a_company_and_the_guest_get_suffixes_of_their_own() -> None:
    company = order(agreement(1, sale("1.00")), company=Company(id=gid("Company", 3), name="Acme"))
    assert with_id_suffix(build_order_contact(company, POLICY)).name == "Acme (3)"
    guest = order(agreement(1, sale("1.00")), customer=None)
    assert with_id_suffix(build_order_contact(guest, POLICY)).name == "Shopify guest (guest)"


def test_a_company_without_a_name_is_known_by_its_id() -> None:
    nameless = order(agreement(1, sale("1.00")), company=Company(id=gid("Company", 3), name=" "))
    assert build_order_contact(nameless, POLICY).name == "Shopify company 3"


def test_an_order_without_a_customer_goes_to_the_one_guest() -> None:
    contact = build_order_contact(order(agreement(1, sale("1.00")), customer=None), POLICY)
    assert (contact.shopify_id, contact.contact_number, contact.name) == ("guest", "shopify:guest", "Shopify guest")


def test_a_single_contact_takes_all_orders_and_customers_if_the_merchant_wants_it() -> None:
    single = BooksPolicy(contacts=ContactPolicy(mode="single", guest_name="Web  shop"))
    assert build_contact(customer(), single).name == "Web shop"
    assert build_order_contact(order(agreement(1, sale("1.00"))), single).shopify_id == "guest"


def whole(**changes: Any) -> Customer:
    content: dict[str, object] = {
        "id": gid("Customer", 7),
        "display_name": "Aroha Ngata",
        "first_name": "Aroha",
        "last_name": " ",
        "default_email_address": EmailAddress(email_address="aroha@example.com"),
        "default_phone_number": PhoneNumber(phone_number="+64211234567"),
        "default_address": Address(
            address1="1 Queen St", city="Auckland", zip="1010", country="New Zealand", country_code_v2="NZ"
        ),
        "updated_at": NOON,
    }
    return Customer.model_validate({**content, **changes})


def test_a_whole_customer_is_a_whole_contact_and_blanks_are_left_out() -> None:
    contact = build_contact(whole(), POLICY)
    assert (contact.first_name, contact.last_name) == ("Aroha", None)
    assert (contact.email, contact.phone) == ("aroha@example.com", "+64211234567")
    assert contact.address == PostalAddress(line1="1 Queen St", city="Auckland", postal_code="1010", country="NZ")
    assert contact_from_customer(whole(), POLICY).warnings == ()


def test_a_country_of_one_word_is_kept_and_one_without_letters_is_dropped_with_a_warning() -> None:
    assert contact_from_customer(
        whole(default_address=Address(country="France")), POLICY
    ).contact.address == PostalAddress(country="France")
    odd = contact_from_customer(whole(default_address=Address(country="Côte d'Ivoire", city="Abidjan")), POLICY)
    assert odd.contact.address == PostalAddress(city="Abidjan")
    assert odd.warnings == ("customer 7: the country is not letters only, so it was left out",)


def test_an_address_without_a_word_is_no_address() -> None:
    assert build_contact(whole(default_address=Address()), POLICY).address is None
    assert build_contact(whole(default_address=None), POLICY).address is None


@pytest.mark.parametrize("email", ["nobody", "a b@example.com", "jörg@example.com", "a@b", "x" * 250 + "@example.com"])
def test_an_email_address_xero_refuses_is_dropped_with_a_warning_that_does_not_repeat_it(email: str) -> None:
    kept = contact_from_customer(whole(default_email_address=EmailAddress(email_address=email)), POLICY)
    assert kept.contact.email is None
    assert kept.warnings == ("customer 7: Xero does not accept the e-mail address, so it was left out",)


def test_a_telephone_number_too_long_for_xero_is_dropped_with_a_warning() -> None:
    kept = contact_from_customer(whole(default_phone_number=PhoneNumber(phone_number="1" * 51)), POLICY)
    assert kept.contact.phone is None
    assert len(kept.warnings) == 1


def test_fields_are_cut_at_xeros_lengths() -> None:
    long = "y" * 600
    address = Address(address1=long, address2=long, city=long, province=long, zip=long)
    contact = build_contact(whole(first_name=long, last_name=long, default_address=address), POLICY)
    assert contact.address is not None
    lengths = [len(text or "") for text in (contact.first_name, contact.last_name, contact.address.line1)]
    lengths += [len(text or "") for text in (contact.address.line2, contact.address.city, contact.address.region)]
    assert [*lengths, len(contact.address.postal_code or "")] == [255, 255, 500, 500, 255, 255, 50]


def test_an_orders_warnings_are_those_of_its_customer() -> None:
    subject = order(agreement(1, sale("1.00")), buyer=customer(7, "A", "nobody"))
    assert len(contact_from_order(subject, POLICY).warnings) == 1
