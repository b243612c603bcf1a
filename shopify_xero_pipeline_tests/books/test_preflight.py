"""Preflight: what `books.yaml` names and Xero does not have, in sentences with the setting and the remedy."""

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import policy_problems
from shopify_xero_pipeline.xero.models import Account, Organisation
from shopify_xero_pipeline_tests.books.builders import account, organisation, tax_rate


def found(yaml: str = "", xero: Organisation | None = None) -> list[str]:
    chosen = BooksPolicy.from_yaml(yaml, "books.yaml")
    return [problem.sentence for problem in policy_problems(chosen, xero or organisation())]


def with_account(changed: Account) -> Organisation:
    return organisation(accounts=[changed])


def test_the_default_policies_fit_the_demo_company() -> None:
    assert found() == []


def test_an_account_xero_does_not_have_is_named_with_its_setting() -> None:
    assert found("accounts: {shipping: 999}") == [
        "accounts.shipping names account 999, which Xero does not have:"
        " create it in Xero, or name another in books.yaml."
    ]
    assert found("payments: {cash: 999}")[0].startswith("payments.cash names account 999")
    assert found("accounts: {overrides: [{sku: A, account: 999}]}")[0].startswith("accounts.overrides[0] names")


def test_an_archived_account_is_named() -> None:
    archived = account("200", "REVENUE", "REVENUE").model_copy(update={"status": "ARCHIVED"})
    assert "accounts.sales names account 200, which is archived in Xero" in found(xero=with_account(archived))[0]


def test_a_bank_account_cannot_stand_on_a_line() -> None:
    assert "accounts.fees names account 601, a bank account" in found("accounts: {fees: 601}")[0]


def test_an_account_to_which_no_payments_can_be_made_is_named_for_gateways_gift_cards_and_channel_tax() -> None:
    assert (
        "payments.cash names account 611, for which payments are not enabled"
        in found("payments: {cash: 611}", with_account(account("611", "CURRENT", "ASSET")))[0]
    )
    assert "accounts.gift_cards names account 209" in found("accounts: {gift_cards: 209}")[0]
    assert "accounts.channel_tax names account 209" in found("accounts: {channel_tax: 209}")[0]


def test_a_missing_account_is_told_once() -> None:
    assert len(found("accounts: {gift_cards: 999}")) == 1


def test_a_tax_type_xero_does_not_have_is_named_with_those_it_has() -> None:
    assert found("tax: {rates: [{title: GST, tax_type: OUTPUT9}]}") == [
        "tax.rates[0].tax_type names the tax type OUTPUT9, which does not exist or is not active in Xero:"
        " name one of NONE, OUTPUT2, ZERORATED."
    ]
    xero = organisation()
    deleted = tax_rate("OUTPUT2", "15", frozenset({"REVENUE"}), status="DELETED")
    old = xero.model_copy(update={"tax_rates": (*xero.tax_rates[1:], deleted)})
    assert "names the tax type OUTPUT2" in found(xero=old)[0]


def test_a_tax_type_of_another_rate_is_named_with_both() -> None:
    assert found("tax: {rates: [{rate: 0.125, tax_type: OUTPUT2}]}") == [
        "tax.rates[0].tax_type names OUTPUT2, which is 15 % in Xero, but books.yaml states 12.5 %: if"
        " that is not intended, name the tax type of that rate."
    ]
    assert (
        "tax.none names OUTPUT2, which is 15 % in Xero, but books.yaml states 0 %" in found("tax: {none: OUTPUT2}")[0]
    )


def test_a_combination_is_compared_with_the_sum_of_its_rates() -> None:
    fitting = "tax: {rates: [{combination: [{title: A, rate: 0.05}, {rate: 0.1}], tax_type: OUTPUT2}]}"
    assert found(fitting) == []
    unknown = "tax: {rates: [{combination: [{title: A, rate: 0.05}, {title: B}], tax_type: OUTPUT2}]}"
    assert found(unknown) == []


def test_a_tax_type_that_does_not_fit_the_class_of_its_account_is_named() -> None:
    assert found("tax: {none: ZERORATED}") == [
        "tax.none names ZERORATED, which Xero does not allow on accounts.rounding 860 (expense):"
        " name another tax type, or another account."
    ]
    sentences = " ".join(found("accounts: {overrides: [{sku: A, account: 860}]}"))
    assert "tax.rates[0].tax_type names OUTPUT2, which Xero does not allow on accounts.overrides[0] 860" in sentences


def test_untaxed_types_by_country_are_looked_at_too() -> None:
    assert found("tax: {untaxed_by_country: {AU: EXEMPT}}")[0].startswith(
        "tax.untaxed_by_country.AU names the tax type EXEMPT"
    )


def test_in_mode_lines_the_accounts_of_taxes_are_looked_at_and_the_rates_are_not() -> None:
    lines = "tax: {mode: lines, lines: [{title: State, account: 999}], rates: [{rate: 0.5, tax_type: NOPE}]}"
    assert found(lines) == [
        "tax.lines[0] names account 999, which Xero does not have: create it in Xero, or name another in books.yaml."
    ]


def test_in_mode_lines_the_untaxed_type_must_fit_the_accounts_of_goods_and_taxes_too() -> None:
    policy = BooksPolicy.from_yaml(
        "tax: {mode: lines, none: ZERORATED, lines: [{title: State, account: '860'}]}", "books.yaml"
    )
    sentences = [problem.sentence for problem in policy_problems(policy, organisation())]
    assert [sentence for sentence in sentences if "on tax.lines[0]" in sentence] == [
        "tax.none names ZERORATED, which Xero does not allow on tax.lines[0] 860 (expense):"
        " name another tax type, or another account."
    ]
    elsewhere = BooksPolicy.from_yaml("tax: {mode: lines, none: ZERORATED}\naccounts: {sales: '860'}", "books.yaml")
    sentences = [problem.sentence for problem in policy_problems(elsewhere, organisation())]
    assert any("on accounts.sales 860 (expense)" in sentence for sentence in sentences)
