"""Runs from a command: the instance, what failed steps say, and the figures of a report."""

import fcntl
import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import RunOpConcurrency
from upath import UPath

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.cli import job_runner
from shopify_xero_pipeline.cli.job_runner import JobRunner
from shopify_xero_pipeline.defs.step_failures import INTERRUPTED_MESSAGE
from shopify_xero_pipeline.pipeline import file_locations
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS
from shopify_xero_pipeline.pipeline.record_views import days_table
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import summarize_day
from shopify_xero_pipeline.settings import SettingsError
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import order_row
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

SETTINGS = "telemetry: {enabled: false}\n"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=1))) as stage:
        yield stage


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    file = tmp_path / "dagster.yaml"
    file.write_text(SETTINGS)
    return file


def opened(monkeypatch: pytest.MonkeyPatch, settings_file: Path) -> Path:
    """Open the instance without its database and return its home."""
    monkeypatch.setattr(dg.DagsterInstance, "get", staticmethod(dg.DagsterInstance.ephemeral))
    with job_runner.dagster_instance(settings_file) as instance:
        assert isinstance(instance, dg.DagsterInstance)
    return Path(os.environ["DAGSTER_HOME"])


def test_the_default_instance_always_has_the_projects_settings(
    tmp_path: Path, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = opened(monkeypatch, settings_file)
    assert home == tmp_path / ".local" / "dagster"
    assert home.stat().st_mode & 0o777 == 0o700
    (home / "dagster.yaml").write_text("old")
    opened(monkeypatch, settings_file)
    assert (home / "dagster.yaml").read_text() == SETTINGS


def test_an_instance_with_settings_of_its_own_keeps_them(
    tmp_path: Path, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "elsewhere")
    home = opened(monkeypatch, settings_file)
    assert home == tmp_path / "elsewhere"
    assert (home / "dagster.yaml").read_text() == SETTINGS
    (home / "dagster.yaml").write_text("storage: theirs")
    opened(monkeypatch, settings_file)
    assert (home / "dagster.yaml").read_text() == "storage: theirs"


def test_a_home_without_settings_to_copy_is_fine(
    tmp_path: Path, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file.unlink()
    home = opened(monkeypatch, settings_file)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("telemetry: {enabled: [", "dagster.yaml line 1 is not YAML"),
        ("telemetri: {enabled: false}", 'is not accepted by Dagster (Received unexpected config entry "telemetri" at'),
    ],
)
def test_settings_that_dagster_cannot_use_end_in_one_sentence(settings_file: Path, content: str, said: str) -> None:
    settings_file.write_text(content)
    with pytest.raises(EXPECTED_ERRORS, match=re.escape(said)) as caught, job_runner.dagster_instance(settings_file):
        pass
    assert len(str(caught.value).splitlines()) == 1
    assert "Expected" not in str(caught.value)


def test_a_home_that_is_a_file_is_named_with_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with (
        pytest.raises(SettingsError, match=r"DAGSTER_HOME names .*/home, which cannot be used"),
        job_runner.dagster_instance(),
    ):
        pass


def test_where_assets_cannot_be_stored_no_run_is_begun(tmp_path: Path) -> None:
    assert file_locations.check_storage(UPath(tmp_path / "assets")) == UPath(tmp_path / "assets")
    assert file_locations.check_storage(UPath("memory://assets")) == UPath("memory://assets")
    with pytest.raises(SettingsError, match="ASSET_STORAGE names /proc/nowhere"):
        file_locations.check_storage(UPath("/proc/nowhere"))


def test_whoever_opens_an_instance_waits_for_the_one_who_is_opening_it(
    tmp_path: Path, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".local" / "dagster"

    def opens() -> dg.DagsterInstance:
        other = os.open(home, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        return dg.DagsterInstance.ephemeral()

    monkeypatch.setattr(dg.DagsterInstance, "get", staticmethod(opens))
    with job_runner.dagster_instance(settings_file):
        other = os.open(home, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)


def test_an_interruption_ends_the_command_and_not_just_its_chunk(
    stage: Stage, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_days: list[date]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stage.sync_service.extractor, "customers_by_day", interrupted)
    chunks: list[date] = []
    failures = stage.runner(instance).run(
        "plan", [FIRST, FIRST + timedelta(days=20)], lambda first, _: chunks.append(first)
    )
    assert failures == [f"shopify/customers: {INTERRUPTED_MESSAGE}"]
    assert chunks == []


def test_loads_picked_in_the_ui_use_the_pool_and_extracts_do_not() -> None:
    def picked(*pools: str) -> dg.DagsterRun:
        noted = RunOpConcurrency(root_key_counts={}, has_unconstrained_root_nodes=True, all_pools=set(pools))
        return dg.DagsterRun(job_name="__ASSET_JOB", run_op_concurrency=noted)

    assert job_runner._uses_pool(picked("xero"))
    assert not job_runner._uses_pool(picked())
    assert not job_runner._uses_pool(dg.DagsterRun(job_name="plan"))
    assert job_runner._uses_pool(dg.DagsterRun(job_name="sync"))


def test_an_unforeseen_failure_is_told_by_its_cause(
    stage: Stage, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_days: list[date]) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(stage.sync_service.extractor, "customers_by_day", broken)
    (message,) = stage.runner(instance).run("plan", [FIRST])
    assert message == "shopify/customers: ZeroDivisionError: nobody thought of this"


def test_a_run_that_fails_before_its_first_step_says_where_to_look(
    stage: Stage, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed:
        success = False
        all_events: tuple[dg.DagsterEvent, ...] = ()

    class Job:
        def execute_in_process(self, **_: object) -> Failed:
            return Failed()

    runner = stage.runner(instance)
    monkeypatch.setattr(type(runner.definitions), "resolve_job_def", lambda *_: Job())
    chunks: list[tuple[date, date]] = []
    far = FIRST + timedelta(days=20)
    assert runner.run("plan", [far, FIRST], lambda first, last: chunks.append((first, last))) == [
        "the run failed before its first step; see it in the Dagster UI"
    ]
    assert chunks == [(FIRST, FIRST), (far, far)]


def test_the_plans_of_days_are_read_in_the_order_in_which_they_would_be_carried_out(
    stage: Stage, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    line = Change(action=Action.CREATE, kind=Kind.ITEM, shopify_id="1", natural_key="CUP")
    for name, kind in (("payments", Kind.PAYMENT), ("items", Kind.ITEM)):
        file = tmp_path / "plans" / "changes" / name / f"{FIRST}.json"
        file.parent.mkdir(parents=True)
        file.write_text(ChangeSet(kind=kind, day=FIRST, changes=(line,)).model_dump_json())
    found = JobRunner(stage.sync_service, instance, UPath(tmp_path / "plans")).plans([FIRST, FIRST + timedelta(days=1)])
    assert [plan.kind for plan in found] == [Kind.ITEM, Kind.PAYMENT]
    assert found[0].changes == (line,)


def test_differences_of_several_currencies_have_no_sum() -> None:
    rows = [
        order_row(xero_sales=Decimal("9.99"), problems=("sales differ",)),
        order_row(currency="AUD", xero_sales=Decimal("8.00"), problems=("sales differ",)),
    ]
    days = [DayReconciliation(day=FIRST, rows=(row,)) for row in rows]
    assert [day.differences for day in days] == [{"NZD": Decimal("0.01")}, {"AUD": Decimal("2.00")}]
    figures = SyncReport(days=days).summary()
    assert (figures["difference"], figures["differences"]) == (None, {"AUD": "2.00", "NZD": "0.01"})
    assert SyncReport(days=days[:1]).summary()["difference"] == "0.01"
    assert SyncReport().summary()["difference"] == "0.00"
    both = DayReconciliation(day=FIRST, rows=tuple(rows))
    (row,) = days_table([summarize_day(both)]).rows
    assert row[-1] == "2.00 AUD\n0.01 NZD"


def test_a_report_sums_its_days_under_the_promised_names() -> None:
    posted = order_row(documents=2, payments=1, xero_sales=Decimal("9.99"), problems=("sales differ",), extra=1)
    rows = (posted, order_row(outcome="blocked", reason="no rate", lost=1), order_row(outcome="failed", reason="no"))
    report = SyncReport(days=[DayReconciliation(day=FIRST, rows=rows)], seconds=1.26, shopify_calls=3, xero_calls=4)
    figures: dict[str, Any] = dict(report.summary())
    listed = [(one["order_name"], one["outcome"], one["reason"]) for one in figures.pop("listed_orders")]
    assert listed == [("#1001", "posted", "sales differ"), ("#1001", "blocked", "no rate"), ("#1001", "failed", "no")]
    assert figures == {
        "verdict": "disagree",
        "message": "the books do not agree yet: 1 order differs by 0.01 NZD, 1 order of 10.00 NZD failed, 1 record "
        "twice in Xero, 1 record gone from Xero; 1 order of 10.00 NZD is not in them",
        "days": 1,
        "orders": 3,
        "posted": 1,
        "waiting": 0,
        "skipped": 0,
        "blocked": 1,
        "postponed": 0,
        "conflict": 0,
        "failed": 1,
        "documents": 4,
        "payments": 3,
        "unequal": 1,
        "difference": "0.01",
        "differences": {"NZD": "0.01"},
        "duplicates": 1,
        "without_order": [],
        "lost": 1,
        "xero_calls": 4,
        "shopify_calls": 3,
        "seconds": 1.3,
        "failures": [],
        "failed_records": [],
        "days_left_for_later": [],
        "order_warnings": [],
    }
    assert not report.succeeded


@pytest.mark.parametrize(
    ("row", "succeeded"),
    [
        (order_row(), True),
        (order_row(outcome="blocked", reason="no rate"), True),
        (order_row(outcome="blocked"), False),
        (order_row(outcome="conflict", reason="a person paid it"), False),
        (order_row(outcome="postponed", reason="Xero is away"), False),
        (order_row(outcome="failed", reason="refused"), False),
        (order_row(problems=("unequal",)), False),
    ],
)
def test_a_report_succeeds_if_every_order_is_in_xero_or_blocked_with_a_reason(row: object, succeeded: bool) -> None:
    day = DayReconciliation.model_validate({"day": FIRST, "rows": [row]})
    assert SyncReport(days=[day]).succeeded is succeeded
    assert not SyncReport(days=[day], failures=["a step failed"]).succeeded
    assert not SyncReport(days=[day], postponed_days=[FIRST]).succeeded
