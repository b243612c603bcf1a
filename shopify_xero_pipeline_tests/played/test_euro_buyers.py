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
from shopify_xero_pipeline_tests.played.shops import documents, lines, played
from shopify_xero_pipeline_tests.root.test_cli import invoke
from shopify_xero_pipeline_tests.stage import Stage

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
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with played("euro_buyers", tmp_path, monkeypatch) as stage:
        yield stage


def booked(stage: Stage) -> dict[str, tuple[str, str]]:
    """Return the documents with a line on the account for exchange differences: their type and total."""
    return {
        number: (document.type, f"{document.total}")
        for number, document in documents(stage).items()
        if any(account == "861" for *_, account in lines(document))
    }


def test_what_the_rate_moved_by_is_booked_on_an_account_of_its_own_and_every_order_is_settled(stage: Stage) -> None:
    result = invoke("sync", *DAYS, "--json", "-")
    figures = json.loads(result.stdout)
    assert (figures["posted"], figures["blocked"], figures["difference"]) == (5, 1, "0.00"), result.output
    assert booked(stage) == DIFFERENCES
    assert {document.status for document in documents(stage).values()} == {"PAID"}
    assert not any(document.outstanding for document in documents(stage).values())


def test_what_the_rate_does_not_explain_stays_blocked(stage: Stage) -> None:
    (listed,) = json.loads(invoke("sync", *DAYS, "--json", "-").stdout)["listed_orders"]
    assert (listed["order_name"], listed["outcome"]) == ("#4006", "blocked")
    assert listed["reason"].startswith("refunds exceed the credit notes: 1.75 of transaction")
    assert not any("4006" in number for number in documents(stage))


def test_the_month_shows_exchange_differences_by_themselves_and_agrees_in_all_three_columns(stage: Stage) -> None:
    invoke("sync", *DAYS)
    result = invoke("status", "--month", "2026-10", "--json", "-")
    found = json.loads(result.stdout)
    (statement,) = found["statements"]
    (line,) = [one for one in statement["lines"] if one["what"] == "exchange differences"]
    assert (line["shopify"], line["mapping"], line["xero"]) == ("-0.21", "-0.21", "-0.21")
    assert line["account"] == "861 Exchange differences"
    (owed,) = [one for one in statement["lines"] if one["what"] == "owed after"]
    assert (owed["shopify"], owed["mapping"], owed["xero"]) == ("0.00", "0.00", "0.00")
    assert all(one["agrees"] for one in statement["identities"])
    assert found["says"] == "2026-10 agrees; 1 order of 21.55 GBP is not in it; 28 days are not compared yet"


def test_a_second_sync_writes_nothing_more(stage: Stage) -> None:
    invoke("sync", *DAYS)
    size = stage.size()
    assert invoke("sync", *DAYS).exit_code == exit_codes.BLOCKED
    assert stage.size() == size


def test_with_uncovered_refunds_adjusted_the_rate_is_no_part_of_what_is_uncovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played("euro_buyers", tmp_path, monkeypatch, ADJUST) as stage:
        result = invoke("sync", *DAYS)
        assert result.exit_code == 0, result.output
        assert booked(stage) == DIFFERENCES | {"SH-4006-X105396101400631": ("ACCRECCREDIT", "0.26")}
        assert lines(documents(stage)["SH-4006-M105396101400631"]) == [
            ("Refund beyond what was returned", "1.75", "0.00", "208")
        ]
        assert invoke("status", "--month", "2026-10").exit_code == exit_codes.LATER  # most days were not synced


def test_without_an_account_for_it_the_orders_that_need_one_are_blocked_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played("euro_buyers", tmp_path, monkeypatch) as stage:
        stage.sandbox.books.accounts[:] = [one for one in stage.sandbox.books.accounts if one.get("Code") != "861"]
        listed = json.loads(invoke("sync", *DAYS, "--json", "-").stdout)["listed_orders"]
        reasons = [one["reason"] for one in listed]
        assert all("accounts.exchange, account 861, which Xero does not have" in reason for reason in reasons)
        assert len(reasons) == 6


def test_an_account_for_it_that_books_yaml_names_and_xero_does_not_have_stops_the_shop_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ('rounding: "860"', 'rounding: "860", exchange: "999"')
    with played("euro_buyers", tmp_path, monkeypatch, named) as stage:
        result = invoke("sync", *DAYS)
        assert result.exit_code != 0
        assert "accounts.exchange names account 999, which Xero does not have" in result.output
        assert stage.size() == 0
