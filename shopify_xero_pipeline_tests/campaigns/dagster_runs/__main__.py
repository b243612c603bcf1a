"""`python -m …campaigns.dagster_runs`: every interruption at every kind of write, with real processes.

Only the rounds, the counting and what is published of it belong here.
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
"""Where a write hangs, and whether it was booked by then (slow) or never arrived (late)."""


@contextmanager
def furnished() -> Iterator[tuple[House, Judge]]:
    folder = Path(tempfile.mkdtemp(prefix="dagster-runs-"))
    house = House(folder)
    try:
        house.start_all()
        with judged(house, folder / "undisturbed") as judge:
            yield house, judge
    finally:
        house.stop()


def play(path: str, kind: str) -> tuple[Counter[str], int]:
    """Let everything happen once at one point; return how often each scenario held, and how many records there are."""
    held: Counter[str] = Counter()
    with furnished() as (house, judge):
        day, records = OPENED, 0
        for name, scenario, length in ALL:
            days = [day + timedelta(days=number) for number in range(length)]
            began = time.monotonic()
            scenario(house, day, path, kind)
            records = judge.sees_each_record_once(*days)
            held[name] += 1
            click.echo(f"{path} {kind}: {name}: {records} records, each once; {time.monotonic() - began:.0f} s")
            day += timedelta(days=length)
    return held, records


@click.command()
@click.option("--rounds", default=1, show_default=True)
@click.option("--publish", is_flag=True, help="Write the section of docs/reliability.md.")
def main(rounds: int, publish: bool) -> None:
    held: Counter[str] = Counter()
    total, began = 0, time.monotonic()
    for path, kind in POINTS * rounds:
        more, records = play(path, kind)
        held.update(more)
        total += records
    minutes = (time.monotonic() - began) / 60
    rows = [(name, held[name], 0, 0) for name, _, _ in ALL]
    text = f"""## Dagster, end to end

Real code server, daemon, runs and command lines on one DAGSTER_HOME, the sandbox over HTTP in a process of its own; the
product's `dagster.yaml`, only looked at more often. Each interruption falls into a write that hangs: to Contacts,
Invoices or Payments, after Xero had booked it or before it arrived. Afterwards the next run is made, and everything in
Xero is compared, field by field, with what an undisturbed sync of the same days leaves there: {total:,} documents and
payments, in {minutes:.0f} minutes. A duplicate or a loss ends the campaign; none did.

{table(("interruption", "times", "duplicates", "lost"), rows)}

{measured()}"""
    click.echo(text)
    if publish:
        write_section("dagster", text)
    sys.exit(0)


if __name__ == "__main__":
    main()
