"""The commands that are about days: what a day would write to Xero, and writing it."""

import functools
import sys
from datetime import datetime
from pathlib import Path

import click

from shopify_xero_pipeline.cli import options


@click.command()
@options.days
@options.JSON
@options.told
def plan(day: datetime | None, first: datetime | None, last: datetime | None, json_file: Path | None) -> None:
    """Show what would be written to Xero, and write nothing."""
    from shopify_xero_pipeline import runs, terminal
    from shopify_xero_pipeline.changes import cost

    with options.connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        runner, days = runs.Runner(bookkeeper, instance, storage), options.chosen(bookkeeper, day, first, last)
        bookkeeper.examination.tell = terminal.warning
        with terminal.progress("planning", len(days)) as bar:
            failures = runner.run("plan", days, functools.partial(terminal.advance, bar))
        plans = [] if failures else runner.plans(days)
        calls = cost.calls(plans)
        if failures:
            terminal.failures(failures)
        else:
            terminal.plan(plans, calls)
    content = {
        "days": len(days),
        "xero_write_calls": calls,
        "failures": failures,
        "warnings": bookkeeper.examination.warnings,
        "changes": [{"day": str(p.day), **terminal.plan_line(line)} for p in plans for line in p.changes],
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failures else 0)


@click.command()
@options.days
@click.option("--at-once", is_flag=True, help="Start without planning first what a range of days will take.")
@options.JSON
@options.told
def sync(
    day: datetime | None, first: datetime | None, last: datetime | None, at_once: bool, json_file: Path | None
) -> None:
    """Bring Xero up to date for a day or a range of days.

    A range is planned first, and what it will take of Xero's calls is shown before anything is written.
    """
    from shopify_xero_pipeline import runs, terminal

    planned: dict[str, object] = {}
    with options.connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        runner, days = runs.Runner(bookkeeper, instance, storage), options.chosen(bookkeeper, day, first, last)
        bookkeeper.examination.tell = terminal.warning
        if day is None and not at_once:
            with terminal.progress("planning", len(days)) as bar:
                forecast, failures = runner.forecast(days, functools.partial(terminal.advance, bar))
            if failures:
                terminal.failures(failures)
                warnings = bookkeeper.examination.warnings
                terminal.write_json(json_file, {**runs.Report(failures=failures).summary(), "warnings": warnings})
                sys.exit(1)
            budget = bookkeeper.budget()
            terminal.forecast(forecast, budget)
            planned = {"planned": forecast.summary(budget)}
        with terminal.progress("syncing", len(days)) as bar:
            report = runner.sync(days, functools.partial(terminal.advance, bar))
        terminal.failures(report.failures)
        terminal.left_for_later(report.left)
        if report.days:
            terminal.days(report.days)
            terminal.attention(report.days)
            terminal.orphans([order for day in report.days for order in day.orphans])
            terminal.verdict(report)
    warnings = bookkeeper.examination.warnings
    terminal.write_json(json_file, {**report.summary(), **planned, "warnings": warnings})
    sys.exit(0 if report.succeeded else 1)
