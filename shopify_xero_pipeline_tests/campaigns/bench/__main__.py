"""The command `python -m …campaigns.bench`: options, output and publishing of the benchmark."""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import actions, extraction, report
from shopify_xero_pipeline_tests.campaigns.bench.runs import SizeResult, run_size
from shopify_xero_pipeline_tests.support.scratch import in_memory

ROOT = Path(__file__).parents[3]
FILE = ROOT / ".local" / "bench" / "day.json"
EXTRACTION_FILE = FILE.with_name("extraction.json")
PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Figures of the benchmarks, each with its date; do not edit them by hand. [architecture.md](architecture.md) describes
the code. One of these commands repeats a benchmark; the second one also writes this page:

    make bench ARGS="--sizes 1000,10000 --callers 12"
    make bench ARGS=--publish

All figures, with the rows and steps of each function that reads the state store, are in `.local/bench/`. Exit code 1
means that a count exceeds its goal; a time never decides.
"""


def _parse_sizes(_context: click.Context, _option: click.Parameter, text: str) -> list[int]:
    """Return numbers separated by commas in ascending order."""
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise click.BadParameter("give numbers separated by commas, such as 1000,10000") from None


@click.command(help="Measure a day with 10 new orders, by the number of earlier orders in the books.")
@click.option("--sizes", default="1000,10000,100000", show_default=True, callback=_parse_sizes, help="Earlier orders.")
@click.option("--repeat", default=1, show_default=True, type=click.IntRange(min=1), help="Runs of the new day.")
@click.option("--callers", default=0, show_default=True, help="List so many functions that read most rows.")
@click.option("--extracted", default=10_000, show_default=True, help="Orders of the extraction; 0 for none.")
@click.option("--publish", is_flag=True, help="Write the sections of docs/performance.md.")
def main(sizes: list[int], repeat: int, callers: int, extracted: int, publish: bool) -> None:
    """Measure and print; the exit code is 0 only if the counts meet the goal."""
    console = Console(stderr=True)
    results = [_run(orders, repeat, console) for orders in sizes]
    _write(results)
    for table in report.terminal_tables(results):
        console.print(table)
    if callers:
        for action in (actions.NEW, actions.UNCHANGED):
            console.print(report.caller_table(results[-1], action, callers))
    if publish:
        reliability.write_section("day", report.section(results), PAGE, HEAD)
    has_exceeded = bool(report.exceeding(results))
    console.print(report.goal_sentence(results), style="red" if has_exceeded else "green")
    is_slow = extracted > 0 and _extract(extracted, publish, console)
    sys.exit(1 if has_exceeded or is_slow else 0)


def _extract(orders: int, publish: bool, console: Console) -> bool:
    """Measure, print and publish the extraction; return whether its goal is exceeded."""
    with console.status("") as status:
        results = extraction.measure(orders, lambda step: status.update(f"{orders:,} orders: {step}"))
    content = {"measured": reliability.measured(), "readers": [asdict(result) for result in results]}
    EXTRACTION_FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    console.print(extraction.terminal_table(results))
    if publish:
        reliability.write_section("extraction", extraction.section(results), PAGE, HEAD)
    has_exceeded = extraction.is_exceeded(results)
    console.print(extraction.goal_sentence(results), style="red" if has_exceeded else "green")
    return has_exceeded


def _run(orders: int, repeat: int, console: Console) -> SizeResult:
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder, console.status("") as status:
        return run_size(Path(folder), orders, repeat, lambda step: status.update(f"{orders:,} earlier orders: {step}"))


def _write(results: Sequence[SizeResult]) -> None:
    FILE.parent.mkdir(parents=True, exist_ok=True)
    content = {"measured": reliability.measured(), "sizes": [asdict(result) for result in results]}
    FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
