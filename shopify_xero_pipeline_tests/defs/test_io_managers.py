"""Where assets are stored: a day a file, whole or not at all, and for the owner's eyes only."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic_core import PydanticSerializationError
from upath import UPath

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.defs.io_managers import JsonIOManager, StoredDays
from shopify_xero_pipeline.xero.models import Item

FIRST = date(2026, 9, 21)
DAYS = [FIRST, FIRST + timedelta(days=1)]
KEY = dg.AssetKey(["shopify", "orders"])
PARTITIONS = dg.DailyPartitionsDefinition(start_date="2026-09-21")


def range_of(days: list[date]) -> dg.PartitionKeyRange:
    return dg.PartitionKeyRange(days[0].isoformat(), days[-1].isoformat())


def written(manager: JsonIOManager, obj: Any, days: list[date] = DAYS) -> None:
    with dg.build_output_context(
        asset_key=KEY, asset_partitions_def=PARTITIONS, asset_partition_key_range=range_of(days)
    ) as context:
        manager.handle_output(context, obj)


def read(manager: JsonIOManager, days: list[date] = DAYS) -> StoredDays:
    with dg.build_input_context(
        asset_key=KEY, asset_partitions_def=PARTITIONS, asset_partition_key_range=range_of(days)
    ) as context:
        return manager.load_input(context)


@pytest.fixture
def manager(tmp_path: Path) -> JsonIOManager:
    return JsonIOManager(UPath(tmp_path / "assets"), types={})


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_range_is_written_a_day_a_file_and_read_again(manager: JsonIOManager, tmp_path: Path) -> None:
    item = Item(shopify_id="7", code="CUP", name="Cup", unit_price=Decimal("16.67"))
    written(manager, {DAYS[0]: [item], DAYS[1]: {"kept": (1, "two", None)}})
    assert read(manager) == {
        DAYS[0]: [item.model_dump(mode="json")],
        DAYS[1]: {"kept": [1, "two", None]},
    }
    assert json.loads((tmp_path / "assets" / "shopify" / "orders" / "2026-09-21.json").read_text())[0]["code"] == "CUP"


def test_exact_amounts_stay_exact(manager: JsonIOManager) -> None:
    item = Item(shopify_id="7", code="CUP", name="Cup", unit_price=Decimal("0.10"))
    written(manager, {FIRST: [item]}, [FIRST])
    assert Item.model_validate(read(manager, [FIRST])[FIRST][0]) == item


def test_one_day_is_read_alone(manager: JsonIOManager) -> None:
    written(manager, {DAYS[0]: [1], DAYS[1]: [2]})
    assert read(manager, [DAYS[1]]) == {DAYS[1]: [2]}


def test_a_day_that_was_never_materialised_is_a_failure_that_names_the_asset(manager: JsonIOManager) -> None:
    written(manager, {FIRST: []}, [FIRST])
    with pytest.raises(dg.Failure) as caught:
        read(manager)
    assert caught.value.description == "shopify/orders has no 2026-09-22 yet: materialise it for that day first."
    assert caught.value.allow_retries is False


@pytest.mark.parametrize("given", [{DAYS[0]: []}, {DAYS[0]: [], DAYS[1]: [], date(2026, 9, 23): []}, {}])
def test_an_output_that_is_not_of_all_the_runs_days_is_refused_whole(
    manager: JsonIOManager, tmp_path: Path, given: dict[date, Any]
) -> None:
    with pytest.raises(ValueError, match=r"shopify/orders must return each of the days \['2026-09-21', '2026-09-22'\]"):
        written(manager, given)
    assert not (tmp_path / "assets").exists()


def test_an_asset_that_returns_nothing_writes_nothing(manager: JsonIOManager, tmp_path: Path) -> None:
    written(manager, None)
    assert not (tmp_path / "assets").exists()


def test_files_are_readable_by_their_owner_alone_whatever_the_umask(
    manager: JsonIOManager, tmp_path: Path, open_umask: None
) -> None:
    file = tmp_path / "assets" / "shopify" / "orders" / "2026-09-21.json"
    written(manager, {FIRST: []}, [FIRST])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    file.chmod(0o644)
    written(manager, {FIRST: [1]}, [FIRST])
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_two_runs_may_write_the_same_day_at_once(
    manager: JsonIOManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def meanwhile(partial: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        written(manager, {FIRST: ["the other run's"]}, [FIRST])
        return partial.replace(target)

    monkeypatch.setattr(Path, "replace", meanwhile)
    written(manager, {FIRST: ["ours"]}, [FIRST])
    assert read(manager, [FIRST]) == {FIRST: ["ours"]}
    assert len(list((tmp_path / "assets" / "shopify" / "orders").iterdir())) == 1


def test_what_a_killed_run_left_half_written_goes_when_the_asset_is_rewritten(
    manager: JsonIOManager, tmp_path: Path
) -> None:
    written(manager, {FIRST: ["whole"]}, [FIRST])
    folder = tmp_path / "assets" / "shopify" / "orders"
    (folder / "2026-09-21.json.0af1.partial").write_text("[\"a customer's na")
    assert manager.rewrite(["shopify", "orders"], lambda found: found) == 0
    assert [one.name for one in folder.iterdir()] == ["2026-09-21.json"]


def test_what_cannot_be_written_leaves_the_day_as_it_was(manager: JsonIOManager) -> None:
    written(manager, {FIRST: ["before"]}, [FIRST])
    with pytest.raises(PydanticSerializationError):
        written(manager, {FIRST: [object()]}, [FIRST])
    assert read(manager, [FIRST]) == {FIRST: ["before"]}


def test_a_bucket_will_do_as_well() -> None:
    manager = JsonIOManager(UPath("memory://books/assets"), types={})
    written(manager, {FIRST: ["in a bucket"]}, [FIRST])
    assert read(manager, [FIRST]) == {FIRST: ["in a bucket"]}


def test_every_folder_that_is_made_is_closed_to_others(
    manager: JsonIOManager, tmp_path: Path, open_umask: None
) -> None:
    written(manager, {day: [] for day in DAYS})
    for folder in (tmp_path / "assets", tmp_path / "assets" / "shopify", tmp_path / "assets" / "shopify" / "orders"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_days_with_personal_data_go_when_their_time_is_over_and_a_newer_one_stays(tmp_path: Path) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(days=29))
    manager = JsonIOManager(UPath(tmp_path), timedelta(days=30), clock, types={})
    written(manager, {day: ["kept"] for day in DAYS})
    written(manager, {DAYS[0]: ["again"]}, DAYS[:1])
    assert set(read(manager)) == set(DAYS)
    clock.sleep(2 * 86_400)
    written(manager, {DAYS[0]: ["again"]}, DAYS[:1])
    assert [path.name for path in (tmp_path / "shopify" / "orders").iterdir()] == ["2026-09-21.json"]
    with pytest.raises(dg.Failure, match="shopify/orders has no 2026-09-22 yet"):
        read(manager)


def test_assets_without_personal_data_are_kept(tmp_path: Path) -> None:
    manager = JsonIOManager(UPath(tmp_path), types={})
    for name in ("shopify/products", "shopify/customers", "changes/contacts", "changes/invoices"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "2026-09-21.json").write_text("[]")
    assert manager.purge_before(datetime.now(UTC) + timedelta(days=1)) == 2
    assert sorted(path.parent.name for path in tmp_path.rglob("*.json")) == ["invoices", "products"]


def test_what_is_stored_is_changed_day_by_day_and_stays_for_the_owner_alone(
    manager: JsonIOManager, tmp_path: Path, open_umask: None
) -> None:
    written(manager, {DAYS[0]: ["1.10", "name"], DAYS[1]: ["2.20"]})
    assert manager.rewrite(KEY.path, lambda rows: [row for row in rows if row != "name"]) == 1
    assert read(manager) == {DAYS[0]: ["1.10"], DAYS[1]: ["2.20"]}
    file = tmp_path / "assets" / "shopify" / "orders" / "2026-09-21.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert manager.rewrite(["nothing"], lambda rows: rows) == 0
