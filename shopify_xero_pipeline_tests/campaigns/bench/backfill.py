"""The part `backfill`: a year of orders in one run, by the number of orders.

The backfill runs in a process of its own, so that its memory is its own; the sandbox runs in this process. This module
starts them and reports; `backfill_run.py` measures.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.app import build_sandbox, serving
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import backfill_run
from shopify_xero_pipeline_tests.campaigns.bench.backfill_run import DAGSTER, OURS, BackfillCost
from shopify_xero_pipeline_tests.campaigns.bench.call_workloads import START_DATE, Workload
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table
from shopify_xero_pipeline_tests.support.scratch import in_memory
from shopify_xero_pipeline_tests.support.sync_round import books_file

ROOT = Path(__file__).parents[3]
DAYS = 365
SIZES = (10_000, 100_000)
MEMORY_GOAL = 1.5
MAX_MEMORY = 1_000
"""The goals of the memory: its growth from the fewest to the most orders, and its MB."""

SECTION = """## A backfill of a year

Orders of new customers over {days} days, in one run of the job `sync` into an empty store and an empty organisation, as
`shopify-xero sync` runs it, with Dagster's storages of the product. The sandbox is another process on one clock that
the waits advance, so no time passes for limits. Each size is one run.

- *Shares* are of the samples of the stack, one for each {sample_ms} ms of CPU time; a library counts for the project
  that calls it. The sandbox's CPU is that of its process.
- The memory is that of the process of the run; its goals are at most {memory_goal} times that of the fewest orders,
  and less than {max_memory:,} MB. {verdict}

{table}

{measured}"""


@dataclass(frozen=True)
class Backfill:
    """The backfill of a number of orders.

    Attributes:
        orders: the number of orders.
        cost: the cost of the process.
        sandbox_cpu: CPU seconds of the sandbox.
    """

    orders: int
    cost: BackfillCost
    sandbox_cpu: float

    def share(self, owner: str) -> float:
        """Return the percentage of the samples of a project."""
        return 100 * self.cost.samples.get(owner, 0) / sum(self.cost.samples.values())


def measure(_options: Options, step: Step) -> Outcome:
    """Measure a year's backfill with each number of orders."""
    results = [measure_size(orders, step) for orders in SIZES]
    head = ("figure", *(f"{each.orders:,} orders" for each in results))
    table_rows = rows(results)
    section = SECTION.format(
        days=DAYS,
        sample_ms=round(backfill_run.SAMPLE_SECONDS * 1_000),
        memory_goal=MEMORY_GOAL,
        max_memory=MAX_MEMORY,
        verdict=memory_sentence(results),
        table=reliability.table(head, table_rows),
        measured=reliability.measured(),
    )
    figures = {"sizes": [asdict(result) for result in results]}
    table = terminal_table("A backfill of a year", head, table_rows)
    return Outcome(section, [table], figures, f"Memory: {memory_sentence(results)}", exceeds_memory(results))


def measure_size(orders: int, step: Step, days: int = DAYS) -> Backfill:
    """Return the cost of a backfill.

    Args:
        orders: the number of orders.
        step: receives the name of each step before it.
        days: the number of days.
    """
    workload = Workload(f"{orders:,} orders", orders, days)
    step(f"generating {orders:,} orders")
    sandbox = build_sandbox(
        clock=ManualClock(workload.synced_at),
        source=workload.shop(),
        xero_options=XeroOptions(refuse_unknown_parameters=True),
    )
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder, serving(sandbox) as address:
        books_file(Path(folder), ("start_date: 2026-09-21", f"start_date: {START_DATE}"))
        step(f"syncing {orders:,} orders")
        started = process_time()
        days_of_range = (str(workload.dates[0]), str(workload.dates[-1]))
        cost = _run(address, folder, workload.synced_at.isoformat(), *days_of_range)
        return Backfill(orders, cost, process_time() - started)


def _run(*arguments: str) -> BackfillCost:
    command = [sys.executable, "-m", backfill_run.__name__, *arguments]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=environ)
    return BackfillCost(**json.loads(run.stdout.splitlines()[-1]))


def rows(results: Sequence[Backfill]) -> list[tuple[str, ...]]:
    """Return the figures as rows of a table.

    Args:
        results: fewest orders first.
    """
    figures: Sequence[tuple[str, Callable[[Backfill], str]]] = (
        ("calls to Xero", lambda each: f"{each.cost.calls:,}"),
        ("CPU for each order, ms", lambda each: f"{1_000 * each.cost.cpu / each.orders:.1f}"),
        ("of which this project, %", lambda each: f"{each.share(OURS):.0f}"),
        ("of which Dagster, %", lambda each: f"{each.share(DAGSTER):.0f}"),
        ("the sandbox's CPU for each order, ms", lambda each: f"{1_000 * each.sandbox_cpu / each.orders:.1f}"),
        ("peak memory, MB", lambda each: f"{each.cost.peak:,.0f}"),
        ("of which before the sync, MB", lambda each: f"{each.cost.base:,.0f}"),
    )
    return [(label, *map(text, results)) for label, text in figures]


def memory_sentence(results: Sequence[Backfill]) -> str:
    """Return whether the goals of the memory are met.

    Args:
        results: fewest orders first.
    """
    first, last = results[0].cost.peak, results[-1].cost.peak
    verdict = "Exceeded" if exceeds_memory(results) else "Met"
    return f"{verdict}: {last / first:.2f} times, {last:,.0f} MB."


def exceeds_memory(results: Sequence[Backfill]) -> bool:
    """Return whether the memory of the most orders exceeds a goal.

    Args:
        results: fewest orders first.
    """
    first, last = results[0].cost.peak, results[-1].cost.peak
    return last > MEMORY_GOAL * first or last >= MAX_MEMORY
