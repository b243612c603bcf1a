"""Every account of `books.yaml` against each class of Xero's chart: what stops, what is said, what is right."""

import re

import pytest

from shopify_xero_pipeline.books.account_roles import LINE_ROLES, OPTIONAL_LINE_ROLES
from shopify_xero_pipeline.books.policy import AccountPolicy, BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, Severity, policy_problems
from shopify_xero_pipeline.xero.models import Account
from shopify_xero_pipeline_tests.books.builders import account, organisation
from shopify_xero_pipeline_tests.books.page import BOOKS_MD, tables

CLASSES = {
    "asset": ("CURRENT", "ASSET"),
    "equity": ("EQUITY", "EQUITY"),
    "expense": ("EXPENSE", "EXPENSE"),
    "liability": ("CURRLIAB", "LIABILITY"),
    "revenue": ("REVENUE", "REVENUE"),
}


def of_class(name: str, code: str = "900") -> Account:
    kind, account_class = CLASSES[name]
    return account(code, kind, account_class, pays=True)


def about(setting: str, yaml: str, *accounts: Account) -> list[Problem]:
    """Return what is found of one setting, tax types aside."""
    chosen = BooksPolicy.from_yaml(yaml, "books.yaml")
    return [
        problem for problem in policy_problems(chosen, organisation(accounts=accounts)) if problem.setting == setting
    ]


def verdicts(setting: str, yaml: str) -> str:
    """Return how each class serves: `-` right, `w` said, `F` stops; in the order of CLASSES."""
    found = [about(setting, yaml, of_class(name)) for name in CLASSES]
    assert all(len(one) <= 1 for one in found)
    return "".join("-" if not one else "w" if one[0].severity is Severity.WARN else "F" for one in found)


@pytest.mark.parametrize(
    ("setting", "asset_equity_expense_liability_revenue"),
    [
        ("sales", "FFFw-"),
        ("shipping", "FFww-"),
        ("fees", "FFww-"),
        ("duties", "FFw--"),
        ("adjustments", "FF-F-"),
        ("tips", "FFF-w"),
        ("gift_cards", "FFF-F"),
        ("channel_tax", "wFF-F"),
        ("rounding", "FF-w-"),
    ],
)
def test_each_account_is_compared_with_the_class_it_needs(
    setting: str, asset_equity_expense_liability_revenue: str
) -> None:
    found = verdicts(f"accounts.{setting}", f"accounts: {{{setting}: '900'}}")
    assert found == asset_equity_expense_liability_revenue


def test_the_accounts_of_entries_are_compared_too() -> None:
    override = "accounts: {overrides: [{sku: A, account: '900'}]}"
    assert verdicts("accounts.overrides[0]", override) == "FFFw-"
    lines = "tax: {mode: lines, lines: [{title: State, account: '900'}]}"
    assert verdicts("tax.lines[0]", lines) == "FFF-F"


@pytest.mark.parametrize(
    ("gateway", "asset_equity_expense_liability_revenue"),
    [("cash", "-wwwF"), ("shopify_store_credit", "wFF-F"), (" Shopify_Store_Credit ", "wFF-F")],
)
def test_a_gateways_account_is_compared_with_the_money_it_holds(
    gateway: str, asset_equity_expense_liability_revenue: str
) -> None:
    found = verdicts(f"payments.{gateway}", f"payments: {{'{gateway}': '900'}}")
    assert found == asset_equity_expense_liability_revenue


@pytest.mark.parametrize("kind", ["FIXED", "INVENTORY", "NONCURRENT"])
def test_money_on_its_way_is_neither_stock_nor_equipment(kind: str) -> None:
    (found,) = about("payments.cash", "payments: {cash: '900'}", account("900", kind, "ASSET", pays=True))
    assert (found.severity, f"whose type in Xero is {kind}" in found.message) == (Severity.FAIL, True)


def test_a_credit_card_account_is_a_bank_account_whatever_its_class() -> None:
    card = account("900", "BANK", "LIABILITY", currency="NZD")
    assert about("payments.cash", "payments: {cash: '900'}", card) == []


def test_a_message_names_setting_account_class_what_is_needed_and_what_to_do() -> None:
    sales = of_class("revenue").model_copy(update={"name": "Sales of books"})
    (found,) = about("accounts.gift_cards", "accounts: {gift_cards: '900'}", sales)
    assert found.sentence == (
        "accounts.gift_cards names account 900 Sales of books, whose class in Xero is REVENUE; gift cards sold"
        " and not yet used are booked on a current liability account with payments enabled: name one in books.yaml, or"
        " create it in Xero."
    )
    (found,) = about("accounts.tips", "accounts: {tips: '900'}", sales)
    assert found.sentence == (
        "accounts.tips names account 900 Sales of books, whose class in Xero is REVENUE, which means that the"
        " shop does not pay them out; tips not yet paid out are usually booked on a current liability account: if"
        " that is not intended, name another one in books.yaml."
    )


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("gift_cards", "Provision for Corporation Tax"),  # 830 in the United Kingdom
        ("channel_tax", "Directors' Loan Account"),  # 835 there
        ("gift_cards", "Income Tax Payable"),  # 830 in New Zealand
        ("gift_cards", "PAYE Payable"),
        ("gift_cards", "VAT"),
        ("tips", "Owner A Drawings"),
        ("gift_cards", "Suspense"),
        ("channel_tax", "Loan"),
    ],
)
def test_an_account_that_xeros_chart_keeps_for_something_else_is_refused(setting: str, name: str) -> None:
    other = of_class("liability").model_copy(update={"name": name})
    (found,) = about(f"accounts.{setting}", f"accounts: {{{setting}: '900'}}", other)
    assert found.severity is Severity.FAIL
    assert f"account 900 {name}, which Xero's chart reserves for another purpose" in found.message


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("gift_cards", "Gift Cards outstanding"),
        ("gift_cards", "Gutscheine"),
        ("gift_cards", "Vouchers and private sales"),
        ("tips", "Wages Payable - Tips"),
        ("channel_tax", "Marketplace VAT and GST"),
    ],
)
def test_an_account_under_a_name_of_ones_own_is_taken(setting: str, name: str) -> None:
    own = of_class("liability").model_copy(update={"name": name})
    assert about(f"accounts.{setting}", f"accounts: {{{setting}: '900'}}", own) == []


def test_of_the_accounts_xero_keeps_itself_only_the_one_for_it_may_be_named() -> None:
    rounding = of_class("liability").model_copy(update={"system_account": "ROUNDING", "name": "Rounding"})
    assert about("accounts.rounding", "accounts: {rounding: '900'}", rounding) == []
    (found,) = about("accounts.tips", "accounts: {tips: '900'}", rounding)
    assert found.severity is Severity.FAIL
    gst = of_class("liability").model_copy(update={"system_account": "GST", "name": "GST"})
    assert about("tax.lines[0]", "tax: {mode: lines, lines: [{title: GST, account: '900'}]}", gst) == []
    (found,) = about("accounts.gift_cards", "accounts: {gift_cards: '900'}", gst)
    assert found.severity is Severity.FAIL


def test_an_account_for_gift_cards_and_something_else_is_said() -> None:
    (found,) = about("accounts.channel_tax", "accounts: {channel_tax: '830'}")
    assert found.severity is Severity.WARN
    assert found.message == "accounts.channel_tax and accounts.gift_cards name the same account, 830"


def test_every_account_of_the_policy_has_a_role() -> None:
    assert {*AccountPolicy.model_fields} <= {*LINE_ROLES}


def test_the_table_of_the_books_page_is_the_one_that_is_used() -> None:
    (found,) = [one for one in tables(BOOKS_MD.read_text(encoding="utf-8")) if one.header[:2] == ("setting", "fits")]
    stated: dict[str, list[set[str]]] = {}
    for settings, *columns in found.rows:
        classes = [set(re.findall("|".join(CLASSES), column)) for column in columns]
        stated |= {name: classes for name in re.findall(r"`accounts\.([a-z_]+)`", settings)}
        stated |= {"tax": classes} if "tax.lines" in settings else {}
    assert set(stated) == {*LINE_ROLES} - OPTIONAL_LINE_ROLES
    for name, (good, unusual, wrong) in stated.items():
        role = LINE_ROLES[name]
        assert good == {one.lower() for one in role.good}, name
        assert unusual == {one.lower() for one in role.unusual}, name
        assert wrong == {*CLASSES} - good - unusual, name
