"""A system of real processes around one folder: sandbox, code server, daemon and commands, and their kills.

The interruptions are in `scenarios.py`, the expected results in `judge.py` and the tests.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import msgspec
import yaml
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_graphql.schema import create_schema

from shopify_xero_pipeline.defs.partitions import range_tags
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline_tests.campaigns.dagster_runs import clock
from shopify_xero_pipeline_tests.campaigns.proof.content import Content, content_of
from shopify_xero_pipeline_tests.support.stage import BOOKS

ROOT = Path(__file__).parents[3]
MODULES = "shopify_xero_pipeline_tests.campaigns.dagster_runs"
PATIENCE = 180.0  # seconds
SOON: Mapping[str, Any] = {
    "run_monitoring": {"poll_interval_seconds": 1, "cancel_timeout_seconds": 3, "free_slots_after_run_end_seconds": 1},
}
"""The differences from the product's `dagster.yaml`: only intervals and timeouts of the daemon."""

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
AGAIN = """
mutation Again($params: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id) { __typename ... on TerminateRunFailure { message } ... on PythonError { message } }
}"""


class House:
    """One shop, one Xero organisation, one state store, one Dagster instance.

    Attributes:
        code: the module of the code location.
        daemon: the module of Dagster's daemon.
    """

    code, daemon = f"{MODULES}.location", "dagster._daemon"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "dagster"
        self._moved = folder / "moved"
        self._socket = Path(tempfile.mkdtemp(prefix="code-")) / "code"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = count(1)
        self.address = ""
        self._client = httpx.Client(trust_env=False)
        self.furnish()
        clock.move(self._moved, 0)

    def furnish(self) -> None:
        """Create a new Dagster home with the product's settings; the previous one is lost."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
        for name, changed in SOON.items():
            settings[name] |= changed
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        server = {"socket": str(self._socket), "location_name": "shopify_xero_pipeline"}
        (self.folder / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            instance.event_log_storage.set_concurrency_slots("xero", 1)

    # -- processes -----------------------------------------------------------------------------------------------------

    def start_all(self) -> None:
        """Start all processes."""
        self.start_sandbox()
        self.start_daemon()
        self.start_code()

    def start_sandbox(self) -> None:
        self._start("sandbox", "-m", f"{MODULES}.sandbox", str(self.folder / "xero.json"))
        log = self.folder / "sandbox.log"
        self.until(lambda: "\n" in log.read_text(), "the sandbox to start")
        self.address = log.read_text().strip()

    def start_code(self) -> None:
        self._start("code", "-m", "dagster", "api", "grpc", "-m", self.code, "-s", str(self._socket))
        self.until(self._socket.exists, "the code server to start")

    def start_daemon(self) -> None:
        self._start("daemon", "-m", self.daemon, "run", "-w", "workspace.yaml")

    def kill(self, *names: str) -> None:
        """Kill processes with all their children, like a power loss of the host."""
        for name in names:
            process = self._processes.pop(name)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if "code" in names:
            self._socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """Kill the remaining processes."""
        self.kill(*self._processes)
        self._client.close()
        shutil.rmtree(self._socket.parent)

    def command(self, *words: str, **environ: str) -> "Command":
        """Start `shopify-xero` with these arguments."""
        log = self.folder / f"command-{next(self._numbers)}.log"
        return Command(self._spawn(log, "-m", f"{MODULES}.command", *words, **environ), log)

    def _start(self, name: str, *words: str) -> None:
        self._processes[name] = self._spawn(self.folder / f"{name}.log", *words)

    def _spawn(self, log: Path, *words: str, **environ: str) -> subprocess.Popen[bytes]:
        environ = self.environ | environ
        with log.open("a") as out:
            return subprocess.Popen(
                [sys.executable, *words], cwd=self.folder, env=environ, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def environ(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return inherited | {
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1",
            "SHOPIFY_BASE_URL": self.address,
            "XERO_BASE_URL": self.address,
            "STATE_URL": f"sqlite:///{self.folder / 'state.db'}",
            "ASSET_STORAGE": str(self.folder / "assets"),
            "BOOKS_FILE": str(BOOKS),
            clock.MOVED: str(self._moved),
        }

    # -- time, faults, Xero --------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Move the clock of all processes on."""
        clock.move(self._moved, seconds)

    def now(self) -> datetime:
        os.environ[clock.MOVED] = str(self._moved)
        return clock.SharedClock().now()

    def spoil(self, path: str, *, kind: str = "slow", **rule: object) -> None:
        """Let the next write to a path of Xero hang after its posting (slow) or before it (late), or fail otherwise."""
        self.mend()
        rules = {"kind": kind, "method": "PUT", "path": path, **rule}
        self._client.post(f"{self.address}/_sandbox/faults/", json=rules).raise_for_status()

    def caught(self) -> None:
        """Wait until a write hangs."""
        self.until(lambda: any(rule["fired"] for rule in self._faults()), "a write to hang")

    def _faults(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self._client.get(f"{self.address}/_sandbox/faults/").json()
        return rules

    def mend(self) -> None:
        """Remove all faults."""
        self._client.delete(f"{self.address}/_sandbox/faults/").raise_for_status()

    def books(self) -> XeroBooks:
        """Return Xero's books."""
        self._client.post(f"{self.address}/_sandbox/save").raise_for_status()
        state = json.loads((self.folder / "xero.json").read_text(), parse_float=str)["xero"]
        return XeroBooks.from_json(msgspec.json.encode(state).decode())

    def content(self) -> Content:
        """Return the content of Xero by identity; a duplicate identity raises."""
        return content_of(self.books())

    # -- Dagster -------------------------------------------------------------------------------------------------------

    @contextmanager
    def dagster(self) -> Iterator["Dagster"]:
        """Yield an interface to Dagster like that of its UI."""
        os.environ["DAGSTER_HOME"] = str(self.home)
        with ExitStack() as stack:
            instance = stack.enter_context(dg.DagsterInstance.from_config(str(self.home)))
            target = WorkspaceFileTarget([str(self.folder / "workspace.yaml")])
            context = stack.enter_context(WorkspaceProcessContext(instance, target))
            yield Dagster(instance, context, self)

    def until(self, true: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait until a condition is true; raise after `patience` seconds."""
        end = time.monotonic() + patience
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not happen within {patience:.0f} s")
            time.sleep(0.05)


@dataclass
class Command:
    """A running command."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """Kill the command."""
        self.process.kill()
        self.process.wait()

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and its output."""
        return self.process.wait(PATIENCE), self.log.read_text()


@cache
def _schema() -> Any:
    return create_schema()


class Dagster:
    """The Dagster instance over GraphQL."""

    def __init__(self, instance: dg.DagsterInstance, context: WorkspaceProcessContext, house: House) -> None:
        self.instance = instance
        self._context = context
        self._house = house

    def launch(self, days: Sequence[date], job: str = "sync") -> str:
        """Launch a run for a range of days and return its id."""
        tags = range_tags(days[0], days[-1])
        params = {
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "shopify_xero_pipeline",
                "jobName": job,
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        return str(self._ask(LAUNCH, params=params)["launchRun"]["run"]["runId"])

    def retry(self, run_id: str, strategy: str = "FROM_FAILURE") -> str:
        """Re-execute a run as the UI's button does: from its failed steps on, or all of it."""
        result = self._ask(AGAIN, params={"parentRunId": run_id, "strategy": strategy})
        return str(result["launchRunReexecution"]["run"]["runId"])

    def terminate(self, run_id: str) -> str:
        """Request the termination of a run and return the type of Dagster's response."""
        return str(self._ask(TERMINATE, id=run_id)["terminateRun"]["__typename"])

    def status(self, run_id: str) -> str:
        """Return a run's status."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status.value

    def ended(self, run_id: str, patience: float = PATIENCE) -> str:
        """Wait for a run's end and return its status."""
        ends = {"SUCCESS", "FAILURE", "CANCELED"}
        self._house.until(lambda: self.status(run_id) in ends, f"the end of run {run_id}", patience)
        return self.status(run_id)

    def pid(self, run_id: str) -> int:
        """Return the process id of a run."""
        records = self.instance.all_logs(run_id)
        event = next(record for record in records if "Started process for run" in (record.message or ""))
        return int(event.message.rpartition("pid: ")[2].rstrip(")."))

    def children(self, run_id: str) -> list[str]:
        """Return the runs that retry this run."""
        filters = dg.RunsFilter(tags={"dagster/parent_run_id": run_id})
        return [run.run_id for run in self.instance.get_runs(filters)]

    def _ask(self, query: str, **variables: object) -> Any:
        execution = _schema().execute_async(
            query, context_value=self._context.create_request_context(), variable_values=variables
        )
        result = asyncio.run(execution)
        assert not result.errors, result.errors
        return result.data
