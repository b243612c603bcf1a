"""The jobs of the code location, run by Dagster itself against the sandbox."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from shopify_xero_pipeline.cli.job_runner import RunConflictError
from shopify_xero_pipeline.defs.run_requests import days_of_runs
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged

pytestmark = pytest.mark.campaign

FIRST = date(2026, 9, 21)
NEXT = FIRST + timedelta(days=1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=3))) as stage:
        yield stage


@dataclass(frozen=True)
class Synced:
    """A day that was carried to Xero; what tests then do with it writes nothing."""

    stage: Stage
    instance: dg.DagsterInstance
    report: SyncReport


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    with (
        staged(tmp_path_factory.mktemp("synced"), at(FIRST + timedelta(days=3))) as stage,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        yield Synced(stage, instance, stage.runner(instance).sync([FIRST]))


def check_of_days(instance: dg.DagsterInstance, asset: list[str], name: str) -> dict[str, bool]:
    """Return each day's check result as the UI counts it: only if it is about the day's latest materialisation."""
    key, found = dg.AssetKey(asset), dict[str, bool]()
    check = dg.AssetCheckKey(key, name)
    for info in instance.event_log_storage.get_asset_check_partition_info([check]):
        assert info.partition_key is not None
        ids = instance.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, {info.partition_key}
        )
        assert info.latest_target_materialization_storage_id == ids[info.partition_key]
        found[info.partition_key] = info.latest_execution_status.value == "SUCCEEDED"
    return found


def shown_of(instance: dg.DagsterInstance, asset: str) -> dict[str, Any]:
    """Return the metadata of an asset's last materialisation."""
    record = instance.fetch_materializations(dg.AssetKey(asset.split("/")), limit=1).records[0]
    assert record.asset_materialization is not None
    return {name: entry.value for name, entry in record.asset_materialization.metadata.items()}


def said_of(instance: dg.DagsterInstance, asset: str, name: str) -> tuple[str, list[dict[str, Any]]]:
    """Return what a check last said in a sentence, and the rows of its table."""
    key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name)
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.event is not None
    assert record.event.dagster_event is not None
    found = record.event.dagster_event.asset_check_evaluation_data
    failures = found.metadata["failures"]
    assert isinstance(failures, dg.TableMetadataValue)
    return str(found.description), [dict(record.data) for record in failures.records]


def figures(report: SyncReport) -> dict[str, object]:
    names = ("days", "failed", "difference", "duplicates", "lost", "failures")
    return {name: report.summary()[name] for name in names}


SOUND = {"failed": 0, "difference": "0.00", "duplicates": 0, "lost": 0, "failures": []}


def test_a_day_is_carried_to_xero_and_its_books_agree(synced: Synced) -> None:
    assert figures(synced.report) == {"days": 1, **SOUND}
    assert synced.report.succeeded
    assert synced.stage.size() > 50
    for name in ("contacts", "items", "invoices", "credit_notes", "payments"):
        assert check_of_days(synced.instance, ["xero", name], "all_loaded") == {"2026-09-21": True}


def test_orders_money_failures_and_calls_are_numbers_that_the_ui_plots_from_day_to_day(synced: Synced) -> None:
    rows = synced.report.days[0].rows
    orders, drawn = (shown_of(synced.instance, asset) for asset in ("shopify/orders", "books/trends"))
    assert (orders["dagster/row_count"], orders["Xero API calls"]) == (len(rows), 0)
    assert orders["Shopify API calls"] > 0
    assert orders["current sales NZD"] > 0
    posted = sum(row.outcome == "posted" for row in rows)
    assert (drawn["orders posted"], drawn["records failed"], drawn["records postponed"]) == (posted, 0, 0)
    assert 0 < drawn["invoices written"] <= drawn["payments written"]
    assert drawn["documents in NZD, Shopify"] == drawn["documents in NZD, Xero"] > 0
    assets = [f"{group}/{name}" for group in ("changes", "xero") for name in ("contacts", "items", "invoices",
              "credit_notes", "payments")]  # fmt: skip
    told = [int(shown_of(synced.instance, asset)["Xero API calls"]) for asset in [*assets, "books/reconciliation"]]
    assert sum(told) == synced.report.xero_calls
    assert drawn["Xero API calls"] == sum(told[5:])  # of the loads and the reconciliation


def test_no_number_of_an_asset_with_checks_is_drawn_as_the_ui_would_draw_it_above_them(synced: Synced) -> None:
    """Its sidebar draws every number of a materialisation first; `books/trends` has them and has no checks."""
    loads = ("contacts", "items", "invoices", "credit_notes", "payments")
    for asset in ("books/reconciliation", "books/open_failures", *(f"xero/{name}" for name in loads)):
        shown = shown_of(synced.instance, asset)
        assert shown
        assert [name for name, value in shown.items() if isinstance(value, int | float)] == [], asset


def test_running_a_day_twice_writes_nothing_the_second_time(synced: Synced) -> None:
    size = synced.stage.size()
    again = synced.stage.runner(synced.instance).sync([FIRST])
    assert synced.stage.size() == size
    assert again.xero_calls == 0
    assert figures(again) == {"days": 1, **SOUND}


def test_a_range_gives_every_day_its_own_checks_and_metadata(stage: Stage, instance: dg.DagsterInstance) -> None:
    days = [FIRST, NEXT, NEXT + timedelta(days=1)]
    report = stage.runner(instance).sync(days)
    assert figures(report) == {"days": 3, **SOUND}
    for check in ("every_order_accounted_for", "totals_equal", "no_duplicates_or_missing"):
        assert check_of_days(instance, ["books", "reconciliation"], check) == dict.fromkeys(map(str, days), True)
    orders = {
        record.partition_key: record.asset_materialization.metadata["dagster/row_count"].value
        for record in instance.fetch_materializations(dg.AssetKey(["shopify", "orders"]), limit=10).records
        if record.asset_materialization is not None
    }
    assert orders == {str(day.day): len(day.rows) for day in report.days}


def test_planning_writes_nothing_and_the_plan_can_be_read(stage: Stage, instance: dg.DagsterInstance) -> None:
    runner = stage.runner(instance)
    assert runner.run("plan", [FIRST]) == []
    assert stage.size() == 0
    plans = {plan.kind: plan for plan in runner.plans([FIRST])}
    assert all(line.action.value == "create" for line in plans[Kind.ITEM].changes)
    invoices = [line for line in plans[Kind.INVOICE].changes if line.action.value == "create"]
    assert all(line.order_name and line.amount is not None for line in invoices)
    record = instance.fetch_materializations(dg.AssetKey(["changes", "invoices"]), limit=1).records[0]
    assert record.asset_materialization is not None
    shown = record.asset_materialization.metadata
    assert shown["create"].value == len(invoices)
    assert invoices[0].natural_key in str(shown["diff"].value)


def test_no_name_or_address_of_a_customer_reaches_the_event_log(synced: Synced) -> None:
    told = " ".join(
        str(record.event_log_entry.to_json())
        for run in synced.instance.get_runs()
        for record in synced.instance.get_records_for_run(run.run_id).records
    )
    people = [contact for contact in synced.stage.sandbox.books.contacts.values() if len(contact.name) > 6]
    assert people
    for contact in people:
        assert json.dumps(contact.name)[1:-1] not in told
        assert contact.texts.get("EmailAddress") or "no-mail" not in told


def test_a_refused_record_turns_its_day_red_and_the_mended_day_green(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    runner = stage.runner(instance)
    runner.run("plan", [FIRST])
    stage.person.archive_account("601")
    report = runner.sync([FIRST])
    assert report.failures == []
    assert check_of_days(instance, ["xero", "payments"], "all_loaded") == {"2026-09-21": False}
    assert check_of_days(instance, ["books", "reconciliation"], "every_order_accounted_for") == {"2026-09-21": False}
    assert {error.kind for error in stage.sync_service.connections.store.failed_records()} == {"payment"}
    says, table = said_of(instance, "xero/payments", "all_loaded")
    count = len(stage.sync_service.connections.store.failed_records())
    assert re.match(rf"{count} of \d+ records not in Xero: payment ", says)
    assert [row["attempts"] for row in table] == ["1"] * count
    (refusal, *_) = runner.sync([FIRST]).failures
    assert "names account 601 Shopify Payments Clearing, which is archived in Xero: restore it" in refusal
    stage.person.restore_account("601")
    stage.clock.sleep(3600)
    assert figures(stage.runner(instance).sync([FIRST])) == {"days": 1, **SOUND}
    assert check_of_days(instance, ["xero", "payments"], "all_loaded") == {"2026-09-21": True}
    assert stage.sync_service.connections.store.failed_records() == []


def test_a_lost_answer_after_xero_booked_the_batch_posts_nothing_twice(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    fault = stage.sandbox.faults.add(Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Payments"))
    report = stage.runner(instance).sync([FIRST])
    assert fault.fired == 1
    assert figures(report) == {"days": 1, **SOUND}


def test_an_account_that_xero_does_not_have_stops_the_step_before_anything_is_written(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    stage.person.archive_account("200")
    report = stage.runner(instance).sync([FIRST])
    assert not report.succeeded
    assert "accounts.sales names account 200 Sales, which is archived in Xero" in report.failures[0]
    assert stage.size() == 0


def test_a_run_that_uses_the_pool_keeps_a_second_one_out(stage: Stage, instance: dg.DagsterInstance) -> None:
    instance.add_run(dg.DagsterRun(job_name="sync", run_id="0" * 36, status=dg.DagsterRunStatus.STARTED))
    with pytest.raises(RunConflictError, match="Run 00000000 is using the pool xero"):
        stage.runner(instance).sync([FIRST])
    assert stage.size() == 0


def test_the_nightly_checks_find_the_mapping_sound(synced: Synced) -> None:
    definitions = synced.stage.runner(synced.instance).definitions
    result = definitions.resolve_job_def("mapping_checks").execute_in_process(instance=synced.instance)
    assert {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()} == {
        "no_duplicate_xero_id": True,
        "no_orphan": True,
        "rows_intact": True,
    }


def test_a_sync_of_the_command_line_is_a_whole_sync_to_schedules_and_sensors(synced: Synced) -> None:
    assert FIRST in days_of_runs(synced.instance, [dg.DagsterRunStatus.SUCCESS])
