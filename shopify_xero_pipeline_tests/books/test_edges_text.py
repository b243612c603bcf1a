"""Words at the edge of a length or of what Xero prints."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.contacts import (
    ContactResult,
    build_order_contact,
    contact_from_customer,
    contact_from_order,
    is_nameless,
)
from shopify_xero_pipeline.books.items import build_item, code_of
from shopify_xero_pipeline.books.policy import BooksPolicy, ContactPolicy, TaxAccount, TaxPolicy
from shopify_xero_pipeline.books.text import strip_control_chars, truncate
from shopify_xero_pipeline.shopify.models import Company, PhoneNumber, ProductRef, Variant
from shopify_xero_pipeline_tests.books.booking import posted
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    customer,
    gid,
    line_item,
    order,
    sale,
    tax,
    transaction,
)


def test_every_kind_of_white_space_becomes_one_space_and_what_does_not_print_goes() -> None:
    assert strip_control_chars("Aroha\tNgata") == "Aroha Ngata"
    assert strip_control_chars("a\u2003b\u00a0c\nd\r\ne") == "a b c d e"
    assert strip_control_chars("a\x00\x07b") == "ab"
    assert strip_control_chars(" \t ") == strip_control_chars(None) == ""


UNSEEN = ["\u200b\u200b", "\u00a0\u2060\ufeff", "\u00ad", "\u3164", "\u2800 \u2800", "\ufe0f", "\u0301", "\u200e\u200f"]


@pytest.mark.parametrize("text", UNSEEN)
def test_a_text_of_which_nothing_can_be_seen_is_no_text(text: str) -> None:
    assert strip_control_chars(text) == ""


@pytest.mark.parametrize("text", ["👨\u200d👩\u200d👧", "☕\ufe0f", "e\u0301", "a\u200b", "क\u094dष"])
def test_a_zero_width_character_in_a_text_that_can_be_seen_stays(text: str) -> None:
    assert strip_control_chars(text) == text


@pytest.mark.parametrize("text", UNSEEN)
def test_whatever_has_a_title_or_a_name_that_cannot_be_seen_is_called_something(text: str) -> None:
    rows = agreement(
        1,
        sale("11.50", tax("1.50", title=text), line=11),
        sale("5.00", line_type="SHIPPING", title=text),
    )
    money = [transaction(91, "16.50")]
    mode = TaxPolicy(mode="lines", lines=(TaxAccount(rate=Decimal("0.15"), account="821"),))
    lines = [line_item(11, "11.50", title=text, variant_title=text)]
    books = posted(
        order(rows, name=text, lines=lines, transactions=money, buyer=customer(7, text)), BooksPolicy(tax=mode)
    )
    (invoice,) = books.documents
    assert [line.description for line in invoice.lines] == ["Product", "Tax 15 %", "Shipping"]
    assert (invoice.number, invoice.reference) == ("SH-5001", "5001 shopify:5001/1")
    assert books.contact is not None
    assert books.contact.name == "Shopify customer 7"
    company = order(rows, company=Company(id=gid("Company", 3), name=text))
    assert build_order_contact(company, BooksPolicy()).name == "Shopify company 3"
    guest = BooksPolicy(contacts=ContactPolicy(guest_name=text))
    assert build_order_contact(order(rows, customer=None), guest).name == "Shopify guest"
    item = build_item(variant("A", text), text, shop_currency="NZD", base_currency="NZD")
    assert (item.name, item.description) == ("Product", "Product")


def test_a_line_without_a_title_is_called_what_its_product_is_called_now() -> None:
    mug = ProductRef(id=gid("Product", 1), title="Mug")
    subject = order(
        agreement(1, sale("11.50", line=11)),
        lines=[line_item(11, "11.50", title="\u200b", product=mug)],
        transactions=[transaction(91, "11.50")],
    )
    assert posted(subject).documents[0].lines[0].description == "Mug"


def test_a_tax_of_a_very_long_title_is_a_line_that_xero_takes() -> None:
    mode = TaxPolicy(mode="lines", lines=(TaxAccount(rate=Decimal("0.15"), account="821"),))
    rows = agreement(1, sale("115.00", tax("15.00", title="x" * 5000), line=11))
    subject = order(rows, lines=[line_item(11, "115.00")], transactions=[transaction(91, "115.00")])
    assert len(posted(subject, BooksPolicy(tax=mode)).documents[0].lines[1].description) == 4000


def test_a_text_of_just_the_right_length_is_not_cut() -> None:
    assert truncate("abcde", 5) == "abcde"
    assert truncate("abcdef", 5) == "abcd…"
    assert truncate("abc", 5, "()") == "abc()"
    assert truncate("abcd", 5, "()") == "ab…()"


def test_no_space_stands_before_the_ellipsis() -> None:
    assert truncate("blue whale", 6) == "blue…"
    assert truncate(" blue whale", 7) == " blue…"


def test_where_there_is_room_for_one_character_it_is_the_ellipsis() -> None:
    assert truncate("abc", 1) == "…"
    assert truncate("abc", 3, "()") == "…()"


def test_a_guest_whose_name_is_nothing_but_brackets_is_still_named() -> None:
    policy = BooksPolicy(contacts=ContactPolicy(guest_name="<>"))
    assert build_order_contact(order(agreement(1, sale("1.00")), customer=None), policy).name == "Shopify guest"


def test_a_contact_called_by_its_id_is_nameless_and_any_other_is_not() -> None:
    assert is_nameless(contact_from_customer(customer(7, name=" "), BooksPolicy()).contact)
    assert not is_nameless(contact_from_customer(customer(7, name="Shopify customer 8"), BooksPolicy()).contact)


def test_one_contact_for_all_takes_the_orders_of_companies_too() -> None:
    policy = BooksPolicy(contacts=ContactPolicy(mode="single"))
    subject = order(agreement(1, sale("1.00")), company=Company(id=gid("Company", 3), name="Acme"))
    assert build_order_contact(subject, policy).contact_number == "shopify:guest"
    assert contact_from_order(subject, policy).warnings == ()


def reached(email: str | None = None, phone: str | None = None) -> ContactResult:
    return contact_from_customer(
        customer(7, email=email).model_copy(
            update={"default_phone_number": None if phone is None else PhoneNumber(phone_number=phone)}
        ),
        BooksPolicy(),
    )


def test_a_customer_without_e_mail_and_telephone_is_not_warned_about() -> None:
    kept = reached()
    assert (kept.contact.email, kept.contact.phone, kept.warnings) == (None, None, ())


def test_an_e_mail_address_of_255_characters_and_a_telephone_number_of_50_are_kept() -> None:
    email, phone = "x" * 243 + "@example.com", "1" * 50
    kept = reached(email, phone)
    assert (kept.contact.email, kept.contact.phone, kept.warnings) == (email, phone, ())
    kept = reached("x" + email, "1" + phone)
    assert (kept.contact.email, kept.contact.phone) == (None, None)
    assert kept.warnings == (
        "customer 7: Xero does not accept the e-mail address, so it was left out",
        "customer 7: the telephone number exceeds Xero's 50 characters, so it was left out",
    )


def variant(sku: str, title: str) -> Variant:
    return Variant(id=gid("ProductVariant", 21), title=title, sku=sku, price=Decimal("12.50"))


def test_an_item_is_described_by_both_titles_however_long() -> None:
    long = "A very long product title that goes on and on and on"
    item = build_item(variant("A", "Large / Blue"), long, shop_currency="NZD", base_currency="NZD")
    assert item.description == f"{long} - Large / Blue"


def test_a_sku_of_one_character_is_a_code() -> None:
    assert code_of(variant("A", "Blue"), {}) == "A"
