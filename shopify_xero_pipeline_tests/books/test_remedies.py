"""A remedy that is shown works when pasted, whatever a gateway or a tax is called."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import Outcome
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.builders import account, agreement, order, organisation, sale, tax, transaction
from shopify_xero_pipeline_tests.books.pasting import pasted

SHIPPED = (Path(__file__).parents[2] / "books.yaml").read_text(encoding="utf-8")
ODD = (
    'Bank: Überweisung "IBAN" #2', "Zahlung per Rechnung: 14 Tage", 'Sales Tax, "County": 5%', "GST, reduced",
    " leading and trailing ", "yes", "no", "null", "~", "true", "1", "0.15", "1e3", "0x1F", "12:30", "2026-09-21",
    "- a", "? a", "[a]", "{a: b}", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "'", '"', "\\", "it's", "a #b", "#a",
    "a: b", "a:", ":", ",", "<<", "=", "…", "税", "😀", "e\u0301", "\u200b", "a\u200bb", "\ufeff", "a\nb", "a\n", "\ta",
    "\u2028", "\x85", "\x00", "\x1b[31m", "x" * 255, "ß", "İ",
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(ODD), st.text(min_size=1, max_size=40))
RATES = st.one_of(st.none(), st.decimals(min_value="0", max_value="0.99999", places=5))


def books(subject: Order, text: str, xero: Organisation | None = None) -> tuple[Outcome, str]:
    found = build_order_books(subject, BooksPolicy.from_yaml(text, "books.yaml"), xero or organisation())
    return found.outcome, found.reason


def works(subject: Order, text: str, xero: Organisation | None = None) -> None:
    """Check that an order is blocked with a remedy, and posted once that is pasted as it stands."""
    outcome, reason = books(subject, text, xero)
    assert outcome is Outcome.BLOCKED
    remedy = remedies.remedy_in(reason)
    assert remedy is not None
    assert reason.endswith(remedy.sentence)
    assert remedy.line.splitlines() == [remedy.line]
    yaml.safe_load(remedy.line)
    assert books(subject, pasted(text, remedy), xero) == (Outcome.POST, "")


def paid_through(gateway: str) -> Order:
    return order(agreement(1, sale("100.00")), transactions=[transaction(91, "100.00", gateway=gateway)])


def taxed(*taxes: tuple[str, Decimal | None]) -> Order:
    found = [tax("1.00", title, None if rate is None else str(rate)) for title, rate in taxes]
    return order(agreement(1, sale("100.00", *found)), transactions=[transaction(91, "100.00")])


def with_account_for_store_credit() -> Organisation:
    return organisation(accounts=[account("840", "CURRLIAB", "LIABILITY", pays=True)])


@given(NAMES.filter(lambda name: name.strip() and BooksPolicy().payment_account(name) is None))
def test_the_line_for_a_gateway_works_when_pasted(name: str) -> None:
    works(paid_through(name), SHIPPED)


@given(NAMES, RATES)
@example("Shopify Payments", Decimal("0.15"))
def test_the_line_for_a_tax_works_when_pasted(title: str, rate: Decimal | None) -> None:
    only_one = SHIPPED.replace("- {title: GST, rate: 0.15", "- {title: Some other tax, rate: 0.9").replace(
        "- {rate: 0, tax_type", "- {title: Another one, tax_type"
    )
    works(taxed((title, rate)), only_one)


@given(st.lists(st.tuples(NAMES, RATES), min_size=2, max_size=4))
def test_the_line_for_a_combination_works_when_pasted(taxes: list[tuple[str, Decimal | None]]) -> None:
    works(taxed(*taxes), SHIPPED)


@given(NAMES, RATES)
def test_the_line_for_a_tax_that_is_a_line_of_its_own_works_when_pasted(title: str, rate: Decimal | None) -> None:
    none_yet = SHIPPED.replace("  mode: rates", "  mode: lines")
    works(taxed((title, rate)), none_yet)
    works(taxed((title, rate)), none_yet.replace("  lines: []", "  lines:\n    - {title: Other, account: '835'}"))


@pytest.mark.parametrize("text", ["", "payments: {}", "tax:\n  untaxed: NONE", "start_date: 2026-09-21"])
def test_where_the_file_leaves_a_section_out_its_defaults_come_along(text: str) -> None:
    works(paid_through("mystery: pay"), text)
    works(taxed(("VAT: 20%", Decimal("0.2"))), text.replace("payments: {}", ""))
    if text != "payments: {}":
        _, reason = books(paid_through("mystery: pay"), text)
        remedy = remedies.remedy_in(reason)
        assert remedy is not None
        assert BooksPolicy.from_yaml(pasted(text, remedy), "books.yaml").payments == {
            **BooksPolicy().payments,
            "mystery: pay": "604",
        }


def test_a_tax_without_a_title_is_named_by_its_rate_and_one_without_both_is_left_to_people() -> None:
    works(taxed(("", Decimal("0.2"))), SHIPPED)
    outcome, reason = books(taxed(("", None)), SHIPPED)
    assert outcome is Outcome.BLOCKED
    assert (
        reason
        == "a tax without a title and a rate cannot have an entry in books.yaml; enter this order in Xero by hand"
    )
    assert remedies.remedy_in(reason) is None


@pytest.mark.parametrize("rate", ["1", "2.5"])
def test_a_rate_that_books_yaml_does_not_take_is_left_out(rate: str) -> None:
    works(taxed(("Levy", Decimal(rate))), SHIPPED)


def test_settings_that_unblock_an_order_are_shown_at_their_place() -> None:
    refund = transaction(92, "10.00", "REFUND")
    subject = order(agreement(1, sale("100.00")), transactions=[transaction(91, "100.00"), refund])
    works(subject, SHIPPED)
    works(subject, "")
    early = order(agreement(1, sale("100.00")), transactions=[transaction(91, "100.00")])
    works(early, SHIPPED, organisation(locked=date(2026, 9, 30)))
    works(early, "", organisation(locked=date(2026, 9, 30)))


def test_a_gateway_under_its_title_is_given_the_account_of_its_name() -> None:
    text = 'payments: {"Shopify Payments": "602", manual: "604"}'
    _, reason = books(paid_through("shopify_payments"), text)
    assert reason == (
        "no account for money through shopify_payments; if it is paid into 602 602, add to books.yaml under payments:"
        " shopify_payments: '602'"
    )


def test_what_a_line_proposes_is_what_xero_has() -> None:
    _, reason = books(taxed(("VAT", Decimal("0.15"))), SHIPPED)
    assert reason == (
        "no tax rate for VAT 15 %; if it is OUTPUT2 (OUTPUT2) in Xero, add to books.yaml under tax.rates:"
        " - {title: VAT, rate: 0.15, tax_type: OUTPUT2}"
    )
    _, reason = books(paid_through("shopify_store_credit"), SHIPPED)
    assert "with Xero's code for it instead of ACCOUNT" in reason
    _, reason = books(paid_through("shopify_store_credit"), SHIPPED, organisation())
    named = account("840", "CURRLIAB", "LIABILITY", pays=True).model_copy(update={"name": "Store credit owed"})
    _, reason = books(paid_through("shopify_store_credit"), SHIPPED, organisation(accounts=[named]))
    assert "if it is paid into 840 Store credit owed, " in reason


def test_a_reason_is_parted_into_what_happened_and_what_to_do() -> None:
    _, reason = books(paid_through("a; b"), SHIPPED)
    assert remedies.split_reason(reason) == (
        "no account for money through a; b",
        "if it is paid into 604 604, add to books.yaml under payments: a; b: '604'",
    )
    assert remedies.split_reason("no rule; enter it by hand") == ("no rule", "enter it by hand")
    assert remedies.split_reason("cancelled before anything was posted") == ("cancelled before anything was posted", "")


def test_the_lines_of_several_reasons_stand_together_each_once() -> None:
    reasons = [books(paid_through(name), SHIPPED)[1] for name in ("b: c", "a", "b: c")]
    reasons += [books(taxed(("VAT", Decimal("0.2"))), SHIPPED)[1], "no rule; enter it by hand"]
    assert remedies.remedies_in(reasons) == {
        "add to books.yaml under payments: ": ["  'b: c': '604'", "  a: '604'"],
        "add to books.yaml under tax.rates: ": ["    - {title: VAT, rate: 0.2, tax_type: TAX_TYPE}"],
    }
