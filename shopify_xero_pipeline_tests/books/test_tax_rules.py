"""Entries for many taxes at once: families by pattern, kind of jurisdiction and place, and catch-alls."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError
from shopify_xero_pipeline.books.records import Outcome
from shopify_xero_pipeline.books.tax_rules import jurisdiction_of
from shopify_xero_pipeline.books.tax_usage import MatchedTaxes, match_taxes, tax_usage
from shopify_xero_pipeline.shopify.models import Address, SaleTax
from shopify_xero_pipeline_tests.books.builders import agreement, order, organisation, sale, tax

TITLES = {
    "California State Tax": "state",
    "New York State Tax": "state",
    "Los Angeles County Tax": "county",
    "Orleans Parish Tax": "county",
    "Lynwood City Tax": "city",
    "Salt Lake City Tax": "city",
    "New York City Tax": "city",
    "Carson City County Tax": "county",
    "San Juan Municipal Tax": "city",
    "Los Angeles County District Tax Sp": "district",
    "Los Angeles Co Local Tax Sl": "district",
    "Denver Transit Tax": "district",
    "GST": None,
    "VAT": None,
    "Cook Islands VAT": None,
}


@pytest.mark.parametrize("title", TITLES)
def test_the_last_word_that_says_so_tells_who_levies_a_tax(title: str) -> None:
    assert jurisdiction_of(title) == TITLES[title]


def chosen(rules: str, *taxes: SaleTax, mode: str = "lines", to: dict[str, str] | None = None) -> list[str]:
    """Return the accounts of the tax lines, or the tax types of all lines, of one row with these taxes."""
    own = sum((one.amount.shop_money.amount for one in taxes), Decimal(0))
    address = None if to is None else Address.model_validate(to)
    subject = order(agreement(1, sale(str(100 + own), *taxes)), taxes_included=False, shipping_address=address)
    policy = BooksPolicy.from_yaml(f"post_when: placed\ntax:\n  mode: {mode}\n  {mode}:\n{rules}", "books.yaml")
    books = build_order_books(subject, policy, organisation())
    if books.outcome is not Outcome.POST:
        return [books.reason]
    lines = books.documents[0].lines
    return [line.account_code for line in lines[1:]] if mode == "lines" else [line.tax_type for line in lines]


COUNTIES = """
    - {jurisdiction: county, account: "820"}
    - {title_like: "* County Tax", account: "821"}
    - {title_like: "Los Angeles * Tax", account: "822"}
    - {title: Alameda County Tax, account: "823"}
    - {country: US, jurisdiction: county, account: "824"}
    - {country: US, province: CA, jurisdiction: county, account: "825"}
    - {country: US, account: "826"}
    - {title_like: "*", account: "827"}
"""
CALIFORNIA, TEXAS = {"countryCodeV2": "US", "provinceCode": "CA"}, {"countryCodeV2": "US", "provinceCode": "TX"}


@pytest.mark.parametrize(
    ("title", "to", "account"),
    [
        ("Alameda County Tax", None, "823"),
        ("ALAMEDA COUNTY TAX ", CALIFORNIA, "823"),  # one tax before any family
        ("Fresno County Tax", CALIFORNIA, "825"),
        ("Fresno County Tax", TEXAS, "824"),
        ("Fresno County Tax", {"countryCodeV2": "MX", "provinceCode": "CA"}, "821"),
        ("Fresno County Tax", None, "821"),
        ("Los Angeles County Tax", None, "822"),  # the pattern with more letters of its own
        ("Orleans Parish Tax", None, "820"),
        ("California State Tax", CALIFORNIA, "826"),
        ("VAT", {"countryCodeV2": "GB"}, "827"),
        ("VAT", None, "827"),
    ],
)
def test_of_all_entries_that_fit_the_most_exact_one_wins(title: str, to: dict[str, str] | None, account: str) -> None:
    assert chosen(COUNTIES, tax("0.25", title, "0.0025"), to=to) == [account]


def test_the_order_of_the_entries_decides_only_between_equals() -> None:
    backwards = "\n".join(reversed(COUNTIES.strip("\n").splitlines()))
    for title, to in (("Alameda County Tax", CALIFORNIA), ("Fresno County Tax", TEXAS), ("VAT", None)):
        one = tax("0.25", title, "0.0025")
        assert chosen(backwards, one, to=to) == chosen(COUNTIES, one, to=to)
    twins = (
        "    - {country: US, jurisdiction: city, account: '1'}\n    - {country: US, jurisdiction: city, account: '2'}"
    )
    assert chosen(twins, tax("1.00", "Lynwood City Tax", "0.01"), to=TEXAS) == ["1"]


def test_a_rate_makes_a_family_more_exact_and_must_be_the_taxs_own() -> None:
    rules = "    - {title_like: '* County Tax', account: '1'}\n    - {jurisdiction: county, rate: 0.0025, account: '2'}"
    assert chosen(rules, tax("0.25", "Fresno County Tax", "0.0025")) == ["2"]
    assert chosen(rules, tax("0.50", "Fresno County Tax", "0.005")) == ["1"]


def test_of_two_equal_patterns_the_one_with_a_jurisdiction_wins() -> None:
    rules = "    - {title_like: '*Tax', account: '1'}\n    - {title_like: '*Tax', jurisdiction: city, account: '2'}"
    assert chosen(rules, tax("1.00", "Lynwood City Tax", "0.01")) == ["2"]
    assert chosen(rules, tax("1.00", "Fresno County Tax", "0.01")) == ["1"]


def test_a_pattern_means_its_other_characters_as_they_stand() -> None:
    rules = "    - {title_like: 'Tax [A] (5.?%)*', account: '1'}"
    assert chosen(rules, tax("1.00", "TAX [a] (5.5%) and more")) == ["1"]
    for title in ("Tax A (5.5%)", "Tax [A] (5.55%)", "A Tax [A] (5.5%)", "Tax [A] (5x5%)"):
        assert chosen(rules, tax("1.00", title))[0].startswith("no account for the tax")


RATES = """
    - {combination: [{jurisdiction: state}, {jurisdiction: county}], tax_type: TWO}
    - {combination: [{title: California State Tax}, {jurisdiction: county}], tax_type: CALIFORNIA}
    - {country: US, tax_type: US}
    - {rate: 0, tax_type: ZERO}
    - {title_like: "*", tax_type: ANY}
"""


@pytest.mark.parametrize(
    ("titles", "to", "tax_type"),
    [
        (("Texas State Tax", "Travis County Tax"), TEXAS, "TWO"),
        (("Fresno County Tax", "California State Tax"), CALIFORNIA, "CALIFORNIA"),
        (("Texas State Tax", "Travis County Tax", "Austin City Tax"), TEXAS, "US"),
        (("Texas State Tax",), TEXAS, "US"),
        (("GST", "PST"), {"countryCodeV2": "CA"}, "ANY"),
    ],
)
def test_families_stand_in_combinations_and_a_catch_all_takes_any_combination(
    titles: tuple[str, ...], to: dict[str, str], tax_type: str
) -> None:
    assert chosen(RATES, *(tax("1.00", title, "0.01") for title in titles), mode="rates", to=to) == [tax_type]


def test_a_catch_all_leaves_a_tax_of_nothing_to_the_entry_for_it() -> None:
    assert chosen(RATES, tax("0.00", "Export", "0"), mode="rates", to=TEXAS) == ["ZERO"]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("{account: '1'}", "give the tax's title, its rate (0.15 for 15 %), or both; or title_like, jurisdiction or"),
        ("{title: A, title_like: 'A*', account: '1'}", "give title or title_like, not both"),
        ("{title: A, province: CA, account: '1'}", "give the country of the province too"),
        ("{title: A, country: US, province: California, account: '1'}", "'California' is not a province code"),
        ("{jurisdiction: parish, account: '1'}", "jurisdiction cannot be 'parish'; write one of 'state', 'county'"),
        ("{title_like: '', account: '1'}", "title_like must not be empty"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_with_its_remedy(rule: str, complaint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        BooksPolicy.from_yaml(f"tax: {{mode: lines, lines: [{rule}]}}", "books.yaml")
    assert complaint in str(caught.value)


def rows(*taxes: SaleTax, number: int = 5001, to: dict[str, str] | None = None, **stated: Any) -> Any:
    address = None if to is None else Address.model_validate(to)
    own = sum((one.amount.shop_money.amount for one in taxes), Decimal(0))
    entry = agreement(1, sale(str(100 + own), *taxes), sale(str(100 + own), *taxes, number=2))
    return order(entry, number=number, taxes_included=False, shipping_address=address, **stated)


def told(found: list[MatchedTaxes]) -> list[tuple[str, str, str, list[tuple[str, int, str]]]]:
    return [
        (
            one.setting,
            one.criteria,
            one.goes_to,
            [
                (" + ".join(tax.label for tax in seen.taxes), seen.orders, " + ".join(map(str, seen.amounts)))
                for seen in one.taxes
            ],
        )
        for one in found
    ]


STATE, ALAMEDA, MARIN = (
    tax("6.00", "California State Tax", "0.06"),
    tax("0.25", "Alameda County Tax", "0.0025"),
    tax("0.25", "Marin County Tax", "0.0025"),
)


def test_what_an_entry_took_in_is_told_tax_by_tax_with_orders_and_money() -> None:
    policy = BooksPolicy.from_yaml(
        "tax: {mode: lines, lines: [{title: California State Tax, account: '821'},"
        " {country: US, province: CA, jurisdiction: county, account: '822'}, {jurisdiction: city, account: '823'}]}",
        "books.yaml",
    )
    orders = [
        rows(STATE, ALAMEDA, to=CALIFORNIA),
        rows(STATE, MARIN, to=CALIFORNIA, number=5002),
        rows(STATE, MARIN, to=TEXAS, number=5003),
        rows(STATE, MARIN, to=CALIFORNIA, number=5004, test=True),
    ]
    seen = [*tax_usage(orders[:1]), *tax_usage(orders[1:])]
    assert told(match_taxes(policy, seen)) == [
        (
            "tax.lines[0]",
            "title: California State Tax",
            "821",
            [("California State Tax 6 %", 2, "24.00"), ("California State Tax 6 %", 1, "12.00")],
        ),
        (
            "tax.lines[1]",
            "jurisdiction: county, country: US, province: CA",
            "822",
            [("Alameda County Tax 0.25 %", 1, "0.50"), ("Marin County Tax 0.25 %", 1, "0.50")],
        ),
        ("tax.lines[2]", "jurisdiction: city", "823", []),
        ("tax.lines", "no entry: these orders are blocked", "", [("Marin County Tax 0.25 %", 1, "0.50")]),
    ]


def test_in_mode_rates_the_taxes_of_a_row_are_taken_in_together_and_those_a_channel_remits_are_left_out() -> None:
    policy = BooksPolicy.from_yaml(
        "tax: {rates: [{combination: [{jurisdiction: state}, {jurisdiction: county}], tax_type: TWO},"
        " {title_like: '*', tax_type: ANY}]}",
        "books.yaml",
    )
    channel = tax("1.00", "Marketplace", "0.01", channel_liable=True)
    seen = tax_usage([rows(MARIN, STATE), rows(STATE, channel, number=5002), rows(channel, number=5003)])
    assert told(match_taxes(policy, seen)) == [
        (
            "tax.rates[0]",
            "combination: [jurisdiction: state; jurisdiction: county]",
            "TWO",
            [("California State Tax 6 % + Marin County Tax 0.25 %", 1, "12.00 + 0.50")],
        ),
        ("tax.rates[1]", "title_like: *", "ANY", [("California State Tax 6 %", 1, "12.00")]),
    ]


def test_an_entry_that_stands_twice_takes_everything_in_at_its_first_place() -> None:
    policy = BooksPolicy.from_yaml(
        "tax: {mode: lines, lines: [{title: A, account: '1'}, {title: A, account: '1'}]}", "books.yaml"
    )
    found = match_taxes(policy, tax_usage([rows(tax("1.00", "A"))]))
    assert [len(one.taxes) for one in found] == [1, 0]


def test_taxes_of_one_title_are_one_combination_in_any_order_and_one_without_a_rate_is_first() -> None:
    without, low, high = tax("9.00", "Levy", None), tax("2.00", "Levy", "0.01"), tax("1.00", "Levy", "0.02")
    seen = tax_usage([rows(high, low, without), rows(without, high, low, number=5002)])
    assert [([name.label for name in one.taxes], one.orders, one.amounts) for one in seen] == [
        (["Levy", "Levy 1 %", "Levy 2 %"], 2, (36, 8, 4))
    ]
    higher = tax("1.00", "Levy", "2")
    assert [name.rate for name in tax_usage([rows(higher, low, without)])[0].taxes] == [None, Decimal("0.01"), 2]


def test_an_entry_is_told_with_all_its_conditions() -> None:
    policy = BooksPolicy.from_yaml(
        "tax: {rates: [{title: GST, rate: 0.15, country: NZ, tax_type: A},"
        " {title_like: 'V*', jurisdiction: state, rate: 0.2, country: US, province: CA, tax_type: B}]}",
        "books.yaml",
    )
    assert [one.criteria for one in match_taxes(policy, [])] == [
        "title: GST, rate: 0.15, country: NZ",
        "title_like: V*, jurisdiction: state, rate: 0.2, country: US, province: CA",
    ]
