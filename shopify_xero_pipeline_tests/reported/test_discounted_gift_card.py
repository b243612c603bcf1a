"""A shop that sells a gift card of 50.00 for 40.00, is paid with it, and is paid with a card issued by hand."""

import json
from pathlib import Path

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.reported.playing import PAID, lines, played

pytestmark = pytest.mark.campaign

DAYS = ("--from", "2026-10-01", "--to", "2026-10-03")


def test_a_discounted_gift_card_is_owed_for_at_face_value_and_a_card_issued_by_hand_is_named_by_the_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "discounted_gift_card", PAID) as case:
        assert case.command("sync", *DAYS).exit_code == 0
        assert lines(case.documents()["SH-2030"]) == [
            ("Gift card 50", "50.00", "0.00", "830"),
            ("Discount on Gift card 50", "-10.00", "0.00", "200"),
        ]
        result = case.command("status", "--month", "2026-10", "--json", "-")
        assert result.exit_code == exit_codes.RETRY_LATER, result.output  # most days were not synced
        (cards,) = json.loads(result.stdout)["gift_cards"]
        assert {line["what"]: (line["shopify"], line["xero"]) for line in cards["lines"]} == {
            "opening": ("0.00", "0.00"),
            "sold, less taken back": ("50.00", "50.00"),
            "redeemed": ("-73.00", "-73.00"),
            "refunded to cards": ("0.00", "0.00"),
            "closing": ("-23.00", "-23.00"),
            "the account in Xero": (None, "-23.00"),
        }
        assert [(one["posted"], one["what"], one["amount"]) for one in cards["unsold"]] == [
            ("2026-10-03", "#2032", "-23.00")
        ]
        printed = case.command("status", "--month", "2026-10").stdout
        assert "23.00 was paid with gift cards that no order since 2026-09-01 sold: they were issued by hand" in printed
        assert "2026-10-03 #2032: -23.00, paid with a gift card that no order in these books sold" in printed
        assert printed.rstrip().endswith("2026-10 agrees; 28 days are not compared yet")


def test_the_discount_on_a_gift_card_goes_to_the_account_that_books_yaml_names_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ('gift_cards: "830"', 'gift_cards: "830", gift_card_discounts: "208"')
    with played(tmp_path, monkeypatch, "discounted_gift_card", PAID, own) as case:
        assert case.command("sync", *DAYS).exit_code == 0
        assert lines(case.documents()["SH-2030"])[1] == ("Discount on Gift card 50", "-10.00", "0.00", "208")
        assert (
            case.command("status", "--month", "2026-10").exit_code == exit_codes.RETRY_LATER
        )  # most days were not synced


def test_an_account_for_discounts_on_gift_cards_that_xero_does_not_have_is_a_wrong_setting_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ('gift_cards: "830"', 'gift_cards: "830", gift_card_discounts: "999"')
    with played(tmp_path, monkeypatch, "discounted_gift_card", PAID, missing) as case:
        assert case.command("plan", *DAYS).exit_code == exit_codes.FIX_SETTING
        assert case.sync("2026-10-01").exit_code == exit_codes.FIX_SETTING
        result = case.command("sync", *DAYS)
        assert result.exit_code == exit_codes.FIX_SETTING
        assert "accounts.gift_card_discounts names account 999, which Xero does not have" in result.output
        assert case.stage.size() == 0
