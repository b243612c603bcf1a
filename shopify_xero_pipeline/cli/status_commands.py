"""The commands that only look: how the days, an order, a month stand, what calls for a person, what is wrong."""

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

    from shopify_xero_pipeline.pipeline.sync import SyncService
    from shopify_xero_pipeline.state.invariants import InvariantResult

STORE_NEEDS = ("books.yaml", "state store")
"""What the promises of the store cannot be examined without."""


@click.command()
@click.argument("name", required=False)
@click.option("--month", type=options.MONTH, help="A month's statement instead, YYYY-MM in the shop's zone.")
@options.JSON
@options.report_errors
def status(name: str | None, month: datetime | None, json_file: Path | None) -> None:
    """Show the days, the failed records and what is unfinished, from our own files alone.

    With the NAME of an order (#1001, or its Shopify id) or the number of an Invoice or Credit Note: all that is known
    of that order, back to each run and request. With --month: sales, tax, money and gift cards as Xero's own reports of
    that month should show them.
    """
    if name is not None:
        sys.exit(_one_order(name, json_file))
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.books_status import books_status
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary
    from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings

    if month is not None:
        with options.open_service() as (sync_service, _):
            statement = sync_service.month_statement(month.date())
            output.print_month(statement)
        verdict = {
            "verdict": statement.standing,
            "message": statement.sentence,
            "agrees": statement.standing == "agree",
        }
        named = {"orphans": [orphan_summary(one) for one in statement.orphans]}
        output.write_json(json_file, {**verdict, **statement.model_dump(mode="json"), **named})
        sys.exit(exit_codes.from_standing(statement.standing))
    with options.open_service() as (sync_service, _):
        found = books_status(sync_service)
        output.print_days(found.days)
        output.print_conflicts(found.held)
        output.print_decided_records(found.held)
        output.print_unposted_orders(listed_orders(found.days), found.listed_elsewhere)
        output.print_order_warnings(order_warnings(found.days))
        output.print_orphans(found.orphans)
        output.print_failed_records(found.failed)
        output.print_pairs({"days with work left": ", ".join(map(str, found.unfinished)) or "none"})
        if found.requests:
            output.print_requests(found.requests)
        if warning := sync_service.sign_in_warning():
            output.print_pairs({"sign-in to Xero": warning})
        if found.days:
            output.print_verdict(found.standing, found.message)
    output.write_json(json_file, found.summary())
    sys.exit(exit_codes.from_standing(found.standing))


def _one_order(name: str, json_file: Path | None) -> int:
    """Show one order; return the exit code."""
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.calendar import days_between
    from shopify_xero_pipeline.pipeline.order_history import order_histories
    from shopify_xero_pipeline.reconciliation.verdict import worst_standing

    with options.open_service() as (sync_service, _):
        found = order_histories(sync_service, name, days_between(sync_service.policy.start_date, sync_service.today()))
    if not found:
        raise click.ClickException(f"Nothing is known of {name}: give an order's name or id, or a document's number.")
    for one in found:
        output.print_order(one)
    output.write_json(json_file, [one.model_dump(mode="json") for one in found])
    return exit_codes.from_standing(worst_standing(one.standing for one in found))


@click.command()
@click.option("--state", "state_only", is_flag=True, help="Only the state store and the books, not the connections.")
@click.option("--offline", is_flag=True, help="Judge by what Xero showed last; no call is made.")
@options.JSON
@options.report_errors
def doctor(state_only: bool, offline: bool, json_file: Path | None) -> None:
    """Examine settings, connections, state store and books, and say what is wrong and what to do.

    Exit code 2 if a setting is wrong, 1 if a promise is broken, 3 if orders are blocked; warnings do not count.
    """
    from shopify_xero_pipeline.books.tax_usage import match_taxes
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline import diagnostics as examination
    from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TRANSIENT_ERRORS
    from shopify_xero_pipeline.pipeline.setup_diagnostics import SetupDiagnostics, failed, has_failed

    checks, found, taxes, later = [], [], [], False
    try:
        with options.open_service() as (sync_service, storage):
            if not (state_only or offline):
                checks = SetupDiagnostics(sync_service, _places(storage)).run()
            if not has_failed(checks, STORE_NEEDS):
                found = _promises(sync_service, offline=offline or bool(checks))
                seen = (one for day in sync_service.stored_reconciliations(sync_service.days()) for one in day.taxes)
                taxes = match_taxes(sync_service.policy, seen)
    except EXPECTED_ERRORS as problem:
        later = isinstance(problem, TRANSIENT_ERRORS)
        if later and not checks:
            raise
        checks.append(failed("books" if later else "settings", str(problem)))
    output.print_checks(checks)
    output.print_invariants(found)
    output.print_tax_rules(taxes)
    if found:
        output.print_verdict(examination.standing(found), examination.verdict_sentence(found))
    content = {"set_up": [dataclasses.asdict(check) for check in checks], **examination.summary(found)}
    content |= {"tax_rules": [rule.model_dump(mode="json") for rule in taxes]}
    output.write_json(json_file, content)
    if has_failed(checks):
        sys.exit(exit_codes.RETRY_LATER if later else exit_codes.FIX_SETTING)
    sys.exit(exit_codes.from_standing(examination.standing(found)))


def _places(storage: "UPath") -> "dict[str, Callable[[], object]]":
    """Return what tells whether our own files can be kept, by the setting that says where."""
    from shopify_xero_pipeline.pipeline import file_locations

    places: dict[str, Callable[[], object]] = {
        "DAGSTER_HOME": lambda: check_folder("DAGSTER_HOME", file_locations.dagster_home()),
        "ASSET_STORAGE": lambda: file_locations.check_storage(storage),
    }
    witness = Settings.from_environment(os.environ).state_witness
    if witness is not None:
        places["STATE_WITNESS"] = lambda: check_folder("STATE_WITNESS", witness)
    return places


def _promises(sync_service: "SyncService", *, offline: bool) -> "list[InvariantResult]":
    """Examine the store's promises on all days of the books."""
    from shopify_xero_pipeline.pipeline import diagnostics as examination
    from shopify_xero_pipeline.pipeline.file_locations import dagster_home

    secrets = Settings.from_environment(os.environ).secrets()
    return examination.run_diagnostics(
        sync_service,
        sync_service.days(),
        options.clock(),
        home=dagster_home(),
        secrets=secrets,
        offline=offline,
    )


@click.command()
@click.option("--test", "testing", is_flag=True, help="Send a message to each channel, and say what became of it.")
@options.JSON
@options.report_errors
def alerts(testing: bool, json_file: Path | None) -> None:
    """Show what calls for a person now. Telling the channels is the sensor's: here nothing is sent but a test."""
    from shopify_xero_pipeline.alerts import service
    from shopify_xero_pipeline.alerts.notifier import FORMER_NAMES
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.defs.run_history import InstanceHistory

    if testing:
        channels = service.build_channels(Settings.from_environment(os.environ), options.clock())
        if not channels:
            raise SettingsError("No channel is set: give ALERT_SLACK_URL, ALERT_SMTP_URL or ALERT_PAGERDUTY_KEY.")
        sent = service.send_test(channels, options.clock().now())
        output.print_pairs({one.channel: one.failure or "delivered" for one in sent})
        output.write_json(json_file, {"channels": [dataclasses.asdict(one) for one in sent]})
        sys.exit(exit_codes.FAILURE if any(one.failure for one in sent) else exit_codes.SUCCESS)
    with options.open_service() as (sync_service, _), job_runner.dagster_instance() as instance:
        causes = service.AlertService(sync_service, InstanceHistory(instance)).current_alerts()
    output.print_alerts(causes)
    content = [dataclasses.asdict(one) for one in causes]
    former = {present: name for name, present in FORMER_NAMES.items()}
    causes_json = [{former.get(name, name): value for name, value in one.items()} for one in content]
    output.write_json(json_file, {"alerts": content, "causes": causes_json})
    sys.exit(exit_codes.FAILURE if causes else exit_codes.SUCCESS)
