"""Long ranges of orders, which the extractor reads in bulk."""

from datetime import date
from pathlib import Path

import pytest

from shopify_xero_pipeline.pipeline import reconciled_days
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.shopify import bulk_reader
from shopify_xero_pipeline_tests.support.stage import at, staged

DAYS = days_between(date(2026, 9, 21), date(2026, 10, 4))


def test_a_long_range_has_the_same_orders_and_the_time_of_its_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, at(date(2026, 10, 5))) as stage:
        paged = stage.sync_service.extractor.read_orders(DAYS)
        monkeypatch.setattr(bulk_reader, "MANY_ORDERS", 100)
        read_at = stage.clock.now()
        assert stage.restart().extractor.read_orders(DAYS) == paged
        assert stage.clock.now() > read_at, "the operation was awaited"
        assert [path.name for path in (tmp_path / "bulk").iterdir()] == ["lock"]
        store = stage.sync_service.connections.store
        key = f"{reconciled_days.READ_UP_TO_KEY}.{DAYS[0]}"
        assert store.get_present([key])[key][0] == read_at.isoformat(), "changes during the operation are read later"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, ".local/bulk"),
        ({"SHOPIFY_BASE_URL": "http://127.0.0.1:9"}, ".local/sandbox/bulk"),
        ({"STATE_URL": "sqlite:////srv/books/state.db?timeout=1"}, "/srv/books/bulk"),
        ({"STATE_URL": "postgresql://u@h/d", "STATE_WITNESS": "/srv/witness"}, "/srv/bulk"),
    ],
)
def test_the_rows_lie_beside_the_state_store(environ: dict[str, str], folder: str) -> None:
    assert Settings.from_environment(environ, dotenv=None).bulk_folder == Path(folder)
