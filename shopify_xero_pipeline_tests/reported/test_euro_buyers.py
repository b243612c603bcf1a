"""A shop in pounds whose buyers pay in euros: refunds and captures at other rates than that of the order.

Every order is of EUR 45.00, 38.79 when it is placed. Of four EUR 20.00, 17.24 by then, are given back a week later for
17.50 (#4001, and #4005 without a statement of Shopify's), for 17.00 (#4002), and EUR 22.00 for 19.25 (#4006). Two are
captured days later for 39.15 (#4003) and 38.50 (#4004).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.reported.playing import Played, lines, played

pytestmark = pytest.mark.campaign

DAYS = ("--from", "2026-10-01", "--to", "2026-10-03", "--at-once")
ADJUST = ("post_when: paid", "post_when: paid\nrefund: {uncovered: adjust}")
DIFFERENCES = {
    "SH-4001-X105396101400131": ("ACCRECCREDIT", "0.26"),
    "SH-4002-X105396101400231": ("ACCREC", "0.24"),
    "SH-4003-X105396101400331": ("ACCREC", "0.36"),
    "SH-4004-X105396101400431": ("ACCRECCREDIT", "0.29"),
    "SH-4005-X105396101400531": ("ACCRECCREDIT", "0.26"),
}


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    with played(tmp_path, monkeypatch, "euro_buyers", shop="united_kingdom") as case:
        yield case


def booked(case: Played) -> dict[str, tuple[str, str]]:
    """Return the documents with a line on the account for exchange differences: their type and total."""
    return {
        number: (document.type, f"{document.total}")
        for number, document in case.documents().items()
        if any(account == "861" for *_, account in lines(document))
    }


def test_what_the_rate_moved_by_is_booked_on_an_account_of_its_own_and_every_order_is_settled(case: Played) -> None:
    result = case.command("sync", *DAYS, "--json", "-")
    figures = json.loads(result.stdout)
    assert (figures["posted"], figures["blocked"], figures["difference"]) == (5, 1, "0.00"), result.output
    assert booked(case) == DIFFERENCES
    assert {document.status for document in case.documents().values()} == {"PAID"}
    assert not any(document.outstanding for document in case.documents().values())


def test_what_the_rate_does_not_explain_stays_blocked(case: Played) -> None:
    (listed,) = json.loads(case.command("sync", *DAYS, "--json", "-").stdout)["listed_orders"]
    assert (listed["order_name"], listed["outcome"]) == ("#4006", "blocked")
    assert listed["reason"].startswith("refunds exceed the credit notes: 1.75 of transaction")
    assert not any("4006" in number for number in case.documents())


def test_the_month_shows_exchange_differences_by_themselves_and_agrees_in_all_three_columns(case: Played) -> None:
    case.command("sync", *DAYS)
    result = case.command("status", "--month", "2026-10", "--json", "-")
    found = json.loads(result.stdout)
    (statement,) = found["statements"]
    (line,) = [one for one in statement["lines"] if one["what"] == "exchange differences"]
    assert (line["shopify"], line["mapping"], line["xero"]) == ("-0.21", "-0.21", "-0.21")
    assert line["account"] == "861 Exchange differences"
    (owed,) = [one for one in statement["lines"] if one["what"] == "owed after"]
    assert (owed["shopify"], owed["mapping"], owed["xero"]) == ("0.00", "0.00", "0.00")
    assert all(one["agrees"] for one in statement["identities"])
    assert found["message"] == "2026-10 agrees; 1 order of 21.55 GBP is not in it; 28 days are not compared yet"


def test_a_second_sync_writes_nothing_more(case: Played) -> None:
    case.command("sync", *DAYS)
    size = case.stage.size()
    assert case.command("sync", *DAYS).exit_code == exit_codes.BLOCKED
    assert case.stage.size() == size


def test_with_uncovered_refunds_adjusted_the_rate_is_no_part_of_what_is_uncovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "euro_buyers", ADJUST, shop="united_kingdom") as case:
        result = case.command("sync", *DAYS)
        assert result.exit_code == 0, result.output
        assert booked(case) == DIFFERENCES | {"SH-4006-X105396101400631": ("ACCRECCREDIT", "0.26")}
        assert lines(case.documents()["SH-4006-M105396101400631"]) == [
            ("Refund beyond what was returned", "1.75", "0.00", "208")
        ]
        assert (
            case.command("status", "--month", "2026-10").exit_code == exit_codes.RETRY_LATER
        )  # most days were not synced


def test_without_an_account_for_it_the_orders_that_need_one_are_blocked_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "euro_buyers", shop="united_kingdom") as case:
        accounts = case.stage.sandbox.books.accounts
        accounts[:] = [one for one in accounts if one.get("Code") != "861"]
        listed = json.loads(case.command("sync", *DAYS, "--json", "-").stdout)["listed_orders"]
        reasons = [one["reason"] for one in listed]
        missing = "accounts.exchange, account 861, which does not exist or is not active in Xero"
        assert all(missing in reason for reason in reasons)
        assert len(reasons) == 6


def test_an_account_for_it_that_books_yaml_names_and_xero_does_not_have_stops_the_shop_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ('rounding: "860"', 'rounding: "860", exchange: "999"')
    with played(tmp_path, monkeypatch, "euro_buyers", named, shop="united_kingdom") as case:
        result = case.command("sync", *DAYS)
        assert result.exit_code != 0
        assert "accounts.exchange names account 999, which Xero does not have" in result.output
        assert case.stage.size() == 0
