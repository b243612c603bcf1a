"""Words at the edge of a length or of what Xero prints."""

from decimal import Decimal

from shopify_xero_pipeline.books.contacts import Kept, contact_of_order, contact_warnings, is_nameless, kept_customer
from shopify_xero_pipeline.books.items import code_of, item_of
from shopify_xero_pipeline.books.policy import BooksPolicy, ContactPolicy
from shopify_xero_pipeline.books.text import cut, plain
from shopify_xero_pipeline.shopify.models import Company, PhoneNumber, Variant
from shopify_xero_pipeline_tests.books.builders import NOON, agreement, customer, gid, order, sale


def test_every_kind_of_white_space_becomes_one_space_and_what_does_not_print_goes() -> None:
    assert plain("Aroha\tNgata") == "Aroha Ngata"
    assert plain("a\u2003b\u00a0c\nd\r\ne") == "a b c d e"
    assert plain("a\x00\x07b") == "ab"
    assert plain(" \t ") == plain(None) == ""


def test_a_text_of_just_the_right_length_is_not_cut() -> None:
    assert cut("abcde", 5) == "abcde"
    assert cut("abcdef", 5) == "abcd…"
    assert cut("abc", 5, "()") == "abc()"
    assert cut("abcd", 5, "()") == "ab…()"


def test_no_space_stands_before_the_ellipsis() -> None:
    assert cut("blue whale", 6) == "blue…"
    assert cut(" blue whale", 7) == " blue…"


def test_where_there_is_room_for_one_character_it_is_the_ellipsis() -> None:
    assert cut("abc", 1) == "…"
    assert cut("abc", 3, "()") == "…()"


def test_a_guest_whose_name_is_nothing_but_brackets_is_still_named() -> None:
    policy = BooksPolicy(contacts=ContactPolicy(guest_name="<>"))
    assert contact_of_order(order(agreement(1, sale("1.00")), customer=None), policy).name == "Shopify guest"


def test_a_contact_called_by_its_id_is_nameless_and_any_other_is_not() -> None:
    assert is_nameless(kept_customer(customer(7, name=" "), BooksPolicy()).contact)
    assert not is_nameless(kept_customer(customer(7, name="Shopify customer 8"), BooksPolicy()).contact)


def test_one_contact_for_all_takes_the_orders_of_companies_too() -> None:
    policy = BooksPolicy(contacts=ContactPolicy(mode="single"))
    subject = order(agreement(1, sale("1.00")), company=Company(id=gid("Company", 3), name="Acme"))
    assert contact_of_order(subject, policy).contact_number == "shopify:guest"
    assert contact_warnings(subject, policy) == ()


def reached(email: str | None = None, phone: str | None = None) -> Kept:
    return kept_customer(
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
        "customer 7: the e-mail address is not one Xero accepts and was left out",
        "customer 7: the telephone number is longer than Xero's 50 characters and was left out",
    )


def variant(sku: str, title: str) -> Variant:
    return Variant(
        id=gid("ProductVariant", 21), title=title, display_name="", sku=sku, price=Decimal("12.50"), updated_at=NOON
    )


def test_an_item_is_described_by_both_titles_however_long() -> None:
    long = "A very long product title that goes on and on and on"
    item = item_of(variant("A", "Large / Blue"), long, shop_currency="NZD", base_currency="NZD")
    assert item.description == f"{long} - Large / Blue"


def test_a_sku_of_one_character_is_a_code() -> None:
    assert code_of(variant("A", "Blue"), {}) == "A"
