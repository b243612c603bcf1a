"""The demo's play, cut to three days of the fortnight."""

import json
from datetime import date
from pathlib import Path

import pytest

from shopify_xero_pipeline import demo

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


def played(folder: Path) -> dict[str, object]:
    file = folder / "figures.json"
    assert demo.play(1, fresh=False, keep_runs=False, json_file=file)
    figures: dict[str, object] = json.loads(file.read_text())
    return figures


def test_the_demo_tells_what_became_of_each_fault_and_writes_nothing_when_played_again(folder: Path) -> None:
    first = played(folder)
    assert first.keys() >= KEYS
    assert (first["days"], first["difference"], first["duplicates"], first["lost"]) == (3, "0.00", 0, 0)
    assert first["new_xero_records"]
    assert [incident["what"] for incident in first["incidents"]] == [
        "Xero answered 429: too many calls in this minute",
        "Xero booked a batch of Invoices, but its answer was lost",
        "Xero's access token expired in mid-run",
    ]
    assert all("nothing twice, nothing lost" in incident["became"] for incident in first["incidents"])
    again = played(folder)
    assert (again["new_xero_records"], again["xero_calls"], again["incidents"]) == (0, 0, [])
