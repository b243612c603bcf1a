"""Which entry of `books.yaml` covers a tax, where several nearly do."""

from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.shopify.models import Sale
from shopify_xero_pipeline_tests.books.builders import agreement, bag, order, organisation, sale, shown_line, tax


def kept(row: Sale, rates: str, **more: Any) -> OrderBooks:
    policy = BooksPolicy.from_yaml(f"post_when: placed\ntax: {{rates: [{rates}]}}", "books.yaml")
    return build_order_books(order(agreement(1, row), **more), policy, organisation())


def tax_type(row: Sale, rates: str, **more: Any) -> str:
    books = kept(row, rates, **more)
    assert books.outcome is Outcome.POST, books.reason
    return books.documents[0].lines[0].tax_type


VAT = sale("12.00", tax("2.00", "VAT", "0.2"))


def test_of_two_entries_that_say_equally_much_the_first_wins() -> None:
    assert tax_type(VAT, "{title: VAT, tax_type: BY_TITLE}, {rate: 0.2, tax_type: BY_RATE}") == "BY_TITLE"
    assert tax_type(VAT, "{rate: 0.2, tax_type: BY_RATE}, {title: VAT, tax_type: BY_TITLE}") == "BY_RATE"


def test_an_entry_with_title_and_rate_wins_over_one_with_either() -> None:
    both = "{title: VAT, rate: 0.2, tax_type: BOTH}"
    assert tax_type(VAT, f"{{title: VAT, tax_type: A}}, {{rate: 0.2, tax_type: B}}, {both}") == "BOTH"


def test_a_country_says_as_much_as_a_title() -> None:
    german = "{rate: 0.2, country: DE, tax_type: GERMAN}"
    there: dict[str, Any] = {"shipping_address": {"country_code_v2": "DE"}}
    assert tax_type(VAT, f"{{title: VAT, tax_type: A}}, {german}", **there) == "GERMAN"
    assert tax_type(VAT, f"{{title: VAT, rate: 0.2, tax_type: A}}, {german}", **there) == "A"


TWO = "{combination: [{title: GST}, {rate: 0.05}], tax_type: TWO}"


def test_each_part_of_a_combination_needs_a_tax_of_its_own() -> None:
    gst, pst, levy = tax("0.50", "GST", "0.05"), tax("0.70", "PST", "0.07"), tax("0.50", "Levy", "0.05")
    assert tax_type(sale("11.00", gst, levy), TWO) == "TWO"
    assert tax_type(sale("11.00", levy, gst), TWO) == "TWO"
    assert kept(sale("11.20", pst, gst), TWO).outcome is Outcome.BLOCKED
    assert kept(sale("11.20", gst, pst), TWO).outcome is Outcome.BLOCKED


def test_a_combination_of_three_is_found_in_any_order() -> None:
    three = "{combination: [{title: A}, {title: B}, {rate: 0.03}], tax_type: THREE}"
    a, b, c = tax("1.00", "A", "0.10"), tax("0.50", "B", "0.05"), tax("0.30", "C", "0.03")
    for row in (sale("11.80", a, b, c), sale("11.80", c, b, a), sale("11.80", b, c, a), sale("11.80", c, a, b)):
        assert tax_type(row, three) == "THREE"
    assert kept(sale("11.50", a, b), three).outcome is Outcome.BLOCKED


def test_a_combination_wins_over_a_less_telling_one() -> None:
    two = [tax("0.50", "GST", "0.05"), tax("0.70", "PST", "0.07")]
    loose = "{combination: [{title: GST}, {title: PST}], tax_type: LOOSE}"
    exact = "{combination: [{title: GST, rate: 0.05}, {title: PST}], tax_type: EXACT}"
    assert tax_type(sale("11.20", *two), f"{loose}, {exact}") == "EXACT"


def test_titles_are_compared_without_capitals_and_outer_spaces() -> None:
    assert tax_type(sale("12.00", tax("2.00", " vat", "0.2")), "{title: 'VAT ', tax_type: X}") == "X"


def test_a_tax_without_a_rate_is_not_one_of_a_stated_rate() -> None:
    assert kept(sale("12.00", tax("2.00", "VAT", None)), "{title: VAT, rate: 0.2, tax_type: X}").outcome is (
        Outcome.BLOCKED
    )


CODES = BooksPolicy.from_yaml(
    "post_when: placed\ntax: {none: N, untaxed: U, channel_liable: C, rates: [{title: GST, tax_type: G}]}", "books.yaml"
)


def coded(row: Sale, policy: BooksPolicy = CODES, **more: Any) -> list[str]:
    books = build_order_books(order(agreement(1, row), **more), policy, organisation())
    assert books.outcome is Outcome.POST, books.reason
    return [line.tax_type for line in books.documents[0].lines]


@pytest.mark.parametrize("line_type", ["PRODUCT", "SHIPPING", "FEE", "ADDITIONAL_FEE", "DUTY"])
def test_goods_and_services_without_any_tax_line_are_untaxed(line_type: str) -> None:
    assert coded(sale("5.00", line_type=line_type)) == ["U"]


@pytest.mark.parametrize("line_type", ["TIP", "ADJUSTMENT", "GIFT_CARD"])
def test_tips_adjustments_and_gift_cards_without_tax_are_outside_tax(line_type: str) -> None:
    assert coded(sale("5.00", line_type=line_type)) == ["N"]


def test_a_gift_card_is_outside_tax_even_with_a_tax_line_of_nothing() -> None:
    assert coded(sale("50.00", tax("0.00", "GST"), line_type="GIFT_CARD")) == ["N"]


def test_goods_whose_tax_the_channel_remits_have_a_type_of_their_own_unless_they_bear_own_tax_too() -> None:
    remitted = tax("2.00", "City", "0.02", channel_liable=True)
    assert coded(sale("102.00", remitted)) == ["C", "N"]
    assert coded(sale("117.00", tax("15.00"), remitted)) == ["G", "N"]
    assert coded(sale("100.00", tax("0.00", "City", "0.02", channel_liable=True))) == ["C"]


def test_rounding_and_mode_lines_are_outside_tax() -> None:
    stated: dict[str, Any] = {"original_total_price_set": bag("5.01"), "current_total_price_set": bag("5.01")}
    assert coded(sale("5.00"), **stated) == ["U", "N"]
    lines = BooksPolicy.from_yaml(
        "post_when: placed\ntax: {mode: lines, none: N, untaxed: U, lines: [{title: GST, account: 821}]}", "books.yaml"
    )
    assert coded(sale("11.50", tax("1.50")), lines) == ["N", "N"]


def test_a_small_taxed_row_is_one_line() -> None:
    (line,) = (
        build_order_books(order(agreement(1, sale("1.15", tax("0.15")))), CODES, organisation()).documents[0].lines
    )
    assert shown_line(line) == ("1.15", "0.15", "200", "G")


def test_a_row_of_nothing_but_own_and_channel_tax_is_split_from_its_base() -> None:
    row = sale("3.00", tax("2.00"), tax("1.00", "City", "0.01", channel_liable=True), action="UPDATE")
    books = build_order_books(order(agreement(1, row)), CODES, organisation())
    assert [shown_line(line) for line in books.documents[0].lines] == [
        ("15.33", "2.00", "200", "G"),
        ("-13.33", "0", "200", "N"),
        ("1.00", "0", "835", "N"),
    ]


def test_a_row_with_own_and_channel_tax_carries_its_own_and_gives_the_channels_a_line() -> None:
    row = sale("117.00", tax("15.00"), tax("2.00", "City", "0.02", channel_liable=True), quantity=2)
    for included, amount in ((True, "115.00"), (False, "100.00")):
        books = kept(row, "{title: GST, tax_type: OUTPUT2}", taxes_included=included)
        assert [shown_line(line) for line in books.documents[0].lines] == [
            (amount, "15.00", "200", "OUTPUT2"),
            ("2.00", "0", "835", "NONE"),
        ]
        assert books.documents[0].lines[1].description == "City 2 % remitted by the sales channel"
