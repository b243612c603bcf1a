"""Commands for days: `plan` shows what a day would write to Xero, `sync` writes it."""

import sys
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopify_xero_pipeline.cli import exit_codes, options

if TYPE_CHECKING:
    from shopify_xero_pipeline.changes.models import Change
    from shopify_xero_pipeline.changes.unwritten_records import HeldLines
    from shopify_xero_pipeline.cli.job_runner import JobRunner
    from shopify_xero_pipeline.pipeline.sync_report import SyncReport

NOT_COMPARED = {"mapped_sales", "xero_sales", "difference"}


@click.command()
@options.day_options
@options.JSON
@options.report_errors
def plan(day: datetime | None, first: datetime | None, last: datetime | None, json_file: Path | None) -> None:
    """Show what would be written to Xero; write nothing."""
    from shopify_xero_pipeline.changes import cost
    from shopify_xero_pipeline.cli import job_runner, output, progress, record_lists
    from shopify_xero_pipeline.pipeline import conflicts
    from shopify_xero_pipeline.reconciliation.unposted_orders import unposted_in_plans

    with job_runner.open_runner() as runner:
        sync_service = runner.sync_service
        days = options.resolve_days(sync_service, day, first, last)
        sync_service.settings_review.on_warning = output.print_warning
        with progress.show_progress("planning", len(days), job_runner.STEPS_PER_RANGE["plan"]) as bar:
            failures = runner.run("plan", days, bar.end_range)
        plans = [] if failures else runner.plans(days)
        calls, listed = cost.count_write_calls(plans), unposted_in_plans(plans)
        if failures:
            output.print_failures(failures)
        else:
            output.print_plan(plans, calls)
            held = {day: [line for plan in plans if plan.day == day for line in plan.changes] for day in days}
            output.print_lines(record_lists.conflict_blocks(held))
            output.print_lines(record_lists.order_lines(listed, conflicts.orders_in_conflict(held)))
    content = {
        "days": len(days),
        "xero_write_calls": calls,
        "failures": failures,
        "warnings": sync_service.settings_review.warnings,
        "changes": [{"day": str(plan.day), **_plan_entry(line)} for plan in plans for line in plan.changes],
        "listed_orders": [order.model_dump(mode="json", exclude=NOT_COMPARED) for order in listed],
    }
    output.write_json(json_file, content)
    sys.exit(_failure_code(runner) if failures else _plan_code({order.outcome for order in listed}))


def _plan_entry(line: "Change") -> dict[str, object]:
    """Return a line of a plan for `--json`; a Contact has only the names of its fields, because it is personal data."""
    from shopify_xero_pipeline.reconciliation import next_steps
    from shopify_xero_pipeline.xero.models import Kind

    reason, remedy = next_steps.conflict_next_step(line)
    next_step = {"reason": reason, "remedy": remedy}
    if line.kind is not Kind.CONTACT:
        return line.model_dump(mode="json") | next_step
    return (
        line.model_dump(mode="json", exclude={"record": True, "fields": {"__all__": {"before", "after"}}}) | next_step
    )


def _failure_code(failed: "JobRunner | SyncReport") -> int:
    """Return the exit code of failed steps."""
    if failed.needs_setting:
        return exit_codes.FIX_SETTING
    return exit_codes.RETRY_LATER if failed.is_transient else exit_codes.FAILURE


def _plan_code(outcomes: Collection[str]) -> int:
    """Return the exit code of a plan with these outcomes of orders."""
    if "conflict" in outcomes:
        return exit_codes.FAILURE
    return exit_codes.BLOCKED if "blocked" in outcomes else exit_codes.SUCCESS


@click.command()
@options.day_options
@click.option("--at-once", is_flag=True, help="Start without the forecast for a range of days.")
@options.JSON
@options.report_errors
def sync(
    day: datetime | None, first: datetime | None, last: datetime | None, at_once: bool, json_file: Path | None
) -> None:
    """Bring Xero up to date for a day or a range of days.

    A range is planned first, and its cost in calls to Xero is printed before anything is written.
    """
    from shopify_xero_pipeline.cli import job_runner, output, progress, record_lists
    from shopify_xero_pipeline.pipeline import conflicts, day_issues
    from shopify_xero_pipeline.pipeline.api_quota import daily_quota
    from shopify_xero_pipeline.pipeline.sync_report import SyncReport
    from shopify_xero_pipeline.reconciliation.day_summaries import summarize_day
    from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings

    planned: dict[str, object] = {}
    held: HeldLines = {}
    report = SyncReport()
    with job_runner.open_runner() as runner:
        sync_service = runner.sync_service
        days = options.resolve_days(sync_service, day, first, last)
        sync_service.settings_review.on_warning = output.print_warning
        if day is None and not at_once:
            with progress.show_progress("planning", len(days), job_runner.STEPS_PER_RANGE["plan"]) as bar:
                forecast, failures = runner.forecast(days, bar.end_range)
            report = SyncReport(failures=failures, is_transient=runner.is_transient, needs_setting=runner.needs_setting)
            if not failures:
                budget = daily_quota(sync_service.connections.store)
                output.print_forecast(forecast, budget)
                planned = {"planned": forecast.summary(budget)}
        if not report.failures:
            with progress.show_progress("syncing", len(days), job_runner.STEPS_PER_RANGE["sync"]) as bar:
                report = runner.sync(days, bar.end_range)
        output.print_failures(report.failures)
        output.print_postponed_days(report.postponed_days)
        if report.days:
            held = day_issues.held_lines(sync_service.connections.store, [day.day for day in report.days])
            output.print_days([summarize_day(day) for day in report.days])
            output.print_lines(record_lists.conflict_blocks(held))
            output.print_lines(record_lists.order_lines(listed_orders(report.days), conflicts.orders_in_conflict(held)))
            output.print_lines(record_lists.warning_lines(order_warnings(report.days)))
            if report.failed_records:
                output.print_lines(record_lists.failed_record_lines(report.failed_records))
            output.print_lines(record_lists.orphan_lines([order for day in report.days for order in day.orphans]))
            output.print_report_verdict(report)
    more = {"conflicts": conflicts.conflict_entries(held), "warnings": sync_service.settings_review.warnings}
    output.write_json(json_file, {**report.summary(), **more, **planned})
    sys.exit(_failure_code(report) if report.failures else exit_codes.from_standing(report.standing))
