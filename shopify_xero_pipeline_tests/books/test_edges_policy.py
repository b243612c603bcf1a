"""`books.yaml`, odd but legal: which line is named, what counts as true, false and nothing, what is offered instead."""

import pytest
from pydantic import BaseModel

from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError
from shopify_xero_pipeline.books.policy_file import parse_policy


class Wanting(BaseModel):
    """What `books.yaml` has none of at its top level: a setting without a default, and a whole number."""

    needed: str
    count: int = 0


def complaint(text: str, model: type[BaseModel] = BooksPolicy) -> str:
    with pytest.raises(PolicyError) as caught:
        parse_policy(model, text, "books.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tax:\n  rates:\n    - {rate: 0.15, tax_type: X}\n    - {rate: 0.2}",
            "books.yaml line 4: tax.rates[1].tax_type is missing; add it",
        ),
        (
            "tax:\n  rates:\n    - rate: 0.15\n      tax_type: X\n    - rate: 0.2\n      tax_type: ''",
            "books.yaml line 6: tax.rates[1].tax_type must not be empty, not ''",
        ),
        (
            "refund: {uncovered: adjust}\npayments: {gift_card: 831}",
            "books.yaml line 1: the file cannot be used: payments.gift_card is 831, but gift cards are sold on"
            " accounts.gift_cards 830; use one account for both, so that the liability can return to zero",
        ),
        (
            "time_zone: Mars/Base",
            "books.yaml line 1: time_zone cannot be used: 'Mars/Base' is not a time zone; write the shop's IANA zone,"
            " such as Pacific/Auckland or Europe/Berlin",
        ),
        (
            "prefix: 'S H'",
            "books.yaml line 1: prefix cannot be used: 'S H' cannot start a document number; use up to 20 letters,"
            " digits, dots, _ and -",
        ),
        (
            "rounding: {cap: 2}",
            "books.yaml line 1: rounding.cap cannot be 2; it should be less than or equal to 1",
        ),
        (
            "contacts: {zzz: 1}",
            "books.yaml line 1: contacts.zzz is not a setting; valid settings: adopt_by_email, guest_name, mode",
        ),
        (
            "tax:\n  rates:\n    - {combination: [{title: A}, {tile: B}], tax_type: X}",
            "books.yaml line 3: tax.rates[0].combination[1].tile is not a setting; did you mean title?",
        ),
        (
            "contacts: {mode: }",
            "books.yaml line 1: contacts.mode is empty; write one of 'per_customer' or 'single'",
        ),
        ("start_date: ~", "books.yaml line 1: start_date must be a day such as 2026-09-21"),
        ("start_date: Null", "books.yaml line 1: start_date must be a day such as 2026-09-21"),
        ("start_date: '~'", "books.yaml line 1: start_date must be a day such as 2026-09-21, not '~'"),
        ("prefix: true", "books.yaml line 1: prefix must be text, not True"),
        ("prefix: FALSE", "books.yaml line 1: prefix must be text, not False"),
        ("refund:", "books.yaml line 1: refund must be a group of settings (indented lines of 'name: value')"),
        (
            "a:\n  b: [",
            "books.yaml line 2: this is not YAML (expected the node content, but found '<stream end>'); check the"
            " indentation, the colon after the key and the quotes",
        ),
        (
            "a: \x00",
            "books.yaml line 1: this is not YAML (unreadable); check the indentation, the colon after the key"
            " and the quotes",
        ),
        (
            "refund: {uncovered: block, uncovered: adjust}\nprefix: A\nprefix: B",
            "books.yaml line 1: refund.uncovered appears twice; keep one\n"
            "books.yaml line 3: prefix appears twice; keep one",
        ),
    ],
)
def test_the_complaint_names_the_line_the_setting_and_the_remedy(text: str, message: str) -> None:
    assert complaint(text) == message


@pytest.mark.parametrize(
    ("text", "setting", "known"),
    [
        ("refund: {zzz: 1}", "refund.zzz", "uncovered"),
        ("rounding: {zzz: 1}", "rounding.zzz", "cap"),
        (
            "accounts: {overrides: [{sku: A, account: '200', zzz: 1}]}",
            "accounts.overrides[0].zzz",
            "account, product_type, sku, tag, vendor",
        ),
        (
            "tax: {zzz: 1}",
            "tax.zzz",
            "channel_liable, lines, mode, none, rates, untaxed, untaxed_by_country",
        ),
        (
            "tax: {rates: [{title: A, tax_type: X, zzz: 1}]}",
            "tax.rates[0].zzz",
            "combination, country, jurisdiction, province, rate, tax_type, title, title_like",
        ),
        (
            "tax: {rates: [{combination: [{title: A, zzz: 1}, {title: B}], tax_type: X}]}",
            "tax.rates[0].combination[0].zzz",
            "jurisdiction, rate, title, title_like",
        ),
        (
            "tax: {lines: [{title: A, account: '820', zzz: 1}]}",
            "tax.lines[0].zzz",
            "account, country, jurisdiction, province, rate, title, title_like",
        ),
    ],
)
def test_a_setting_that_resembles_none_lists_those_of_its_group(text: str, setting: str, known: str) -> None:
    assert complaint(text) == f"books.yaml line 1: {setting} is not a setting; valid settings: {known}"


def test_what_is_missing_from_an_empty_file_is_missing_on_its_first_line() -> None:
    assert complaint("", Wanting) == "books.yaml line 1: needed is missing; add it"
    assert complaint("\n\nother: 1", Wanting) == "books.yaml line 3: needed is missing; add it"


def test_a_complaint_without_words_of_its_own_is_passed_on() -> None:
    assert complaint("needed: A\ncount: many", Wanting) == (
        "books.yaml line 2: count Input should be a valid integer, unable to parse string as an integer, not 'many'"
    )


def test_true_and_false_are_written_without_quotes_in_any_capitals() -> None:
    for word, meant in (("true", True), ("True", True), ("FALSE", False), ("false", False)):
        text = f"contacts: {{adopt_by_email: {word}}}"
        assert BooksPolicy.from_yaml(text, "books.yaml").contacts.adopt_by_email is meant
    assert complaint("contacts: {adopt_by_email: 'false'}").endswith("must be true or false, not 'false'")


def test_a_value_written_as_nothing_is_nothing() -> None:
    for word in ("", "~", "null", "NULL"):
        text = f"tax: {{rates: [{{title: {word}, rate: 0.15, tax_type: X}}]}}"
        assert BooksPolicy.from_yaml(text, "books.yaml").tax.rates[0].title is None
    assert BooksPolicy.from_yaml("tax: {rates: [{title: 'null', tax_type: X}]}", "books.yaml").tax.rates[0].title == (
        "null"
    )
