"""Where a run stands: counted from what happens, and seen on the terminal while it happens."""

import os
import select
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from shopify_xero_pipeline.cli import job_runner, output
from shopify_xero_pipeline.cli.progress import RunProgress, show_progress
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

SPAN = "2026-09-21..2026-09-24"
LAST = FIRST + timedelta(days=3)


def seen(progress: RunProgress, *happened: tuple[str, dict[str, Any]]) -> str:
    for event, fields in happened:
        progress.watch(event, fields)
    return progress.now


def began(name: str, kind: str, span: str = SPAN) -> tuple[str, dict[str, Any]]:
    return f"{name}_began", {"entity_type": kind, "partition": span}


def test_it_says_which_days_and_which_kind_a_run_is_at_and_how_many_records_are_written() -> None:
    progress = RunProgress(days=8, steps=4)
    assert (progress.now, progress.completed_share) == ("", 0)
    assert seen(progress, began("read", "order")) == f"{SPAN}: reading orders"
    assert seen(progress, ("api_call", {})) == f"{SPAN}: reading orders, 1 call"
    assert seen(progress, ("api_call", {}), ("read_completed", {})) == f"{SPAN}: reading orders"
    assert progress.completed_share == 1 / 4 / 2
    loading = (began("sync", "payment and allocation"), ("load_planned", {"records": 1_200}))
    assert seen(progress, *loading) == f"{SPAN}: writing payments and allocations, 0 of 1,200 records"
    settled = ("batch_settled", {"records": 50, "settled": 50})
    assert seen(progress, ("api_call", {}), settled, settled).endswith("100 of 1,200 records")
    assert progress.completed_share == pytest.approx((1 + 100 / 1_200) / 4 / 2)
    ends: list[tuple[str, dict[str, Any]]] = [("sync_completed", {}), ("reconciliation_completed", {})]
    assert seen(progress, ends[0], began("reconciliation", "order"), ends[1]) == f"{SPAN}: recording the results"
    assert progress.completed_share == 3 / 4 / 2
    progress.end_range(FIRST, LAST)
    assert progress.completed_share == 1 / 2
    assert seen(progress, began("read", "credit_note", "2026-09-25")) == "2026-09-25: reading credit notes"


def test_a_piece_that_failed_is_over_as_well_and_nothing_is_more_than_all() -> None:
    progress = RunProgress(days=4, steps=1)
    seen(progress, began("read", "order"), ("read_failed", {}), began("plan", "item"), ("plan_completed", {}))
    assert progress.completed_share == 1
    assert RunProgress(days=0).completed_share == 1
    assert RunProgress(days=4).completed_share == 0


def test_watchers_see_what_the_log_leaves_out_and_only_while_they_watch() -> None:
    found: list[tuple[str, dict[str, object]]] = []
    clock = ManualClock(at(FIRST))
    watching = events.watch_events(lambda event, fields: found.append((event, dict(fields))))
    with watching, events.log_operation(clock, "read", "order", [FIRST, FIRST + timedelta(days=3)]):
        events.log_event("quiet", level=10)
    events.log_event("later")
    assert [event for event, _ in found] == ["read_began", "quiet", "read_completed"]
    assert found[0][1] == {"entity_type": "order", "partition": SPAN}
    assert found[1][1]["entity_type"] == "order"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=3))) as stage:
        yield stage


@pytest.mark.campaign
def test_a_whole_run_moves_from_its_first_piece_to_its_last_without_going_back(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    days = [FIRST, FIRST + timedelta(days=1)]
    progress = RunProgress(len(days), job_runner.STEPS_PER_RANGE["sync"])
    shares, words = [0.0], list[str]()

    def watch(event: str, fields: Any) -> None:
        progress.watch(event, fields)
        shares.append(progress.completed_share)
        words.append(progress.now)

    with events.watch_events(watch):
        stage.runner(instance).sync(days, progress.end_range)
    assert shares == sorted(shares)
    assert max(shares) == pytest.approx((job_runner.STEPS_PER_RANGE["sync"] - 1) / job_runner.STEPS_PER_RANGE["sync"])
    assert progress.completed_share == 1
    moves = [after - before for before, after in pairwise(shares)]
    assert max(moves) <= 1 / job_runner.STEPS_PER_RANGE["sync"] + 1e-9
    said = dict.fromkeys(words)
    assert sum(": writing invoices, " in one and " records" in one for one in said) >= 2
    assert f"{FIRST}..{days[1]}: comparing orders" in said


def test_the_bar_stays_on_the_terminal_while_standard_output_is_pointed_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As Dagster does with the descriptors of a process while one of its steps runs."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as screen:
        monkeypatch.setattr(output, "console", Console(file=screen, force_terminal=True, width=140))
        with show_progress("syncing", 4, job_runner.STEPS_PER_RANGE["sync"]):
            elsewhere = os.open(tmp_path / "captured", os.O_WRONLY | os.O_CREAT)
            os.dup2(elsewhere, slave)
            events._notify_watchers(*began("plan", "invoice"))
        assert (tmp_path / "captured").stat().st_size == 0
    written = b""
    while select.select([master], [], [], 5)[0] and b"planning invoices" not in written:
        written += os.read(master, 65_536)
    os.close(master)
    assert f"{SPAN}: planning invoices" in written.decode(errors="replace")


def test_nothing_of_a_bar_is_written_where_the_output_is_piped_on(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("syncing", 4, job_runner.STEPS_PER_RANGE["sync"]) as progress:
        events._notify_watchers(*began("plan", "invoice"))
        progress.end_range(FIRST, LAST)
    assert capsys.readouterr() == ("", "")
