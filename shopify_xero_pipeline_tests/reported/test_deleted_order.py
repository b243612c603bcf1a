"""An order is posted and then deleted in Shopify; what stands in Xero of it is a person's to decide about."""

from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.reported.playing import PAID, Played, played

pytestmark = pytest.mark.campaign

DAY = "2026-10-01"
SAYS = "the books do not agree yet: 1 order of 46.00 NZD in Xero without an order in these books"


def without_order(found: Any) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return what is named: number, day, and each record with its amount."""
    return [
        (one["name"], one["day"], [(row["name"], row["amount"]) for row in one["records"]])
        for one in found["without_order"]
    ]


def test_an_order_deleted_in_shopify_is_named_with_its_money_and_its_day_and_month_are_red_until_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "two_paid", PAID) as case:
        (case.stage.folder / "dagster").mkdir()
        assert case.sync(DAY).exit_code == 0
        assert sorted(case.payments()) == [("SH-2070", "115.00"), ("SH-2071", "46.00")]
        case.shop.becomes("one_of_two_deleted")

        synced = case.sync(DAY)
        assert (synced.exit_code, SAYS in synced.stdout) == (exit_codes.FAILURE, True), synced.output
        named = [("SH-2071", DAY, [("SH-2071", "46.00"), ("payment of SH-2071", "46.00")])]
        assert without_order(case.status()) == named
        assert case.command("status").exit_code == exit_codes.FAILURE
        month = case.command("status", "--month", "2026-10")
        assert (month.exit_code, "2026-10 does not agree yet" in month.stdout) == (exit_codes.FAILURE, True)
        assert case.figures("doctor")["I14"]["broken"]
        assert called_for(case) == ["orphans:2026-10-01"]

        case.command("dismiss", "--key", "SH-2071", "--because", "fraud, written off")
        assert case.sync(DAY).exit_code == 0
        assert without_order(case.status()) == named
        kept = case.command("status", "--month", "2026-10")
        assert "2026-10 agrees; 30 days are not compared yet" in kept.stdout
        assert "fraud, written off" in kept.stdout
        assert (case.figures("doctor")["I14"]["broken"], called_for(case)) == ([], [])
        assert sorted(case.payments()) == [("SH-2070", "115.00"), ("SH-2071", "46.00")]


def called_for(case: Played) -> list[str]:
    """Return what calls for a person."""
    return [one["key"] for one in case.figures("alerts")["causes"]]
