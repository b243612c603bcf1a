"""Preflight, problem by problem: its severity, the setting, the message and the remedy, word for word."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, Severity, policy_problems
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxComponent
from shopify_xero_pipeline_tests.books.builders import account, organisation, tax_rate

TODAY = date(2026, 11, 30)
FAIL, WARN = Severity.FAIL, Severity.WARN


def found(yaml: str = "", xero: Organisation | None = None, currency: str = "NZD") -> list[Problem]:
    chosen = BooksPolicy.from_yaml(yaml, "books.yaml")
    return policy_problems(chosen, xero or organisation(), shop_currency=currency, today=TODAY)


def with_accounts(*changed: Account) -> Organisation:
    return organisation(accounts=changed)


def renamed(name: str, *given: str, **more: Any) -> Account:
    return account(*given, **more).model_copy(update={"name": name})


def test_a_lock_date_of_today_or_later_blocks_all_orders_of_today() -> None:
    assert found("", organisation(locked=TODAY)) == [
        Problem(
            FAIL,
            "locked_period",
            "Xero's lock date is 2026-11-30, and today is 2026-11-30",
            "move the lock date in Xero, as all orders of today are blocked",
        )
    ]


def test_a_lock_date_of_today_or_later_dates_all_records_in_the_future() -> None:
    assert found("locked_period: next_open_day", organisation(locked=date(2026, 12, 31))) == [
        Problem(
            WARN,
            "locked_period",
            "Xero's lock date is 2026-12-31, and today is 2026-11-30",
            "move the lock date in Xero, or all records of today are dated in the future (locked_period)",
        )
    ]


def test_a_currency_that_is_not_enabled_belongs_to_no_setting() -> None:
    assert found("", organisation(base="AUD", currencies=("AUD",))) == [
        Problem(
            FAIL,
            "",
            "the shop's currency is NZD, which is not enabled in Demo Company (NZ) in Xero (base currency AUD)",
            "add NZD in Xero under Settings, Currencies, or connect the right organisation",
        )
    ]


def test_another_base_currency_belongs_to_no_setting_and_needs_no_action() -> None:
    banks = [account(code, "BANK", "ASSET", currency="NZD") for code in ("601", "602", "603", "604")]
    assert found("", organisation(base="AUD", currencies=("AUD", "NZD"), accounts=banks)) == [
        Problem(
            WARN,
            "",
            "the shop's currency is NZD, but the base currency of Demo Company (NZ) in Xero is AUD",
            "no action if that is intended: Xero converts each document at its own rate of the day",
        )
    ]


@pytest.mark.parametrize("currency", ["", None, "NZD"])
def test_an_account_without_a_currency_takes_every_currency(currency: str | None) -> None:
    assert found("", with_accounts(account("603", "BANK", "ASSET", currency=currency))) == []


def test_an_account_in_another_currency_is_named_with_the_currency_of_the_orders() -> None:
    assert found("", with_accounts(account("603", "BANK", "ASSET", currency="USD"))) == [
        Problem(
            FAIL,
            "payments.cash",
            "payments.cash names account 603, whose currency in Xero is USD",
            "name an account in NZD, the currency of the shop's orders",
        )
    ]


@pytest.mark.parametrize(("name", "shown"), [("", "200"), ("200", "200"), ("Sales", "200 Sales")])
def test_an_account_is_shown_by_code_and_by_its_name_if_it_has_one(name: str, shown: str) -> None:
    archived = renamed(name, "200", "REVENUE", "REVENUE").model_copy(update={"status": "ARCHIVED"})
    assert found("", with_accounts(archived)) == [
        Problem(
            FAIL,
            "accounts.sales",
            f"accounts.sales names account {shown}, which is archived in Xero",
            "restore it, or name another in books.yaml",
        )
    ]


def test_an_account_that_xeros_chart_reserves_is_to_be_replaced_by_a_new_one() -> None:
    reserved = renamed("Income Tax Payable", "830", "CURRLIAB", "LIABILITY", pays=True)
    assert found("", with_accounts(reserved)) == [
        Problem(
            FAIL,
            "accounts.gift_cards",
            "accounts.gift_cards names account 830 Income Tax Payable, which Xero's chart reserves for another purpose;"
            " gift cards sold and not yet used are booked on a current liability account with payments enabled of their"
            " own",
            "create one in Xero and name it in books.yaml",
        )
    ]


@pytest.mark.parametrize(
    ("yaml", "changed", "setting", "alternative"),
    [
        ("payments: {cash: 611}", account("611", "CURRENT", "ASSET"), "payments.cash", ", or name a bank account"),
        ("", account("835", "CURRLIAB", "LIABILITY"), "accounts.channel_tax", ""),
        ("", account("830", "CURRLIAB", "LIABILITY"), "accounts.gift_cards", ""),
    ],
)
def test_payments_can_be_enabled_for_an_account_and_a_gateway_may_have_a_bank_account_instead(
    yaml: str, changed: Account, setting: str, alternative: str
) -> None:
    assert found(yaml, with_accounts(changed)) == [
        Problem(
            FAIL,
            setting,
            f"{setting} names account {changed.code}, for which payments are not enabled",
            f"tick 'Enable payments to this account' for it in Xero's chart of accounts{alternative}",
        )
    ]


def test_a_gateways_account_that_is_an_asset_of_another_type_is_to_be_replaced() -> None:
    assert found("payments: {cash: 611}", with_accounts(account("611", "INVENTORY", "ASSET"))) == [
        Problem(
            FAIL,
            "payments.cash",
            "payments.cash names account 611, whose type in Xero is INVENTORY; a gateway's money is booked on a bank"
            " account, or a current asset account with payments enabled",
            "name one",
        )
    ]


@pytest.mark.parametrize(
    ("yaml", "setting"),
    [
        ("accounts: {tips: '830'}", "accounts.tips"),
        ("accounts: {channel_tax: '830'}", "accounts.channel_tax"),
        ("tax: {mode: lines, lines: [{title: State, account: '830'}]}", "tax.lines[0]"),
    ],
)
def test_an_account_that_gift_cards_share_no_longer_shows_their_value(yaml: str, setting: str) -> None:
    assert found(yaml) == [
        Problem(
            WARN,
            setting,
            f"{setting} and accounts.gift_cards name the same account, 830",
            "name a separate account for each, or its balance is not the value of unused gift cards",
        )
    ]


@pytest.mark.parametrize(
    ("yaml", "setting", "message", "remedy"),
    [
        (
            "payments: {}",
            "payments",
            "payments names no gateway, so every paid order is blocked",
            "name the account of each gateway in books.yaml",
        ),
        (
            "tax: {rates: []}",
            "tax.rates",
            "tax.rates names no tax, so every order with tax is blocked",
            "name Xero's tax type of each tax in books.yaml",
        ),
        (
            "tax: {mode: lines, lines: []}",
            "tax.lines",
            "tax.lines names no tax, so every order with tax is blocked",
            "name the liability account of each tax in books.yaml",
        ),
    ],
)
def test_a_list_that_names_nothing_says_what_it_blocks(yaml: str, setting: str, message: str, remedy: str) -> None:
    assert found(yaml) == [Problem(WARN, setting, message, remedy)]


def test_a_tax_type_that_does_not_exist_stops_a_run() -> None:
    assert found("tax: {untaxed: GONE}") == [
        Problem(
            FAIL,
            "tax.untaxed",
            "tax.untaxed names the tax type GONE, which does not exist or is not active in Xero",
            "name one of NONE, OUTPUT2, ZERORATED",
        )
    ]


def test_a_tax_type_that_its_account_does_not_allow_stops_a_run() -> None:
    assert found("tax: {none: ZERORATED}") == [
        Problem(
            FAIL,
            "tax.none",
            "tax.none names ZERORATED, which Xero does not allow on accounts.rounding 860 (expense)",
            "name another tax type, or another account",
        )
    ]


def with_components(*parts: tuple[str, str]) -> Organisation:
    components = [TaxComponent(name=name, rate=Decimal(rate), is_compound=False) for name, rate in parts]
    rate = tax_rate("TAX001", "13", frozenset({"REVENUE"})).model_copy(update={"components": tuple(components)})
    xero = organisation()
    return xero.model_copy(update={"tax_rates": (*xero.tax_rates, rate)})


@pytest.mark.parametrize(
    ("parts", "composition"),
    [
        ((), ""),
        ((("HST", "13"),), ""),
        ((("GST", "5"), ("PST", "8")), " (GST 5 %, PST 8 %)"),
    ],
)
def test_the_parts_of_a_rate_are_shown_if_there_are_several(
    parts: tuple[tuple[str, str], ...], composition: str
) -> None:
    assert found("tax: {rates: [{title: HST, rate: 0.15, tax_type: TAX001}]}", with_components(*parts)) == [
        Problem(
            WARN,
            "tax.rates[0].tax_type",
            f"tax.rates[0].tax_type names TAX001, which is 13 % in Xero{composition}, but books.yaml states 15 %",
            "if that is not intended, name the tax type of that rate",
        )
    ]
