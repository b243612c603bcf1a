"""The part `idle`: an hourly run of a day without changes, over a run of as many assets that do nothing.

Both runs are processes of the command `dagster job execute` with the product's `dagster.yaml`; a run that the daemon
starts is such a process too. The sandbox is another process, so its CPU time is not included. This module starts the
processes and reports; `counted_process.py` counts.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import no_op_assets
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table
from shopify_xero_pipeline_tests.support.scratch import in_memory

ROOT = Path(__file__).parents[3]
PRODUCT, NO_OP = "shopify_xero_pipeline.definitions", no_op_assets.__name__
REPETITIONS = 7
STATE = "state.db"
CPU_GOAL = 1.2
GOALS = {"openings of Dagster's files": 1.2, "events": 2.0, "commits to Dagster's files": 2.2}
"""The largest ratios of counts to those of the run of no-op assets."""

SECTION = """## An hourly run without changes

The run of a day that is already in the books, over a run of {assets} assets that do nothing. Both are processes of
their own, as the runs of the daemon are, with the product's `dagster.yaml`; their CPU time includes the start of
Python, all imports and the end. The sandbox is another process. CPU and memory are medians of {repetitions} runs each,
which alternate. Counts are of one run each. The run of the product also writes metadata and 15 check results.

{goals}

{table}

{measured}"""


@dataclass(frozen=True)
class RunCost:
    """The cost of the runs of one code location.

    Attributes:
        counts: the counts of one run by name.
        cpu: the CPU seconds of each run.
        peak: the largest memory of each run, in MB.
    """

    counts: Mapping[str, int]
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)


class Home:
    """A folder with a DAGSTER_HOME and a state store, in which one code location runs.

    Args:
        folder: the folder.
        module: the module of the code location.
        address: the address of the sandbox.
    """

    def __init__(self, folder: Path, module: str, address: str) -> None:
        self._folder, self._module = folder, module
        self._home = folder / "dagster"
        self._home.mkdir(parents=True)
        shutil.copy(ROOT / "dagster.yaml", self._home)
        day = datetime.now(ZoneInfo("Pacific/Auckland")).date() - timedelta(days=2)
        tags = json.dumps({"dagster/partition": day.isoformat()})
        self._arguments = ["job", "execute", "-m", module, "-j", "sync", "--tags", tags]
        self._environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self._home),
            "STATE_URL": f"sqlite:///{folder / STATE}",
            "ASSET_STORAGE": str(folder / "assets"),
            "BOOKS_FILE": str(ROOT / "books.yaml"),
            "SHOPIFY_BASE_URL": address,
            "XERO_BASE_URL": address,
            "LOG_FORMAT": "json",
        }

    def run(self) -> tuple[float, float]:
        """Run the job; return CPU seconds and the largest memory in MB."""
        return self._execute(["-m", "dagster", *self._arguments])

    def count(self) -> dict[str, int]:
        """Run the job with counters and return its counts."""
        file = self._folder / "counts.json"
        self._execute(["-m", f"{__package__}.counted_process", str(file), *self._arguments])
        counts = json.loads(file.read_text(encoding="utf-8"))
        ours = [value for name, value in counts.items() if name != STATE]
        names = {"openings": "openings of", "statements": "statements on", "commits": "commits to"}
        result = {"events": self._count_events()}
        result |= {f"{text} Dagster's files": sum(one.get(key, 0) for one in ours) for key, text in names.items()}
        result |= {f"{text} the state store": counts.get(STATE, {}).get(key, 0) for key, text in names.items()}
        log = (self._folder / "log").read_text(encoding="utf-8")
        return result | {f"calls to {api.title()}": log.count(f'"api": "{api}"') for api in ("shopify", "xero")}

    def _execute(self, arguments: Sequence[str]) -> tuple[float, float]:
        with (self._folder / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], env=self._environ, cwd=self._folder, stdout=log, stderr=log
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (self._folder / "log").read_text()[-3_000:]
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1_000

    def _count_events(self) -> int:
        files = [path for path in (self._home / "history" / "runs").glob("*.db") if path.name != "index.db"]
        newest = max(files, key=lambda path: path.stat().st_mtime)
        with closing(sqlite3.connect(newest)) as connection:
            (count,) = connection.execute("select count(*) from event_logs").fetchone()
        return int(count)


def measure(_options: Options, step: Step) -> Outcome:
    """Measure an hourly run without changes and a run of no-op assets."""
    product, no_op = measure_runs(step, REPETITIONS)
    head = ("figure", "unchanged day", "no-op assets", "ratio")
    rows = _rows(product, no_op)
    goals, exceeded = _goals(product, no_op)
    section = SECTION.format(
        assets=no_op_assets.COUNT,
        repetitions=REPETITIONS,
        goals=goals,
        table=reliability.table(head, rows),
        measured=reliability.measured(),
    )
    figures = {"product": asdict(product), "no_op": asdict(no_op)}
    return Outcome(section, [terminal_table("An hourly run", head, rows)], figures, goals, exceeded)


def measure_runs(step: Step, repetitions: int) -> tuple[RunCost, RunCost]:
    """Return the cost of the runs of the product and of the no-op assets.

    Args:
        step: receives what is measured now.
        repetitions: the number of timed runs of each, which alternate.
    """
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder, sandbox(Path(folder)) as address:
        homes = [Home(Path(folder) / name, module, address) for name, module in (("sync", PRODUCT), ("no-op", NO_OP))]
        for home in homes:
            step("first runs")
            home.run()  # writes the day
            home.run()  # reads back what the first run has written
        costs = [RunCost(home.count()) for home in homes]
        for number in range(repetitions):
            step(f"run {number + 1} of {repetitions}")
            for home, cost in zip(homes, costs, strict=True):
                cpu, peak = home.run()
                cost.cpu.append(cpu)
                cost.peak.append(peak)
    assert costs[0].counts["calls to Xero"] == 0, costs[0]
    return costs[0], costs[1]


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    """Run a sandbox in a process of its own and yield its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-m", "shopify_xero_pipeline.cli", "sandbox", "--port", str(port)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _is_listening(port):
            assert process.poll() is None
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _is_listening(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ratio(cost: float, base: float) -> str:
    return f"{cost / base:.2f}" if base else "-"


def _rows(product: RunCost, no_op: RunCost) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (name, f"{count:,}", f"{no_op.counts[name]:,}", _ratio(count, no_op.counts[name]))
        for name, count in product.counts.items()
    ]
    for label, of, decimals in (("CPU, s", "cpu", 2), ("peak memory, MB", "peak", 0)):
        cost, base = median(getattr(product, of)), median(getattr(no_op, of))
        rows.append((label, f"{cost:.{decimals}f}", f"{base:.{decimals}f}", _ratio(cost, base)))
    return rows


def _goals(product: RunCost, no_op: RunCost) -> tuple[str, bool]:
    """Return the goals as a sentence, and whether a count exceeds its goal; CPU time is reported only."""
    ratios = {name: product.counts[name] / no_op.counts[name] for name in GOALS}
    exceeded = [f"{ratio:.2f} times the {name}" for name, ratio in ratios.items() if ratio > GOALS[name]]
    limits = ", ".join(f"{limit:g} times the {name}" for name, limit in GOALS.items())
    counts = f"The goals are at most {limits} of the no-op assets. "
    counts += f"Exceeded: {'; '.join(exceeded)}." if exceeded else "They are met."
    cpu = median(product.cpu) / median(no_op.cpu)
    verdict = "met" if cpu <= CPU_GOAL else "not met"
    return f"{counts} The goal of {CPU_GOAL} times their CPU is {verdict}: {cpu:.2f} times.", bool(exceeded)
