"""The command `python -m …campaigns.dagster_runs`: every interruption at every kind of write, with real processes.

This module only contains the rounds, the counts and the published section.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import click

from shopify_xero_pipeline_tests.campaigns.dagster_runs import scenarios
from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House
from shopify_xero_pipeline_tests.campaigns.dagster_runs.judge import Judge, judged
from shopify_xero_pipeline_tests.campaigns.dagster_runs.sandbox import OPENED
from shopify_xero_pipeline_tests.campaigns.reliability import measured, table, write_section

Scenario = Callable[[House, date, str, str], object]
ALL: Sequence[tuple[str, Scenario, int]] = (
    ("run cancelled in the UI", scenarios.cancelled, 1),
    ("run's process killed, run retried by the daemon", scenarios.killed, 1),
    ("code server, daemon and run killed, another run queued", scenarios.host_lost, 2),
    ("daemon killed beside a run in progress and one queued", scenarios.daemon_killed, 2),
    ("step failed (403), run again from there", scenarios.step_failed, 1),
    ("command killed and the Dagster instance lost", scenarios.instance_lost, 1),
)
POINTS = (("/Contacts", "slow"), ("/Invoices", "late"), ("/Payments", "slow"))
"""Paths of writes that hang, and whether Xero has posted the write by then (slow) or has not received it (late)."""


@contextmanager
def running_house() -> Iterator[tuple[House, Judge]]:
    folder = Path(tempfile.mkdtemp(prefix="dagster-runs-"))
    house = House(folder)
    try:
        house.start_all()
        with judged(house, folder / "undisturbed") as judge:
            yield house, judge
    finally:
        house.stop()


def play(path: str, kind: str) -> tuple[Counter[str], int]:
    """Run each scenario once at one kind of write; return how often each passed, and the number of records."""
    passed: Counter[str] = Counter()
    with running_house() as (house, judge):
        day, records = OPENED, 0
        for name, scenario, length in ALL:
            days = [day + timedelta(days=number) for number in range(length)]
            started = time.monotonic()
            scenario(house, day, path, kind)
            records = judge.sees_each_record_once(*days)
            passed[name] += 1
            click.echo(f"{path} {kind}: {name}: {records} records, each once; {time.monotonic() - started:.0f} s")
            day += timedelta(days=length)
    return passed, records


@click.command()
@click.option("--rounds", default=1, show_default=True)
@click.option("--publish", is_flag=True, help="Write the section of docs/reliability.md.")
def main(rounds: int, publish: bool) -> None:
    passed: Counter[str] = Counter()
    total, began = 0, time.monotonic()
    for path, kind in POINTS * rounds:
        more, records = play(path, kind)
        passed.update(more)
        total += records
    minutes = (time.monotonic() - began) / 60
    rows = [(name, passed[name], 0, 0) for name, _, _ in ALL]
    text = f"""## Dagster, end to end

Real code server, daemon, runs and commands on one DAGSTER_HOME, with the sandbox over HTTP in a process of its own and
the product's `dagster.yaml` with shorter intervals. Each interruption hits a write that hangs: to Contacts, Invoices or
Payments, after Xero posted it or before it arrived. Then the next run starts, and everything in Xero is compared, field
by field, with the result of an undisturbed sync of the same days: {total:,} documents and payments, in {minutes:.0f}
minutes. A duplicate or a loss ends the campaign; there was none.

{table(("interruption", "times", "duplicates", "lost"), rows)}

{measured()}"""
    click.echo(text)
    if publish:
        write_section("dagster", text)
    sys.exit(0)


if __name__ == "__main__":
    main()
