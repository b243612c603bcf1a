"""The commands that only look: how the days, an order, a month stand, what calls for a person, what is wrong."""

import dataclasses
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopify_xero_pipeline.cli import options
from shopify_xero_pipeline.settings import Settings, SettingsError, check_folder

if TYPE_CHECKING:
    from upath import UPath

    from shopify_xero_pipeline.bookkeeper import Bookkeeper
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
    from shopify_xero_pipeline import terminal
    from shopify_xero_pipeline.defs.partitions import days_between
    from shopify_xero_pipeline.ownership import orphan_json

    if month is not None:
        with options.connected() as (bookkeeper, _):
            statement = bookkeeper.month(month.date())
            terminal.month(statement)
        named = {"orphans": [orphan_json(one) for one in statement.orphans]}
        terminal.write_json(json_file, {**statement.model_dump(mode="json"), **named, "agrees": statement.agrees})
        sys.exit(0 if statement.agrees else 1)
    with options.connected() as (bookkeeper, _):
        found = bookkeeper.reconciled(days_between(bookkeeper.policy.start_date, bookkeeper.today()))
        failed = bookkeeper.store.errors()
        unfinished = sorted(bookkeeper.unfinished_days())
        terminal.days(found)
        terminal.attention(found)
        orphans = bookkeeper.ownership.orphans()
        terminal.orphans(orphans)
        terminal.errors(failed)
        terminal.facts({"days with work left": ", ".join(map(str, unfinished)) or "none"})
        if asked := bookkeeper.store.hints.requests():
            terminal.requests(asked)
        if warning := bookkeeper.sign_in_warning():
            terminal.facts({"sign-in to Xero": warning})
    content = {
        "days": [day.model_dump(mode="json") for day in found],
        "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in failed],
        "without_order": [orphan_json(one) for one in orphans],
        "unfinished_days": [str(day) for day in unfinished],
        "requests": [one.model_dump(mode="json") for one in asked],
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failed or unfinished or any(one.is_open for one in orphans) else 0)


def _one_order(name: str, json_file: Path | None) -> int:
    """Show one order; return the exit code."""
    from shopify_xero_pipeline import terminal
    from shopify_xero_pipeline.defs.partitions import days_between
    from shopify_xero_pipeline.trace import traced

    with options.connected() as (bookkeeper, _):
        found = traced(bookkeeper, name, days_between(bookkeeper.policy.start_date, bookkeeper.today()))
    if not found:
        raise click.ClickException(f"Nothing is known of {name}: give an order's name or id, or a document's number.")
    for one in found:
        terminal.order(one)
    terminal.write_json(json_file, [one.model_dump(mode="json") for one in found])
    return 0 if all(one.is_settled for one in found) else 1


@click.command()
@click.option("--state", "state_only", is_flag=True, help="Only the state store and the books, not the connections.")
@click.option("--offline", is_flag=True, help="Judge by what Xero showed last; no call is made.")
@options.JSON
@options.told
def doctor(state_only: bool, offline: bool, json_file: Path | None) -> None:
    """Examine settings, connections, state store and books, and say what is wrong and what to do.

    Exit code 2 if a setting is wrong, 1 if something else is broken, 0 if there are warnings at the most.
    """
    from shopify_xero_pipeline import doctor as examination
    from shopify_xero_pipeline import terminal
    from shopify_xero_pipeline.connections import PROBLEMS
    from shopify_xero_pipeline.set_up import SetUp, failed, has_failed

    checks, found = [], []
    try:
        with options.connected() as (bookkeeper, storage):
            if not (state_only or offline):
                checks = SetUp(bookkeeper, _places(storage)).look()
            if not has_failed(checks, STORE_NEEDS):
                found = _promises(bookkeeper, offline=offline or bool(checks))
    except PROBLEMS as problem:
        checks.append(failed("settings", str(problem)))
    terminal.checks(checks)
    terminal.findings(found)
    content = {"set_up": [dataclasses.asdict(check) for check in checks], **examination.summary(found)}
    terminal.write_json(json_file, content)
    sys.exit(2 if has_failed(checks) else 0 if examination.sound(found) else 1)


def _places(storage: "UPath") -> "dict[str, Callable[[], object]]":
    """Return what tells whether our own files can be kept, by the setting that says where."""
    from shopify_xero_pipeline import runs

    places: dict[str, Callable[[], object]] = {
        "DAGSTER_HOME": lambda: check_folder("DAGSTER_HOME", runs.dagster_home()),
        "ASSET_STORAGE": lambda: runs.check_storage(storage),
    }
    witness = Settings.from_environment(os.environ).state_witness
    if witness is not None:
        places["STATE_WITNESS"] = lambda: check_folder("STATE_WITNESS", witness)
    return places


def _promises(bookkeeper: "Bookkeeper", *, offline: bool) -> "list[Finding]":
    """Examine the store's promises on all days of the books."""
    from shopify_xero_pipeline import doctor as examination
    from shopify_xero_pipeline import runs

    secrets = Settings.from_environment(os.environ).secrets()
    return examination.examine(
        bookkeeper, bookkeeper.days(), options.clock(), home=runs.dagster_home(), secrets=secrets, offline=offline
    )


@click.command()
@click.option("--test", "testing", is_flag=True, help="Send a message to each channel, and say what became of it.")
@options.JSON
@options.told
def alerts(testing: bool, json_file: Path | None) -> None:
    """Show what calls for a person now. Telling the channels is the sensor's: here nothing is sent but a test."""
    from shopify_xero_pipeline import runs, terminal, watch

    if testing:
        channels = watch.channels(Settings.from_environment(os.environ), options.clock())
        if not channels:
            raise SettingsError("No channel is set: give ALERT_SLACK_URL, ALERT_SMTP_URL or ALERT_PAGERDUTY_KEY.")
        sent = watch.tested(channels, options.clock().now())
        terminal.facts({one.channel: one.failure or "delivered" for one in sent})
        terminal.write_json(json_file, {"channels": [dataclasses.asdict(one) for one in sent]})
        sys.exit(1 if any(one.failure for one in sent) else 0)
    with options.connected() as (bookkeeper, _), runs.dagster_instance() as instance:
        causes = watch.Watch(bookkeeper, instance).causes()
    terminal.causes(causes)
    terminal.write_json(json_file, {"causes": [dataclasses.asdict(one) for one in causes]})
    sys.exit(1 if causes else 0)
