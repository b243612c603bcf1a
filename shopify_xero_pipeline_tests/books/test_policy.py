"""Policies: exact numbers, and complaints a merchant can act on."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError

BOOKS_YAML = Path(__file__).parents[2] / "books.yaml"


def complaint(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        BooksPolicy.from_yaml(text, "books.yaml")
    return str(caught.value)


def test_the_repositorys_books_yaml_spells_every_policy_with_its_default() -> None:
    text = BOOKS_YAML.read_text()
    assert BooksPolicy.from_yaml(text, "books.yaml") == BooksPolicy()
    for group in (BooksPolicy(), BooksPolicy().accounts, BooksPolicy().tax, BooksPolicy().contacts):
        assert all(f"{name}:" in text for name in type(group).model_fields)


def test_an_empty_file_is_all_defaults() -> None:
    assert BooksPolicy.from_yaml("", "books.yaml") == BooksPolicy()
    assert BooksPolicy.from_yaml("# nothing yet\n---\n", "books.yaml") == BooksPolicy()


def test_numbers_are_exact_and_codes_keep_their_zeros() -> None:
    policy = BooksPolicy.from_yaml(
        "start_date: 2026-10-01\nrounding: {cap: 0.05}\naccounts: {sales: 0200}\npayments: {NO: 090}\n"
        "tax: {rates: [{title: yes, rate: 0.09975, tax_type: 1}]}",
        "books.yaml",
    )
    assert policy.rounding.cap == Decimal("0.05")
    assert policy.start_date == date(2026, 10, 1)
    assert (policy.accounts.sales, policy.payments) == ("0200", {"NO": "090"})
    assert (policy.tax.rates[0].title, policy.tax.rates[0].rate) == ("yes", Decimal("0.09975"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nprefx: A", "books.yaml line 2: prefx is not a setting; did you mean prefix?"),
        ("accounts:\n  shiping: 1", "books.yaml line 2: accounts.shiping is not a setting; did you mean shipping?"),
        (
            "refund: {zzz: 1}",
            "books.yaml line 1: refund.zzz is not a setting; valid settings: uncovered",
        ),
        (
            "tax:\n  rates:\n    - {titel: GST, rate: 0.15, tax_type: X}",
            "books.yaml line 3: tax.rates[0].titel is not a setting; did you mean title?",
        ),
        ("post_when: later", "books.yaml line 1: post_when cannot be 'later'; write one of 'paid' or 'placed'"),
        ("start_date: soon", "books.yaml line 1: start_date must be a day such as 2026-09-21, not 'soon'"),
        ("start_date: 2026-13-01", "books.yaml line 1: start_date must be a day such as 2026-09-21, not '2026-13-01'"),
        ("rounding: {cap: lots}", "books.yaml line 1: rounding.cap must be a number such as 0.05, not 'lots'"),
        (
            "rounding:\n  cap: -1",
            "books.yaml line 2: rounding.cap cannot be -1; it should be greater than or equal to 0",
        ),
        (
            "tax: {rates: [{rate: 15, tax_type: X}]}",
            "books.yaml line 1: tax.rates[0].rate cannot be 15; it should be less than 1 (15 % is written 0.15)",
        ),
        (
            "contacts: {adopt_by_email: yes}",
            "books.yaml line 1: contacts.adopt_by_email must be true or false, not 'yes'",
        ),
        ("accounts: {sales: }", "books.yaml line 1: accounts.sales must be text"),
        ("accounts: {sales: ''}", "books.yaml line 1: accounts.sales must not be empty, not ''"),
        ("tax: {lines: none}", "books.yaml line 1: tax.lines must be a list (lines that start with '- '), not 'none'"),
        (
            "tax: 15",
            "books.yaml line 1: tax must be a group of settings (indented lines of 'name: value'), not '15'",
        ),
        ("tax: {rates: [{rate: 0.15}]}", "books.yaml line 1: tax.rates[0].tax_type is missing; add it"),
        (
            "tax: {untaxed_by_country: {Australia: X}}",
            "books.yaml line 1: tax.untaxed_by_country.Australia must be a two-letter country code such as NZ,"
            " not 'Australia'",
        ),
        ("prefix: A\nprefix: B", "books.yaml line 2: prefix appears twice; keep one"),
        (
            "payments: &a {cash: '1'}\ntax: *a",
            "books.yaml line 2: references (*name) are not supported; write the value out",
        ),
        (
            "- a",
            "books.yaml line 1: expected settings as 'name: value' lines, for example 'time_zone: Pacific/Auckland'",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_line_key_and_remedy(text: str, message: str) -> None:
    assert complaint(text) == message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "time_zone: Mars/Base",
            "'Mars/Base' is not a time zone; write the shop's IANA zone, such as Pacific/Auckland",
        ),
        ("time_zone: ../etc", "is not a time zone"),
        ("prefix: 'S H'", "'S H' cannot start a document number; use up to 20 letters"),
        (
            "accounts: {overrides: [{account: 1}]}",
            "this override matches nothing: give product_type, vendor, tag or sku",
        ),
        ("tax: {rates: [{tax_type: X}]}", "give either title and/or rate (0.15 for 15 %), or a combination"),
        ("tax: {rates: [{combination: [{title: A}], tax_type: X}]}", "a combination of two or more taxes"),
        ("tax: {rates: [{combination: [{title: A}, {}], tax_type: X}]}", "give the tax's title, its rate"),
        ("tax: {lines: [{account: 1}]}", "give the tax's title, its rate"),
        ("payments: {gift_card: 831}", "use one account for both, so that the liability can return to zero"),
        ("accounts: {sales: 12345678901}", "accounts.sales is too long; write at most 10 characters"),
        ("a: [", "books.yaml line 1: this is not YAML"),
        ("a: b: c", "check the indentation, the colon after the key and the quotes"),
        ("a: \x00", "this is not YAML"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused_in_words(text: str, words: str) -> None:
    assert words in complaint(text)


def test_everything_wrong_is_told_at_once() -> None:
    assert len(complaint("prefx: A\npost_when: never\naccounts: {sale: 1}").splitlines()) == 3


def test_gift_cards_pay_from_the_account_they_are_sold_on() -> None:
    policy = BooksPolicy.from_yaml("payments: {gift_card: 830, Cash: 603}", "books.yaml")
    assert policy.payment_account("gift_card") == "830"
    assert policy.payment_account(" cash") == "603"
    assert policy.payment_account("other") is None
