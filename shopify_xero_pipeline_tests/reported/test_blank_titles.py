"""A shop whose goods and shipping have titles that are empty or cannot be seen."""

from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.reported.playing import PAID, lines, played

pytestmark = pytest.mark.campaign


def test_goods_and_shipping_without_a_title_to_be_seen_are_posted_with_descriptions_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "blank_titles", PAID) as case:
        result = case.command("sync", "--from", "2026-10-01", "--to", "2026-10-01")
        assert result.exit_code == 0, result.output
        assert lines(case.documents()["SH-2020"]) == [
            ("Product", "11.50", "1.50", "200"),
            ("Product", "11.50", "1.50", "200"),
            ("Shipping", "11.50", "1.50", "205"),
            ("Tip", "2.00", "0.00", "209"),
        ]
