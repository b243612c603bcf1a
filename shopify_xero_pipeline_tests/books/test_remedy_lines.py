"""The line of each remedy: whether it is added or replaces a value, its place, and the YAML character by character."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.remedies import Remedy
from shopify_xero_pipeline.books.tax_usage import TaxName

CITY = TaxName(title="City Tax", rate=Decimal("0.010"))
FREE = TaxName(title="Free", rate=Decimal(0))
ADJUST = ("refund", "uncovered", "adjust")
LONG = "Zahlung per Rechnung innerhalb von vierzehn Tagen nach Erhalt der Ware ohne Abzug und ohne weitere Mahnung"


def chosen(text: str) -> BooksPolicy:
    return BooksPolicy.from_yaml(text, "books.yaml")


@pytest.mark.parametrize(
    ("yaml", "group", "name", "value", "remedy"),
    [
        ("", "", "opening", "post", Remedy("add to", "", "opening: post")),
        ("opening: block", "", "opening", "post", Remedy("set in", "", "opening: post")),
        ("", "refund", "uncovered", "adjust", Remedy("add to", "", "refund: {uncovered: adjust}")),
        ("refund: {}", "refund", "uncovered", "adjust", Remedy("add to", "refund", "uncovered: adjust")),
        (
            "refund: {uncovered: block}",
            "refund",
            "uncovered",
            "adjust",
            Remedy("set in", "refund", "uncovered: adjust"),
        ),
    ],
)
def test_a_setting_is_replaced_where_the_file_has_it_and_added_where_not(
    yaml: str, group: str, name: str, value: str, remedy: Remedy
) -> None:
    assert remedies.setting(chosen(yaml), group, name, value) == remedy


@pytest.mark.parametrize(
    ("yaml", "remedy"),
    [
        ("", Remedy("add to", "", "tax: {lines: [{title: City Tax, rate: 0.01, account: '820'}]}")),
        ("tax: {mode: lines}", Remedy("add to", "tax", "lines: [{title: City Tax, rate: 0.01, account: '820'}]")),
        ("tax: {lines: []}", Remedy("set in", "tax", "lines: [{title: City Tax, rate: 0.01, account: '820'}]")),
        (
            "tax: {lines: [{title: State, account: '821'}]}",
            Remedy("add to", "tax.lines", "- {title: City Tax, rate: 0.01, account: '820'}"),
        ),
    ],
)
def test_an_entry_of_a_list_of_taxes_comes_with_the_settings_above_it_that_the_file_lacks(
    yaml: str, remedy: Remedy
) -> None:
    assert remedies.tax_account(chosen(yaml), CITY, "820") == remedy


def test_a_tax_of_nothing_has_its_rate_in_its_entry() -> None:
    policy = chosen("tax: {rates: [{title: VAT, tax_type: A}]}")
    assert remedies.tax_rate(policy, [FREE], "ZERO").line == "- {title: Free, rate: 0, tax_type: ZERO}"
    assert remedies.tax_rate(policy, [FREE, CITY], "ZERO").line == (
        "- {combination: [{title: Free, rate: 0}, {title: City Tax, rate: 0.01}], tax_type: ZERO}"
    )


@pytest.mark.parametrize(
    ("yaml", "remedy"),
    [
        ("payments: {cash: '603'}", Remedy("add to", "payments", "acme: '611'")),
        ("payments: {}", Remedy("set in", "", "payments: {acme: '611'}")),
        (
            "",
            Remedy(
                "add to",
                "",
                "payments: {shopify_payments: '601', paypal: '602', cash: '603', manual: '604', Bank Deposit: '604',"
                " acme: '611'}",
            ),
        ),
    ],
)
def test_a_gateway_comes_with_all_others_where_the_file_has_none(yaml: str, remedy: Remedy) -> None:
    assert remedies.payment(chosen(yaml), "acme", "611") == remedy


@pytest.mark.parametrize(
    ("gateway", "line"),
    [
        ("Überweisung 税", "Überweisung 税: '611'"),
        (LONG, f"{LONG}: '611'"),
        ("it's: 5 %", "'it''s: 5 %': '611'"),
        ("90", "'90': '611'"),
        ("a\nb", "\"a\\U0000000Ab\": '611'"),
        ('\t"ü" \\', '"\\U00000009\\"ü\\" \\\\": \'611\''),
    ],
)
def test_a_name_is_written_as_it_is_read_and_quoted_only_where_yaml_requires_it(gateway: str, line: str) -> None:
    assert remedies.payment(chosen("payments: {cash: '603'}"), gateway, "611").line == line
