"""A run that hangs is ended by its own process: by an interrupt where that helps, else with the process."""

import faulthandler
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from shopify_xero_pipeline.defs.step_failures import INTERRUPTED_MESSAGE
from shopify_xero_pipeline.pipeline import watchdog
from shopify_xero_pipeline.pipeline.watchdog import time_limit
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

SURELY = 60.0
ROOT = Path(__file__).parents[2]


def run_alone(hangs: str) -> subprocess.CompletedProcess[str]:
    """Run a process whose time is over after two seconds, and which does this meanwhile."""
    lines = [
        "import re, signal, socket, threading, time",
        "from shopify_xero_pipeline.pipeline.watchdog import time_limit",
        "with time_limit(2) as limit:",
        f"    {hangs}",
        "print('over' if limit.is_over else 'in time')",
    ]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, timeout=SURELY, check=False
    )


def test_a_process_that_is_in_time_is_left_alone() -> None:
    ended = run_alone("pass")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "in time\n", "")


@pytest.mark.parametrize(
    "hangs", ["time.sleep(600)", "threading.Event().wait()", "socket.create_server(('127.0.0.1', 0)).accept()"]
)
def test_a_process_that_waits_without_end_is_interrupted(hangs: str) -> None:
    ended = run_alone(hangs)
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize(
    "hangs",
    [
        "signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)",
        "re.match('(a+)+$', 'a' * 60 + 'b')",  # computes for years, and lets no other thread have the interpreter
    ],
)
def test_a_process_that_no_interrupt_reaches_is_ended_and_says_where_it_hung(hangs: str) -> None:
    ended = run_alone(hangs)
    assert ended.returncode == 1
    assert "Timeout (0:00:01.500000)!" in ended.stderr
    assert 'File "<string>", line 4' in ended.stderr


def test_a_thread_beside_the_main_one_is_not_interrupted() -> None:
    found: list[bool] = []

    def beside() -> None:
        with time_limit(0.01) as limit:
            threading.Event().wait(0.1)
        found.append(limit.is_over)

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    assert found == [False]


def test_the_interrupt_comes_well_before_the_end() -> None:
    for seconds, expected in ((0, 3_480.0), (3_600, 3_480.0), (240, 120.0), (60, 30.0)):
        with time_limit(seconds):
            (timer,) = (one for one in threading.enumerate() if isinstance(one, threading.Timer))
            assert timer.interval == expected
        timer.join()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=1))) as stage:
        yield stage


def test_a_command_whose_run_hangs_ends_and_says_why_and_leaves_no_run_behind(
    stage: Stage, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(instance), "run_monitoring_max_runtime_seconds", 1)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: None)  # the process is the tests'
    monkeypatch.setattr(stage.sync_service.extractor, "customers_by_day", lambda _days: threading.Event().wait())
    chunks: list[Any] = []

    failures = stage.runner(instance).run(
        "sync", [FIRST, FIRST + timedelta(days=20)], lambda *days: chunks.append(days)
    )

    assert failures == [
        f"shopify/customers: {INTERRUPTED_MESSAGE}",
        "The run was ended near its time limit of 1 seconds. Sync fewer days at once, or raise max_runtime_seconds "
        "of run_monitoring in dagster.yaml.",
    ]
    assert chunks == []
    assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_time_of_a_run_is_the_one_that_dagsters_daemon_goes_by() -> None:
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())["run_monitoring"]
    assert settings["max_runtime_seconds"] == watchdog.DEFAULT_SECONDS
    assert settings["cancel_timeout_seconds"] == watchdog.GRACE_SECONDS
