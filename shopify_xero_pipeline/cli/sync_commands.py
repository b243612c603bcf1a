"""The commands that are about days: what a day would write to Xero, and writing it."""

import sys
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopify_xero_pipeline.cli import exit_codes, options

if TYPE_CHECKING:
    from shopify_xero_pipeline.changes.unwritten_records import Held
    from shopify_xero_pipeline.cli.job_runner import Runner
    from shopify_xero_pipeline.pipeline.sync_report import Report

NOT_COMPARED = {"mapped_sales", "xero_sales", "difference"}


@click.command()
@options.days
@options.JSON
@options.told
def plan(day: datetime | None, first: datetime | None, last: datetime | None, json_file: Path | None) -> None:
    """Show what would be written to Xero, and write nothing."""
    from shopify_xero_pipeline.changes import cost
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.pipeline import conflicts
    from shopify_xero_pipeline.reconciliation.unposted_orders import listed_in_plans

    with options.connected() as (bookkeeper, storage), job_runner.dagster_instance() as instance:
        runner, days = job_runner.Runner(bookkeeper, instance, storage), options.chosen(bookkeeper, day, first, last)
        bookkeeper.examination.tell = output.warning
        with output.progress("planning", len(days), job_runner.PIECES["plan"]) as bar:
            failures = runner.run("plan", days, bar.end_range)
        plans = [] if failures else runner.plans(days)
        calls, listed = cost.calls(plans), listed_in_plans(plans)
        if failures:
            output.failures(failures)
        else:
            output.plan(plans, calls)
            held = {day: [line for plan in plans if plan.day == day for line in plan.changes] for day in days}
            output.conflicts(held)
            output.listed(listed, conflicts.orders_in_conflict(held))
    content = {
        "days": len(days),
        "xero_write_calls": calls,
        "failures": failures,
        "warnings": bookkeeper.examination.warnings,
        "changes": [{"day": str(p.day), **output.plan_line(line)} for p in plans for line in p.changes],
        "listed_orders": [one.model_dump(mode="json", exclude=NOT_COMPARED) for one in listed],
    }
    output.write_json(json_file, content)
    sys.exit(_of_failures(runner) if failures else _of_plans({one.outcome for one in listed}))


def _of_failures(failed: "Runner | Report") -> int:
    """Return the exit code of steps that failed."""
    if failed.of_setting:
        return exit_codes.SETTING
    return exit_codes.LATER if failed.passing else exit_codes.WRONG


def _of_plans(outcomes: Collection[str]) -> int:
    """Return a plan's exit code: what it holds back."""
    if "conflict" in outcomes:
        return exit_codes.WRONG
    return exit_codes.BLOCKED if "blocked" in outcomes else exit_codes.WELL


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
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.pipeline import conflicts, day_issues
    from shopify_xero_pipeline.pipeline.sync_report import Report
    from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings

    planned: dict[str, object] = {}
    with options.connected() as (bookkeeper, storage), job_runner.dagster_instance() as instance:
        runner, days = job_runner.Runner(bookkeeper, instance, storage), options.chosen(bookkeeper, day, first, last)
        bookkeeper.examination.tell = output.warning
        if day is None and not at_once:
            with output.progress("planning", len(days), job_runner.PIECES["plan"]) as bar:
                forecast, failures = runner.forecast(days, bar.end_range)
            if failures:
                output.failures(failures)
                report = Report(failures=failures, passing=runner.passing, of_setting=runner.of_setting)
                content = {**report.summary(), "conflicts": [], "warnings": bookkeeper.examination.warnings}
                output.write_json(json_file, content)
                sys.exit(_of_failures(report))
            budget = bookkeeper.budget()
            output.forecast(forecast, budget)
            planned = {"planned": forecast.summary(budget)}
        with output.progress("syncing", len(days), job_runner.PIECES["sync"]) as bar:
            report = runner.sync(days, bar.end_range)
        output.failures(report.failures)
        output.left_for_later(report.left)
        held: Held = {}
        if report.days:
            held = day_issues.held_lines(bookkeeper.store, [day.day for day in report.days])
            output.days(report.days)
            output.conflicts(held)
            output.listed(listed_orders(report.days), conflicts.orders_in_conflict(held))
            output.order_warnings(order_warnings(report.days))
            if report.failed:
                output.errors(report.failed)
            output.orphans([order for day in report.days for order in day.orphans])
            output.verdict(report)
    more = {"conflicts": conflicts.conflicts_of(held), "warnings": bookkeeper.examination.warnings}
    output.write_json(json_file, {**report.summary(), **more, **planned})
    sys.exit(_of_failures(report) if report.failures else exit_codes.of(report.standing))
