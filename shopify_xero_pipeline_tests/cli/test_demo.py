"""The demo's play, cut to three days of the fortnight."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.cli import demo
from shopify_xero_pipeline.reconciliation.verdict import Standing

pytestmark = pytest.mark.campaign

DAYS = [date(2026, 9, 21), date(2026, 9, 22), date(2026, 9, 23)]
KEYS = {
    "days", "orders", "skipped", "blocked", "failed", "documents", "payments", "difference", "duplicates", "lost",
    "xero_calls", "shopify_calls", "seconds",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "books.yaml").write_text((Path(__file__).parents[2] / "books.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setattr(demo, "FORTNIGHT", DAYS)
    monkeypatch.setattr(demo, "LAST", DAYS[-1])
    monkeypatch.setattr(demo, "NIGHTS", DAYS[1:])
    faults = {DAYS[1]: demo.FAULTS[date(2026, 9, 30)] + demo.FAULTS[date(2026, 10, 1)]}
    monkeypatch.setattr(demo, "FAULTS", faults)
    return tmp_path


def played(folder: Path) -> dict[str, Any]:
    file = folder / "figures.json"
    assert demo.run_demo(1, fresh=False, keep_runs=False, json_file=file) is Standing.AGREE
    figures: dict[str, Any] = json.loads(file.read_text())
    return figures


def test_the_demo_tells_what_became_of_each_fault_and_writes_nothing_when_played_again(folder: Path) -> None:
    first = played(folder)
    assert first.keys() >= KEYS
    assert (first["days"], first["difference"], first["duplicates"], first["lost"]) == (3, "0.00", 0, 0)
    assert first["new_xero_records"]
    assert [incident["what"] for incident in first["incidents"]] == [
        "Xero posted a batch of Invoices, but its response was lost",
        "Xero returned 429: the rate limit of a minute was reached",
        "Xero's access token expired during a run",
    ]
    assert all("no duplicate, nothing missing" in incident["became"] for incident in first["incidents"])
    again = played(folder)
    assert (again["new_xero_records"], again["xero_calls"], again["incidents"]) == (0, 0, [])


@pytest.fixture
def last_days(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The last night of the play, with the two orders that are meant to be blocked."""
    days = [date(2026, 10, 3), date(2026, 10, 4)]
    monkeypatch.setattr(demo, "FORTNIGHT", days)
    monkeypatch.setattr(demo, "LAST", days[-1])
    monkeypatch.setattr(demo, "NIGHTS", days[1:])
    monkeypatch.setattr(demo, "FAULTS", {})
    return folder


def test_the_demo_names_the_orders_that_are_meant_to_be_blocked_and_ends_well(
    last_days: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = played(last_days)
    assert (figures["verdict"], figures["blocked"]) == ("incomplete", 2)
    assert figures["message"] == "the books agree; 2 orders of 282.70 NZD are not in them"
    assert figures["meant_to_be_blocked"] == ["#1142", "#1148"]
    printed = capsys.readouterr().out
    assert "because books.yaml does not contain their tax or gateway: #1142, #1148" in printed


def test_an_order_of_the_demo_that_nobody_meant_to_be_blocked_counts(
    last_days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "UNKNOWN_TO_BOOKS", ("unmapped_tax",))
    assert demo.run_demo(1, fresh=False, keep_runs=False, json_file=None) is Standing.INCOMPLETE
