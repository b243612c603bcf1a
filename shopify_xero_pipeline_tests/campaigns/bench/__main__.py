"""The command `python -m …campaigns.bench`: options, output and publishing of the benchmark."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import (
    actions,
    backfill,
    call_report,
    extraction,
    idle,
    on_postgres,
    order_cost,
    pace,
    report,
    throughput,
)
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Part, Step
from shopify_xero_pipeline_tests.campaigns.bench.runs import run_size
from shopify_xero_pipeline_tests.support.scratch import in_memory

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".local" / "bench"
PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Figures of the benchmarks, each with its date; do not edit them by hand. [architecture.md](architecture.md) describes
the code. One of these commands repeats a benchmark; the last one also writes this page:

    make bench ARGS="--part pace"
    make bench ARGS="--part day --sizes 1000,10000 --callers 12"
    make bench ARGS=--publish

All figures of a part are in `.local/bench/<part>.json`; those of the day include the rows and steps of each function
that reads the state store. Exit code 1 means that a count exceeds its goal; a time never decides.
"""


def measure_day(options: Options, step: Step) -> Outcome:
    """Measure a day with 10 new orders, by the number of earlier orders in the books."""
    results = []
    for orders in options.sizes:
        with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
            step_of_size = partial(_prefixed, f"{orders:,} earlier orders", step)
            results.append(run_size(Path(folder), orders, options.repeat, step_of_size))
    tables = report.terminal_tables(results)
    for action in (actions.NEW, actions.UNCHANGED) if options.callers else ():
        tables.append(report.caller_table(results[-1], action, options.callers))
    figures = {"sizes": [asdict(result) for result in results]}
    is_exceeded = bool(report.exceeding(results))
    return Outcome(report.section(results), tables, figures, report.goal_sentence(results), is_exceeded)


PARTS: Mapping[str, Part] = {
    "backfill": backfill.measure,
    "calls": call_report.measure,
    "day": measure_day,
    "extraction": extraction.measure,
    "idle": idle.measure,
    "order": order_cost.measure,
    "pace": pace.measure,
    "postgres": on_postgres.measure,
    "throughput": throughput.measure,
}


def _parse_sizes(_context: click.Context, _option: click.Parameter, text: str) -> list[int]:
    """Return numbers separated by commas in ascending order."""
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise click.BadParameter("give numbers separated by commas, such as 1000,10000") from None


@click.command(help="Measure what the pipeline costs, part by part.")
@click.option("--part", "names", multiple=True, type=click.Choice([*PARTS]), help="Only this part; all by default.")
@click.option("--sizes", default="1000,10000,100000", show_default=True, callback=_parse_sizes, help="Earlier orders.")
@click.option("--repeat", default=1, show_default=True, type=click.IntRange(min=1), help="Runs of the new day.")
@click.option("--callers", default=0, show_default=True, help="List so many functions that read most rows.")
@click.option("--publish", is_flag=True, help="Write the sections of docs/performance.md.")
def main(names: Sequence[str], sizes: list[int], repeat: int, callers: int, publish: bool) -> None:
    """Measure and print; the exit code is 0 only if the counts meet the goals."""
    console, has_exceeded = Console(stderr=True), False
    for name in names or PARTS:
        with console.status("") as status:
            outcome = PARTS[name](Options(sizes, repeat, callers), partial(_prefixed, name, status.update))
        _write(name, outcome)
        for table in outcome.tables:
            console.print(table)
        if publish:
            reliability.write_section(name, outcome.section, PAGE, HEAD)
        console.print(outcome.goals, style="red" if outcome.exceeded else "green")
        has_exceeded |= outcome.exceeded
    sys.exit(1 if has_exceeded else 0)


def _prefixed(prefix: str, step: Step, text: str) -> None:
    step(f"{prefix}: {text}")


def _write(name: str, outcome: Outcome) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = {"measured": reliability.measured(), **outcome.figures}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
