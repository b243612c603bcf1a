"""A shop whose app puts all tax of an order on its first row, as shops in India report it."""

from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.reported.playing import PAID, lines, played

pytestmark = pytest.mark.campaign

DAY = "2026-10-01"
IGST = ("- {title: GST, rate: 0.15, tax_type: OUTPUT2}", "- {title: IGST, rate: 0.05, tax_type: OUTPUT2}")
WARNING = (
    "all tax (IGST 5 %, 53.62) is on rows of 321.72, but was charged on 1,072.38: Xero's tax report shows 321.72 as"
    " its base"
)


def test_total_and_tax_are_exact_and_sync_and_status_say_which_base_xero_will_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "tax_on_first_row", PAID, IGST) as case:
        synced = case.sync(DAY)
        assert synced.exit_code == 0, synced.output
        assert lines(case.document("SH-2090")) == [
            ("Shawl", "375.34", "53.62", "200"),
            ("Sari", "500.66", "0.00", "200"),
            ("Shipping", "250.00", "0.00", "205"),
        ]
        assert case.payments() == [("SH-2090", "1126.00")]
        assert f"2026-10-01 #2090: {WARNING}" in synced.stdout
        assert f"2026-10-01 #2090: {WARNING}" in case.command("status").stdout
        (warning,) = case.status()["order_warnings"]
        assert (warning["day"], warning["order_name"], warning["warning"]) == (DAY, "#2090", WARNING)
