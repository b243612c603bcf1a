"""Preflight, word for word: each sentence names the setting, what Xero has, and what to do."""

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.preflight import policy_problems
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.builders import account, organisation, tax_rate

REVENUE = frozenset({"REVENUE"})
LIABILITY = frozenset({"LIABILITY"})


def found(yaml: str, xero: Organisation | None = None) -> list[str]:
    chosen = BooksPolicy.from_yaml(yaml, "books.yaml")
    return [problem.sentence for problem in policy_problems(chosen, xero or organisation())]


def on_what(sentence: str) -> str:
    """Return what follows `which Xero does not allow on`, '' in other sentences."""
    return sentence.partition(" does not allow on ")[2]


def with_rates(*rates: tuple[str, str, frozenset[str]]) -> Organisation:
    xero = organisation()
    return xero.model_copy(update={"tax_rates": (*xero.tax_rates, *(tax_rate(*rate) for rate in rates))})


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        (
            "accounts: {fees: 601}",
            "accounts.fees names account 601, a bank account, which Xero does not allow on invoice lines: name a"
            " revenue account.",
        ),
        (
            "payments: {cash: 200}",
            "payments.cash names account 200, whose class in Xero is REVENUE; a gateway's money is booked on a"
            " bank account, or a current asset account with payments enabled: name one in books.yaml, or create it in"
            " Xero.",
        ),
        (
            "payments: {cash: 999}",
            "payments.cash names account 999, which Xero does not have: create it in Xero, or name another in"
            " books.yaml.",
        ),
        (
            "tax: {untaxed: OUTPUT2}",
            "tax.untaxed names OUTPUT2, which is 15 % in Xero, but books.yaml states 0 %: if that is not intended,"
            " name the tax type of that rate.",
        ),
        (
            "tax: {untaxed_by_country: {AU: OUTPUT2}}",
            "tax.untaxed_by_country.AU names OUTPUT2, which is 15 % in Xero, but books.yaml states 0 %: if that is not"
            " intended, name the tax type of that rate.",
        ),
        (
            "tax: {mode: lines, none: OUTPUT2, lines: [{title: State, account: '209'}]}",
            "tax.none names OUTPUT2, which is 15 % in Xero, but books.yaml states 0 %: name the tax type of that rate.",
        ),
        (
            "tax: {channel_liable: OUTPUT2}",
            "tax.channel_liable names OUTPUT2, which is 15 % in Xero, but books.yaml states 0 %: name the tax type of"
            " that rate.",
        ),
    ],
)
def test_each_thing_that_cannot_be_used_is_one_sentence(yaml: str, sentence: str) -> None:
    assert found(yaml)[0] == sentence


def test_an_archived_account_is_to_be_restored_or_replaced() -> None:
    archived = account("200", "REVENUE", "REVENUE").model_copy(update={"status": "ARCHIVED"})
    assert found("", organisation(accounts=[archived])) == [
        "accounts.sales names account 200, which is archived in Xero: restore it, or name another in books.yaml."
    ]


def test_tax_types_of_goods_are_compared_with_every_account_goods_are_booked_on() -> None:
    xero = with_rates(("FREE", "0", LIABILITY))
    expected = [
        f"{{setting}} names FREE, which Xero does not allow on accounts.{name} {code} (revenue):"
        " name another tax type, or another account."
        for name, code in (("sales", "200"), ("shipping", "205"), ("fees", "206"), ("duties", "207"))
    ]
    for setting, yaml in (
        ("tax.untaxed", "tax: {untaxed: FREE}"),
        ("tax.untaxed_by_country.AU", "tax: {untaxed_by_country: {AU: FREE}}"),
        ("tax.channel_liable", "tax: {channel_liable: FREE}"),
        ("tax.rates[0].tax_type", "tax: {rates: [{rate: 0, tax_type: FREE}]}"),
    ):
        assert found(yaml, xero) == [sentence.format(setting=setting) for sentence in expected]


def test_an_override_adds_its_account_to_those_of_goods() -> None:
    xero = with_rates(("FREE", "0", LIABILITY))
    yaml = "accounts: {overrides: [{sku: A, account: 209}, {sku: B, account: 208}]}\ntax: {untaxed: FREE}"
    assert [where.partition(":")[0] for sentence in found(yaml, xero) if (where := on_what(sentence))] == [
        "accounts.sales 200 (revenue)",
        "accounts.shipping 205 (revenue)",
        "accounts.fees 206 (revenue)",
        "accounts.duties 207 (revenue)",
        "accounts.overrides[1] 208 (revenue)",
    ]


def test_lines_outside_tax_stand_on_five_accounts() -> None:
    xero = with_rates(("NOTHING", "0", frozenset({"ASSET"})))
    assert [on_what(sentence).partition(":")[0] for sentence in found("tax: {none: NOTHING}", xero)] == [
        "accounts.adjustments 208 (revenue)",
        "accounts.tips 209 (liability)",
        "accounts.gift_cards 830 (liability)",
        "accounts.channel_tax 835 (liability)",
        "accounts.rounding 860 (expense)",
    ]


def test_liability_accounts_of_taxes_are_looked_at_in_mode_lines_only() -> None:
    assert found("tax: {lines: [{title: State, account: 999}]}") == []
    assert found("tax: {mode: lines, lines: [{title: State, account: 209}, {title: City, account: 999}]}") == [
        "tax.lines[1] names account 999, which Xero does not have: create it in Xero, or name another in books.yaml."
    ]


def test_an_account_that_is_missing_hides_no_other_problem() -> None:
    sentences = found("accounts: {sales: 999, fees: 601}\npayments: {cash: 998, manual: 200}")
    assert [sentence.split(" names ")[0] for sentence in sentences] == [
        "accounts.sales",
        "accounts.fees",
        "payments.cash",
        "payments.manual",
        "tax.rates[1].tax_type",
    ]


def test_an_entry_without_a_rate_fits_a_tax_type_of_any() -> None:
    assert found("tax: {rates: [{title: GST, tax_type: OUTPUT2}, {title: Free, tax_type: ZERORATED}]}") == []
