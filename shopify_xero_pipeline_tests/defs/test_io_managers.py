"""Where assets are stored: a day a file, whole or not at all, and for the owner's eyes only."""

import json
import os
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from upath import UPath

from shopify_xero_pipeline.defs.io_managers import JsonIOManager
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


def read(manager: JsonIOManager, days: list[date] = DAYS) -> dict[date, Any]:
    with dg.build_input_context(
        asset_key=KEY, asset_partitions_def=PARTITIONS, asset_partition_key_range=range_of(days)
    ) as context:
        return manager.load_input(context)


@pytest.fixture
def manager(tmp_path: Path) -> JsonIOManager:
    return JsonIOManager(UPath(tmp_path / "assets"))


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
    (file.parent / f"{file.name}.partial").write_text("of a run that was killed")
    written(manager, {FIRST: [1]}, [FIRST])
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_what_cannot_be_written_leaves_the_day_as_it_was(manager: JsonIOManager) -> None:
    written(manager, {FIRST: ["before"]}, [FIRST])
    with pytest.raises(TypeError):
        written(manager, {FIRST: [object()]}, [FIRST])
    assert read(manager, [FIRST]) == {FIRST: ["before"]}


def test_a_bucket_will_do_as_well() -> None:
    manager = JsonIOManager(UPath("memory://books/assets"))
    written(manager, {FIRST: ["in a bucket"]}, [FIRST])
    assert read(manager, [FIRST]) == {FIRST: ["in a bucket"]}
