"""Commands that only read: the state of days, an order or a month, the present alerts, the diagnostics."""

import dataclasses
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopify_xero_pipeline.cli import exit_codes, options
from shopify_xero_pipeline.settings import Settings, SettingsError, check_folder

if TYPE_CHECKING:
    from upath import UPath


STORE_NEEDS = ("books.yaml", "state store")
"""The checks without which the invariants of the store cannot be verified."""


@click.command()
@click.argument("name", required=False)
@click.option("--month", type=options.MONTH, help="Show a month's statement, YYYY-MM in the shop's time zone.")
@options.JSON
@options.report_errors
def status(name: str | None, month: datetime | None, json_file: Path | None) -> None:
    """Show the days, failed records, conflicts and days with work left, from local files only.

    With the NAME of an order (#1001, or its Shopify id) or the number of an Invoice or Credit Note: all records of that
    order, each write with its run and request. With --month: sales, tax, payments and gift cards as Xero's reports of
    that month should show them.
    """
    if name is not None:
        sys.exit(_show_order(name, json_file))
    from shopify_xero_pipeline.cli import output, record_lists
    from shopify_xero_pipeline.pipeline.books_status import books_status
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary
    from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings

    if month is not None:
        with options.open_service() as (sync_service, _):
            statement = sync_service.reconciliations.month_statement(month.date())
            output.print_month(statement)
        verdict = {
            "verdict": statement.standing,
            "message": statement.sentence,
            "agrees": statement.standing == "agree",
        }
        orphans = {"orphans": [orphan_summary(orphan) for orphan in statement.orphans]}
        output.write_json(json_file, {**verdict, **statement.model_dump(mode="json"), **orphans})
        sys.exit(exit_codes.from_standing(statement.standing))
    with options.open_service() as (sync_service, _):
        current = books_status(sync_service)
        output.print_days(current.days)
        output.print_lines(record_lists.conflict_blocks(current.held))
        output.print_lines(record_lists.decided_blocks(current.held))
        output.print_lines(record_lists.order_lines(listed_orders(current.days), current.listed_elsewhere))
        output.print_lines(record_lists.warning_lines(order_warnings(current.days)))
        output.print_lines(record_lists.orphan_lines(current.orphans))
        output.print_lines(record_lists.failed_record_lines(current.failed))
        output.print_pairs({"days with work left": ", ".join(map(str, current.unfinished)) or "none"})
        if current.requests:
            output.print_requests(current.requests)
        if warning := sync_service.connections.sign_in_warning():
            output.print_pairs({"sign-in to Xero": warning})
        if current.days:
            output.print_verdict(current.standing, current.message)
        if json_file is not None:
            reconciliations = sync_service.reconciliations.of_days(sync_service.connections.days())
            output.write_json(json_file, current.summary(reconciliations))
    sys.exit(exit_codes.from_standing(current.standing))


def _show_order(name: str, json_file: Path | None) -> int:
    """Print one order; return the exit code."""
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.calendar import days_between
    from shopify_xero_pipeline.pipeline.order_history import order_histories
    from shopify_xero_pipeline.reconciliation.verdict import worst_standing

    with options.open_service() as (sync_service, _):
        days = days_between(sync_service.connections.policy.start_date, sync_service.connections.today())
        histories = order_histories(sync_service, name, days)
    if not histories:
        raise click.ClickException(f"Nothing is known of {name}: give an order's name or id, or a document's number.")
    for history in histories:
        output.print_order(history)
    output.write_json(json_file, [history.model_dump(mode="json") for history in histories])
    return exit_codes.from_standing(worst_standing(history.standing for history in histories))


@click.command()
@click.option("--state", "state_only", is_flag=True, help="Check only the state store and the books.")
@click.option("--offline", is_flag=True, help="Make no call; use Xero's state as it was last read.")
@options.JSON
@options.report_errors
def doctor(state_only: bool, offline: bool, json_file: Path | None) -> None:
    """Check settings, connections, state store and books, and list what is wrong with its remedy.

    Exit code 2 if a setting is wrong, 1 if an invariant is violated, 3 if orders are blocked; warnings do not count.
    """
    from shopify_xero_pipeline.books.tax_usage import match_taxes
    from shopify_xero_pipeline.cli import diagnostics_output, output
    from shopify_xero_pipeline.pipeline import diagnostics
    from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TRANSIENT_ERRORS
    from shopify_xero_pipeline.pipeline.file_locations import dagster_home
    from shopify_xero_pipeline.pipeline.setup_diagnostics import SetupDiagnostics, failed, has_failed

    checks, results, taxes, later = [], [], [], False
    try:
        with options.open_service() as (sync_service, storage):
            if not (state_only or offline):
                checks = SetupDiagnostics(sync_service, _location_checks(storage)).run()
            if not has_failed(checks, STORE_NEEDS):
                results = diagnostics.run_diagnostics(
                    sync_service,
                    home=dagster_home(),
                    secrets=sync_service.connections.settings.secrets(),
                    offline=offline or bool(checks),
                )
                totals = sync_service.reconciliations.totals(sync_service.connections.days())
                taxes = match_taxes(sync_service.connections.policy, (tax for day in totals for tax in day.taxes))
    except EXPECTED_ERRORS as problem:
        later = isinstance(problem, TRANSIENT_ERRORS)
        if later and not checks:
            raise
        checks.append(failed("books" if later else "settings", str(problem)))
    diagnostics_output.print_checks(checks)
    diagnostics_output.print_invariants(results)
    diagnostics_output.print_tax_rules(taxes)
    if results:
        output.print_verdict(diagnostics.standing(results), diagnostics.verdict_sentence(results))
    content = {"set_up": [dataclasses.asdict(check) for check in checks], **diagnostics.summary(results)}
    content |= {"tax_rules": [rule.model_dump(mode="json") for rule in taxes]}
    output.write_json(json_file, content)
    if has_failed(checks):
        sys.exit(exit_codes.RETRY_LATER if later else exit_codes.FIX_SETTING)
    sys.exit(exit_codes.from_standing(diagnostics.standing(results)))


def _location_checks(storage: "UPath") -> "dict[str, Callable[[], object]]":
    """Return the checks whether this project's files can be stored, by the setting that names their place."""
    from shopify_xero_pipeline.pipeline import file_locations

    checks: dict[str, Callable[[], object]] = {
        "DAGSTER_HOME": lambda: check_folder("DAGSTER_HOME", file_locations.dagster_home()),
        "ASSET_STORAGE": lambda: file_locations.check_storage(storage),
    }
    folder = Settings.from_environment(os.environ).state_witness
    if folder is not None:
        checks["STATE_WITNESS"] = lambda: check_folder("STATE_WITNESS", folder)
    return checks


@click.command()
@click.option("--test", "testing", is_flag=True, help="Send a test message to each channel and show the results.")
@options.JSON
@options.report_errors
def alerts(testing: bool, json_file: Path | None) -> None:
    """List the present alerts. The sensor notifies the channels; this command sends nothing without --test."""
    from shopify_xero_pipeline.alerts import service
    from shopify_xero_pipeline.alerts.notifier import FORMER_NAMES
    from shopify_xero_pipeline.cli import diagnostics_output, job_runner, output
    from shopify_xero_pipeline.defs.run_history import InstanceHistory

    if testing:
        channels = service.build_channels(Settings.from_environment(os.environ), options.clock())
        if not channels:
            raise SettingsError("No channel is set: give ALERT_SLACK_URL, ALERT_SMTP_URL or ALERT_PAGERDUTY_KEY.")
        sent = service.send_test(channels, options.clock().now())
        output.print_pairs({delivery.channel: delivery.failure or "delivered" for delivery in sent})
        output.write_json(json_file, {"channels": [dataclasses.asdict(delivery) for delivery in sent]})
        sys.exit(exit_codes.FAILURE if any(delivery.failure for delivery in sent) else exit_codes.SUCCESS)
    with options.open_service() as (sync_service, _), job_runner.dagster_instance() as instance:
        present_alerts = service.AlertService(sync_service, InstanceHistory(instance)).current_alerts()
    diagnostics_output.print_alerts(present_alerts)
    content = [dataclasses.asdict(alert) for alert in present_alerts]
    former = {present: name for name, present in FORMER_NAMES.items()}
    former_content = [{former.get(name, name): value for name, value in alert.items()} for alert in content]
    output.write_json(json_file, {"alerts": content, "causes": former_content})
    sys.exit(exit_codes.FAILURE if present_alerts else exit_codes.SUCCESS)
