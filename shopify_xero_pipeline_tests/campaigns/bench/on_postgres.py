"""The day of the benchmark on a state store in Postgres, by the number of earlier orders in the books.

The rows that Postgres returns, the calls and the goals are those of the day on SQLite. Statements of its server are not
instructions of a virtual machine, so there are no steps. This module only chooses the store and the figures.
"""

import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import report
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step
from shopify_xero_pipeline_tests.campaigns.bench.runs import run_size
from shopify_xero_pipeline_tests.support.postgres import programs, running
from shopify_xero_pipeline_tests.support.scratch import in_memory

MAX_ORDERS = 10_000
"""Earlier orders of the largest store, because Postgres takes several times as long to fill."""

HEADING = "## The same day on Postgres"
INTRODUCTION = f"""{HEADING}

The state store is a schema of a Postgres server on the same machine, without fsync. Rows read are those that Postgres
returns to the program; its own work is not in the CPU time.

{{goal}}
"""


def measure(options: Options, step: Step) -> Outcome:
    """Measure the day on Postgres, with at most 10,000 earlier orders."""
    binaries = programs()
    if binaries is None:
        text = "Postgres is not installed on this machine; nothing was measured."
        return Outcome(f"{HEADING}\n\n{text}\n", [], {}, text)
    sizes = [size for size in options.sizes if size <= MAX_ORDERS] or [min(options.sizes)]
    results = []
    with running(binaries) as server:
        for orders in sizes:
            with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
                step_of_size = partial(_prefixed, orders, step)
                results.append(run_size(Path(folder), orders, 1, step_of_size, server.new_schema()))
    goals = report.goal_sentence(results)
    parts = [INTRODUCTION.format(goal=goals), *report.page_tables(results, report.ON_POSTGRES)]
    return Outcome(
        "\n".join([*parts, reliability.measured()]),
        report.terminal_tables(results, report.ON_POSTGRES),
        {"sizes": [asdict(result) for result in results]},
        f"On Postgres: {goals}",
        bool(report.exceeding(results)),
    )


def _prefixed(orders: int, step: Step, text: str) -> None:
    step(f"{orders:,} earlier orders on Postgres: {text}")
