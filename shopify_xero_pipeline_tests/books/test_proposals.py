"""Proposals in the reasons of blocked orders: which account or tax type of Xero is proposed, and which never is."""

from collections.abc import Sequence
from typing import Any

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.shopify.models import Order, SaleTax
from shopify_xero_pipeline.xero.models import Account
from shopify_xero_pipeline_tests.books.booking import blocked
from shopify_xero_pipeline_tests.books.builders import (
    account,
    agreement,
    order,
    organisation,
    sale,
    tax,
    tax_rate,
    transaction,
)

CASH_ONLY = BooksPolicy.from_yaml("payments: {cash: '603'}", "books.yaml")


def paid_through(gateway: str) -> Order:
    return order(agreement(1, sale("100.00")), transactions=[transaction(91, "100.00", gateway=gateway)])


def taxed(*taxes: SaleTax) -> Order:
    return order(agreement(1, sale("100.00", *taxes)), transactions=[transaction(91, "100.00")])


def named(name: str, code: str, kind: str, account_class: str, **more: Any) -> Account:
    changes = {key: more.pop(key) for key in ("status",) if key in more}
    return account(code, kind, account_class, **more).model_copy(update={"name": name, **changes})


def reason_for_gateway(gateway: str, *accounts: Account) -> str:
    return blocked(paid_through(gateway), CASH_ONLY, xero=organisation(accounts=accounts))


@pytest.mark.parametrize(
    "candidate",
    [
        named("Acme Bank", "611", "BANK", "ASSET"),
        named("Acme Bank", "611", "BANK", "ASSET", currency=""),
        named("Acme Bank", "611", "BANK", "ASSET", currency="NZD"),
        named("Acme Bank", "611", "BANK", "LIABILITY"),
        named("Acme Bank", "611", "CURRENT", "ASSET", pays=True),
    ],
)
def test_an_account_of_the_gateways_name_that_takes_payments_is_proposed(candidate: Account) -> None:
    assert reason_for_gateway("acme_pay", candidate) == (
        "no account for money through acme_pay; if it is paid into 611 Acme Bank, add to books.yaml under payments:"
        " acme_pay: '611'"
    )


@pytest.mark.parametrize(
    "candidate",
    [
        named("Acme Bank", "611", "BANK", "ASSET", status="ARCHIVED"),
        named("Acme Bank", "611", "BANK", "ASSET", currency="USD"),
        named("Acme Bank", "611", "CURRENT", "ASSET"),
        named("Acme Bank", "611", "EXPENSE", "EXPENSE", pays=True),
        named("Acme Bank", "611", "CURRLIAB", "LIABILITY", pays=True),
        named("Acme Bank", "611", "BANK", "ASSET").model_copy(update={"code": None}),
        named("Acm Bank", "611", "BANK", "ASSET"),
    ],
    ids=["archived", "other currency", "no payments", "expense", "liability", "no code", "other name"],
)
def test_an_account_that_takes_no_payments_is_not_proposed_whatever_it_is_called(candidate: Account) -> None:
    assert reason_for_gateway("acme_pay", candidate) == (
        "no account for money through acme_pay; if it is paid into 603 603, add to books.yaml under payments:"
        " acme_pay: '603'"
    )


@pytest.mark.parametrize(("gateway", "name"), [("zip_pay", "Zip Pay"), ("Pay 4 U", "Pay 4 U"), ("acme", "Acmes")])
def test_a_word_of_three_letters_or_a_part_of_a_word_is_no_sign_of_a_gateway(gateway: str, name: str) -> None:
    assert "if it is paid into 603 603, " in reason_for_gateway(gateway, named(name, "611", "BANK", "ASSET"))


def test_store_credit_is_proposed_a_liability_that_takes_payments_and_nothing_else() -> None:
    none = (
        "no account for money through shopify_store_credit; with Xero's code for it instead of ACCOUNT, add to"
        " books.yaml under payments: shopify_store_credit: ACCOUNT"
    )
    for candidate in (
        named("Store credit", "840", "CURRLIAB", "LIABILITY"),
        named("Store credit", "840", "CURRENT", "ASSET", pays=True),
        named("Store credit", "840", "BANK", "ASSET"),
    ):
        assert reason_for_gateway("shopify_store_credit", candidate) == none
    fitting = named("Store credit", "840", "CURRLIAB", "LIABILITY", pays=True)
    assert reason_for_gateway("shopify_store_credit", fitting) == (
        "no account for money through shopify_store_credit; if it is paid into 840 Store credit, add to books.yaml"
        " under payments: shopify_store_credit: '840'"
    )


def reason_for_tax(yaml: str, *accounts: Account) -> str:
    policy = BooksPolicy.from_yaml(yaml, "books.yaml")
    return blocked(taxed(tax("1.00", "City Tax", "0.01")), policy, xero=organisation(accounts=accounts))


def test_the_account_of_another_tax_is_proposed_for_a_tax_of_its_own_line() -> None:
    sales_tax = named("Sales Tax", "820", "CURRLIAB", "LIABILITY")
    assert reason_for_tax("tax: {mode: lines, lines: [{title: State, account: '835'}]}", sales_tax) == (
        "no account for the tax City Tax 1 %; if its account is 835 835, add to books.yaml under tax.lines:"
        " - {title: City Tax, rate: 0.01, account: '835'}"
    )


@pytest.mark.parametrize(
    "other",
    [
        named("Sales Tax", "810", "CURRLIAB", "LIABILITY", status="ARCHIVED"),
        named("Sales Tax", "810", "EXPENSE", "EXPENSE"),
        named("Sales", "810", "CURRLIAB", "LIABILITY"),
    ],
    ids=["archived", "expense", "other name"],
)
def test_without_another_tax_the_first_active_liability_with_tax_in_its_name_is_proposed(other: Account) -> None:
    sales_tax = named("Sales Tax", "820", "CURRLIAB", "LIABILITY")
    no_lines = "tax: {mode: lines, lines: []}"
    assert reason_for_tax(no_lines, other, sales_tax) == (
        "no account for the tax City Tax 1 %; if its account is 820 Sales Tax, set in books.yaml under tax:"
        " lines: [{title: City Tax, rate: 0.01, account: '820'}]"
    )
    assert reason_for_tax(no_lines, other) == (
        "no account for the tax City Tax 1 %; with Xero's code for it instead of ACCOUNT, set in books.yaml under tax:"
        " lines: [{title: City Tax, rate: 0.01, account: ACCOUNT}]"
    )


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        (("ADJUST20", "OUTPUT20", "ZERORATED20"), "OUTPUT20"),
        (("ADJUST20", "Output20", "ZERORATED20"), "Output20"),
        (("ZERORATED20", "EXEMPT20"), "ZERORATED20"),
        (("TAX002", "TAX001"), "TAX001"),
        (("OUTPUT20", "KNOWN20"), "KNOWN20"),
    ],
)
def test_of_several_tax_types_of_one_rate_a_known_one_then_one_for_sales_is_proposed(
    names: Sequence[str], proposed: str
) -> None:
    xero = organisation()
    rates = tuple(tax_rate(name, "20", frozenset({"REVENUE"})) for name in names)
    policy = BooksPolicy.from_yaml("tax: {rates: [{title: Other, rate: 0.2, tax_type: KNOWN20}]}", "books.yaml")
    reason = blocked(taxed(tax("16.67", "VAT", "0.2")), policy, xero=xero.model_copy(update={"tax_rates": rates}))
    assert reason == (
        f"no tax rate for VAT 20 %; if it is {proposed} ({proposed}) in Xero, add to books.yaml under tax.rates:"
        f" - {{title: VAT, rate: 0.2, tax_type: {proposed}}}"
    )
