"""The command `make simulate`: generated orders by the hundred thousand on every core, checked by `books/proof.py`.

This module only runs and counts. The seed of an order determines its history and its policy, so one command replays a
violation: `python -m …campaigns.simulate --seed 4711 --orders 1`.
"""

import gc
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from shopify_xero_pipeline_tests.books.proof import Violation, prove
from shopify_xero_pipeline_tests.books.proof_policies import POLICIES
from shopify_xero_pipeline_tests.campaigns.model.histories import history_of

COMMAND = "python -m shopify_xero_pipeline_tests.campaigns.simulate --orders 1 --seed"
CHUNK = 50  # orders of one task for a worker
TITLES = {"outcome ": "outcomes of the orders", "blocked: ": "reasons of blocked orders", "event ": "events"}


@dataclass
class Tally:
    """Counts by name, and violations with seed, policy and message."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def orders(self) -> int:
        """The number of processed orders, with violations or without."""
        return self.counts["orders"] + len(self.violations)

    def add(self, other: "Tally") -> None:
        """Add another tally's counts and violations."""
        self.counts.update(other.counts)
        self.violations.extend(other.violations)


def policy_of(seed: int) -> str:
    """Return the policy of an order: each policy in turn."""
    return tuple(POLICIES)[seed % len(POLICIES)]


def simulate(seeds: range) -> Tally:
    """Check the orders of a range of seeds."""
    tally = Tally()
    for seed in seeds:
        try:
            history = history_of(seed)
            tally.counts.update(f"event {event}" for event in history.events)
            tally.counts.update(prove(history, policy_of(seed)))
        except Violation as violation:
            tally.violations.append((seed, policy_of(seed), str(violation)))
        except Exception as failure:  # errors of the model count as violations too
            tally.violations.append((seed, policy_of(seed), f"the model failed: {type(failure).__name__}: {failure}"))
    return tally


def chunks(seed: int, orders: int) -> Iterator[range]:
    """Split the seeds into ranges for the workers."""
    for start in range(seed, seed + orders, CHUNK):
        yield range(start, min(start + CHUNK, seed + orders))


@click.command(help="Process generated orders and check all promises of the books; exit code 0 only if all hold.")
@click.option("--orders", default=100_000, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The first order's seed.")
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the counts there ('-': standard output).")
def main(orders: int, seed: int, workers: int, file: Path | None) -> None:
    """Run and print; the exit code is 0 only if all promises hold."""
    console = Console(stderr=True)
    began = time.monotonic()
    tally = _run(console, seed, orders, workers)
    seconds = round(time.monotonic() - began, 1)
    _show(console, tally, seconds)
    if file is not None:
        _write(file, tally, seed, seconds)
    if tally.orders < orders:
        console.print(f"stopped; {orders - tally.orders:,} orders were not checked", style="red")
    sys.exit(1 if tally.violations or tally.orders < orders else 0)


def _run(console: Console, seed: int, orders: int, workers: int) -> Tally:
    tally = Tally()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    busy = min(workers, -(-orders // CHUNK))
    with _parts(chunks(seed, orders), busy) as parts, Progress(*columns, console=console) as bar:
        task = bar.add_task("orders", total=orders)
        with suppress(KeyboardInterrupt):
            for part in parts:
                tally.add(part)
                bar.update(task, completed=tally.orders, description=f"orders, {len(tally.violations)} violations")
    tally.violations.sort()
    return tally


@contextmanager
def _parts(ranges: Iterator[range], workers: int) -> Iterator[Iterator[Tally]]:
    """Yield the tallies of ranges when they are done; a single worker is this process."""
    if workers == 1:
        yield map(simulate, ranges)
        return
    with multiprocessing.Pool(workers, initializer=_quiet) as pool:
        yield pool.imap_unordered(simulate, ranges)


def _quiet() -> None:
    """Reduce garbage collection in a worker, as an order leaves almost none, and leave Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _show(console: Console, tally: Tally, seconds: float) -> None:
    for prefix, title in TITLES.items():
        table = Table("", "orders" if prefix != "event " else "times", title=title, title_justify="left")
        for name, count in tally.counts.most_common():
            if name.startswith(prefix):
                table.add_row(name.removeprefix(prefix), f"{count:,}")
        if table.row_count:
            console.print(table)
    kinds = ", ".join(f"{tally.counts[kind]:,} {kind}" for kind in ("moments", "documents", "payments", "allocations"))
    console.print(f"{tally.orders:,} orders in {seconds:,.0f} s: {kinds}")
    for seed, policy, message in tally.violations:
        console.print(f"violation ({policy}): {message}\n  repeat: {COMMAND} {seed}", markup=False, style="red")
    console.print(f"{len(tally.violations)} violations", style="red" if tally.violations else "green")


def _write(file: Path, tally: Tally, seed: int, seconds: float) -> None:
    result: dict[str, Any] = {
        "orders": tally.orders,
        "seed": seed,
        "seconds": seconds,
        "counts": dict(sorted(tally.counts.items())),
        "violations": [
            {"seed": broken, "policy": policy, "message": message, "command": f"{COMMAND} {broken}"}
            for broken, policy, message in tally.violations
        ],
    }
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
