"""A shop whose card money is entered in Xero by others: its gateway has no payment in `books.yaml`."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline_tests.reported.playing import PAID, played

pytestmark = pytest.mark.campaign

DAYS = ("--from", "2026-10-01", "--to", "2026-10-03")
LEFT = ('"shopify_payments": "601"', '"shopify_payments": none')


def test_documents_are_posted_without_the_money_that_others_enter_and_what_they_enter_is_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "discounted_gift_card", PAID, LEFT) as case:
        assert case.command("sync", *DAYS).exit_code == 0
        found = case.documents()
        assert {number: f"{one.outstanding:.2f}" for number, one in found.items()} == {
            "SH-2030": "40.00",
            "SH-2031": "7.50",  # 50.00 of 57.50 were paid with the gift card
            "SH-2032": "0.00",
        }
        person = Person(case.stage.sandbox.books, case.stage.clock)
        for number in ("SH-2030", "SH-2031"):
            bill = person.invoice(number)
            person.pay(bill, bill.outstanding, "601", bill.date, "matched to the bank")
        case.stage.clock.sleep(25 * 3600)  # what people do in Xero is found within a day
        again = case.command("sync", *DAYS)
        assert again.exit_code == 0, again.output
        plan = json.loads(case.command("plan", *DAYS, "--json", "-").stdout)
        assert not [one["natural_key"] for one in plan["changes"] if one["action"] == "conflict"]
        assert sum(payment.amount for payment in case.stage.sandbox.books.payments.values()) == Decimal("120.50")


def test_the_month_lists_what_is_left_to_others_and_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(tmp_path, monkeypatch, "discounted_gift_card", PAID, LEFT) as case:
        assert case.command("sync", *DAYS).exit_code == 0
        result = case.command("status", "--month", "2026-10", "--json", "-")
        assert result.exit_code == exit_codes.RETRY_LATER, result.output  # most days were not synced
        (statement,) = json.loads(result.stdout)["statements"]
        money = {one["what"]: one["xero"] for one in statement["lines"] if one["side"] == "payments"}
        assert money == {"gift_card": "73.00", "shopify_payments": "47.50", "total": "120.50"}
        assert [one["account"] for one in statement["lines"] if one["what"] == "shopify_payments"] == ["left to others"]
        assert all(one["agrees"] for one in statement["identities"])
