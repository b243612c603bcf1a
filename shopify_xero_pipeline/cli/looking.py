"""The commands that only look: how the days, an order, a month stand, what calls for a person, what is wrong."""

import dataclasses
import os
import sys
from datetime import datetime
from pathlib import Path

import click

from shopify_xero_pipeline.cli import exit_codes, options
from shopify_xero_pipeline.settings import Settings, SettingsError


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
    from shopify_xero_pipeline.changes.listed import listed_orders
    from shopify_xero_pipeline.standing import standing

    if month is not None:
        with options.connected() as (bookkeeper, _):
            statement = bookkeeper.month(month.date())
            terminal.month(statement)
        verdict = {"verdict": statement.standing, "says": statement.says, "agrees": statement.standing == "agree"}
        terminal.write_json(json_file, {**verdict, **statement.model_dump(mode="json")})
        sys.exit(exit_codes.of(statement.standing))
    with options.connected() as (bookkeeper, _):
        found = standing(bookkeeper)
        terminal.days(found.days)
        terminal.conflicts(found.held)
        terminal.listed(listed_orders(found.days), found.said_elsewhere)
        terminal.errors(found.failed)
        terminal.facts({"days with work left": ", ".join(map(str, found.unfinished)) or "none"})
        if found.requests:
            terminal.requests(found.requests)
        if warning := bookkeeper.sign_in_warning():
            terminal.facts({"sign-in to Xero": warning})
        if found.days:
            terminal.standing(found.standing, found.says)
    terminal.write_json(json_file, found.summary())
    sys.exit(exit_codes.of(found.standing))


def _one_order(name: str, json_file: Path | None) -> int:
    """Show one order; return the exit code."""
    from shopify_xero_pipeline import terminal
    from shopify_xero_pipeline.changes.agreement import worst
    from shopify_xero_pipeline.defs.partitions import days_between
    from shopify_xero_pipeline.trace import traced

    with options.connected() as (bookkeeper, _):
        found = traced(bookkeeper, name, days_between(bookkeeper.policy.start_date, bookkeeper.today()))
    if not found:
        raise click.ClickException(f"Nothing is known of {name}: give an order's name or id, or a document's number.")
    for one in found:
        terminal.order(one)
    terminal.write_json(json_file, [one.model_dump(mode="json") for one in found])
    return exit_codes.of(worst(one.standing for one in found))


@click.command()
@click.option("--state", "state_only", is_flag=True, help="Only the state store and the books, not the connections.")
@click.option("--offline", is_flag=True, help="Judge by what Xero showed last; no call is made.")
@options.JSON
@options.told
def doctor(state_only: bool, offline: bool, json_file: Path | None) -> None:
    """Examine settings, connections, state store and books, and say what is wrong and what to do."""
    from shopify_xero_pipeline import doctor as examination
    from shopify_xero_pipeline import runs, terminal
    from shopify_xero_pipeline.defs.partitions import days_between

    with options.connected() as (bookkeeper, _):
        days = days_between(bookkeeper.policy.start_date, bookkeeper.today())
        if not (state_only or offline):
            terminal.facts(examination.connections(bookkeeper))
        secrets = Settings.from_environment(os.environ).secrets()
        found = examination.examine(
            bookkeeper, days, options.clock(), home=runs.dagster_home(), secrets=secrets, offline=offline
        )
        terminal.findings(found)
    terminal.write_json(json_file, examination.summary(found))
    sys.exit(exit_codes.of(examination.standing(found)))


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
        sys.exit(exit_codes.WRONG if any(one.failure for one in sent) else exit_codes.WELL)
    with options.connected() as (bookkeeper, _), runs.dagster_instance() as instance:
        causes = watch.Watch(bookkeeper, instance).causes()
    terminal.causes(causes)
    terminal.write_json(json_file, {"causes": [dataclasses.asdict(one) for one in causes]})
    sys.exit(exit_codes.WRONG if causes else exit_codes.WELL)
