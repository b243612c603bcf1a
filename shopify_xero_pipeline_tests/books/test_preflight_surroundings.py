"""Preflight beyond accounts: compound rates, currencies, locked periods, and what is named nowhere."""

from datetime import date
from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import Problem, Severity, blocking_problems, policy_problems
from shopify_xero_pipeline.xero.models import Organisation, TaxComponent
from shopify_xero_pipeline_tests.books.builders import account, organisation, tax_rate

TODAY = date(2026, 11, 30)
GST_AND_QST = "{combination: [{title: GST, rate: 0.05}, {title: QST, rate: 0.09975}], tax_type: TAX001}"


def found(yaml: str, xero: Organisation | None = None, currency: str = "NZD") -> list[Problem]:
    chosen = BooksPolicy.from_yaml(yaml, "books.yaml")
    return policy_problems(chosen, xero or organisation(), shop_currency=currency, today=TODAY)


def with_compound_rate() -> Organisation:
    xero, everything = organisation(), frozenset({"ASSET", "EQUITY", "EXPENSE", "LIABILITY", "REVENUE"})
    parts = (
        TaxComponent(name="GST", rate=Decimal(5), is_compound=False),
        TaxComponent(name="QST", rate=Decimal("9.975"), is_compound=True),
    )
    rate = tax_rate("TAX001", "15.47375", everything).model_copy(update={"components": parts})
    return xero.model_copy(update={"tax_rates": (*xero.tax_rates, rate)})


def test_a_compound_rate_stands_for_the_taxes_it_is_made_of() -> None:
    assert found(f"tax: {{rates: [{GST_AND_QST}]}}", with_compound_rate()) == []


def test_a_compound_rate_that_differs_is_said_with_both_figures_and_stops_nothing() -> None:
    (problem,) = found("tax: {rates: [{title: HST, rate: 0.14975, tax_type: TAX001}]}", with_compound_rate())
    assert problem.severity is Severity.WARN
    assert problem.message == (
        "tax.rates[0].tax_type names TAX001, which is 15.47375 % in Xero (GST 5 %, QST 9.975 % on top of the others),"
        " but books.yaml states 14.975 %"
    )


@pytest.mark.parametrize("yaml", ["tax: {rates: [{rate: 0.125, tax_type: OUTPUT2}]}", "tax: {untaxed: OUTPUT2}"])
def test_another_rate_never_stops_a_shop_as_amounts_do_not_come_from_it(yaml: str) -> None:
    assert blocking_problems(found(yaml)) == []
    assert len(found(yaml)) == 1


def test_a_shop_whose_currency_xero_has_not_enabled_is_stopped() -> None:
    (problem,) = blocking_problems(found("", organisation(base="AUD", currencies=("AUD",))))
    assert problem.sentence == (
        "the shop's currency is NZD, which is not enabled in Demo Company (NZ) in Xero (base currency AUD): add NZD"
        " in Xero under Settings, Currencies, or connect the right organisation."
    )


def test_books_in_another_currency_are_said_and_each_clearing_account_in_another_one_stops() -> None:
    banks = [account(code, "BANK", "ASSET", currency="NZD") for code in ("601", "602", "603", "604")]
    (said,) = found("", organisation(base="AUD", currencies=("AUD", "NZD"), accounts=banks))
    assert said.severity is Severity.WARN
    assert said.message == "the shop's currency is NZD, but the base currency of Demo Company (NZ) in Xero is AUD"
    in_dollars = account("603", "BANK", "ASSET", currency="USD")
    (stopped,) = found("", organisation(accounts=[in_dollars]))
    assert (stopped.severity, stopped.setting) == (Severity.FAIL, "payments.cash")
    assert "account 603, whose currency in Xero is USD" in stopped.message


@pytest.mark.parametrize(
    ("locked", "yaml", "severity"),
    [
        (date(2026, 11, 29), "", None),
        (TODAY, "", Severity.FAIL),
        (TODAY, "locked_period: next_open_day", Severity.WARN),
    ],
)
def test_a_period_that_is_locked_up_to_today_stops_or_is_said(
    locked: date, yaml: str, severity: Severity | None
) -> None:
    assert [problem.severity for problem in found(yaml, organisation(locked=locked))] == (
        [severity] if severity else []
    )


@pytest.mark.parametrize(
    ("yaml", "setting"),
    [
        ("payments: {}", "payments"),
        ("tax: {rates: []}", "tax.rates"),
        ("tax: {mode: lines, lines: []}", "tax.lines"),
    ],
)
def test_a_list_that_names_nothing_is_said(yaml: str, setting: str) -> None:
    assert [(problem.severity, problem.setting) for problem in found(yaml)] == [(Severity.WARN, setting)]
