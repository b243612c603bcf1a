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

    from shopify_xero_pipeline.pipeline.sync import Bookkeeper
    from shopify_xero_pipeline.state.invariants import Finding

STORE_NEEDS = ("books.yaml", "state store")
"""What the promises of the store cannot be examined without."""


@click.command()
@click.argument("name", required=False)
@click.option("--month", type=options.MONTH, help="A month's statement instead, YYYY-MM in the shop's zone.")
@options.JSON
@options.told
def status(name: str | None, month: datetime | None, json_file: Path | None) -> None:
    """Show the days, the failed records and what is unfinished, from our own files alone.

    With the NAME of an order (#1001, or its Shopify id) or the number of an Invoice or Credit Note: all that is known
    of that order, back to each run and request. With --month: sales, tax, money and gift cards as Xero's own reports of
    that month should show them.
    """
    if name is not None:
        sys.exit(_one_order(name, json_file))
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.books_status import standing
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_json
    from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings

    if month is not None:
        with options.connected() as (bookkeeper, _):
            statement = bookkeeper.month(month.date())
            output.month(statement)
        verdict = {"verdict": statement.standing, "says": statement.says, "agrees": statement.standing == "agree"}
        named = {"orphans": [orphan_json(one) for one in statement.orphans]}
        output.write_json(json_file, {**verdict, **statement.model_dump(mode="json"), **named})
        sys.exit(exit_codes.of(statement.standing))
    with options.connected() as (bookkeeper, _):
        found = standing(bookkeeper)
        output.days(found.days)
        output.conflicts(found.held)
        output.left(found.held)
        output.listed(listed_orders(found.days), found.said_elsewhere)
        output.order_warnings(order_warnings(found.days))
        output.orphans(found.orphans)
        output.errors(found.failed)
        output.facts({"days with work left": ", ".join(map(str, found.unfinished)) or "none"})
        if found.requests:
            output.requests(found.requests)
        if warning := bookkeeper.sign_in_warning():
            output.facts({"sign-in to Xero": warning})
        if found.days:
            output.standing(found.standing, found.says)
    output.write_json(json_file, found.summary())
    sys.exit(exit_codes.of(found.standing))


def _one_order(name: str, json_file: Path | None) -> int:
    """Show one order; return the exit code."""
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.calendar import days_between
    from shopify_xero_pipeline.pipeline.order_history import traced
    from shopify_xero_pipeline.reconciliation.verdict import worst

    with options.connected() as (bookkeeper, _):
        found = traced(bookkeeper, name, days_between(bookkeeper.policy.start_date, bookkeeper.today()))
    if not found:
        raise click.ClickException(f"Nothing is known of {name}: give an order's name or id, or a document's number.")
    for one in found:
        output.order(one)
    output.write_json(json_file, [one.model_dump(mode="json") for one in found])
    return exit_codes.of(worst(one.standing for one in found))


@click.command()
@click.option("--state", "state_only", is_flag=True, help="Only the state store and the books, not the connections.")
@click.option("--offline", is_flag=True, help="Judge by what Xero showed last; no call is made.")
@options.JSON
@options.told
def doctor(state_only: bool, offline: bool, json_file: Path | None) -> None:
    """Examine settings, connections, state store and books, and say what is wrong and what to do.

    Exit code 2 if a setting is wrong, 1 if a promise is broken, 3 if orders are blocked; warnings do not count.
    """
    from shopify_xero_pipeline.books.tax_usage import taken_in
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline import diagnostics as examination
    from shopify_xero_pipeline.pipeline.connections import PASSING, PROBLEMS
    from shopify_xero_pipeline.pipeline.setup_diagnostics import SetUp, failed, has_failed

    checks, found, taxes, later = [], [], [], False
    try:
        with options.connected() as (bookkeeper, storage):
            if not (state_only or offline):
                checks = SetUp(bookkeeper, _places(storage)).look()
            if not has_failed(checks, STORE_NEEDS):
                found = _promises(bookkeeper, offline=offline or bool(checks))
                seen = (one for day in bookkeeper.reconciled(bookkeeper.days()) for one in day.taxes)
                taxes = taken_in(bookkeeper.policy, seen)
    except PROBLEMS as problem:
        later = isinstance(problem, PASSING)
        if later and not checks:
            raise
        checks.append(failed("books" if later else "settings", str(problem)))
    output.checks(checks)
    output.findings(found)
    output.tax_rules(taxes)
    if found:
        output.standing(examination.standing(found), examination.says(found))
    content = {"set_up": [dataclasses.asdict(check) for check in checks], **examination.summary(found)}
    content |= {"tax_rules": [rule.model_dump(mode="json") for rule in taxes]}
    output.write_json(json_file, content)
    if has_failed(checks):
        sys.exit(exit_codes.LATER if later else exit_codes.SETTING)
    sys.exit(exit_codes.of(examination.standing(found)))


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


def _promises(bookkeeper: "Bookkeeper", *, offline: bool) -> "list[Finding]":
    """Examine the store's promises on all days of the books."""
    from shopify_xero_pipeline.pipeline import diagnostics as examination
    from shopify_xero_pipeline.pipeline.file_locations import dagster_home

    secrets = Settings.from_environment(os.environ).secrets()
    return examination.examine(
        bookkeeper,
        bookkeeper.days(),
        options.clock(),
        home=dagster_home(),
        secrets=secrets,
        offline=offline,
    )


@click.command()
@click.option("--test", "testing", is_flag=True, help="Send a message to each channel, and say what became of it.")
@options.JSON
@options.told
def alerts(testing: bool, json_file: Path | None) -> None:
    """Show what calls for a person now. Telling the channels is the sensor's: here nothing is sent but a test."""
    from shopify_xero_pipeline.alerts import service
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.defs.run_history import InstanceHistory

    if testing:
        channels = service.channels(Settings.from_environment(os.environ), options.clock())
        if not channels:
            raise SettingsError("No channel is set: give ALERT_SLACK_URL, ALERT_SMTP_URL or ALERT_PAGERDUTY_KEY.")
        sent = service.tested(channels, options.clock().now())
        output.facts({one.channel: one.failure or "delivered" for one in sent})
        output.write_json(json_file, {"channels": [dataclasses.asdict(one) for one in sent]})
        sys.exit(exit_codes.WRONG if any(one.failure for one in sent) else exit_codes.WELL)
    with options.connected() as (bookkeeper, _), job_runner.dagster_instance() as instance:
        causes = service.Watch(bookkeeper, InstanceHistory(instance)).causes()
    output.causes(causes)
    output.write_json(json_file, {"causes": [dataclasses.asdict(one) for one in causes]})
    sys.exit(exit_codes.WRONG if causes else exit_codes.WELL)
