"""The commands that only look: how the days, an order, a month stand, what calls for a person, what is wrong."""

import dataclasses
import os
import sys
from datetime import datetime
from pathlib import Path

import click

from shopify_xero_pipeline.cli import options
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
    from shopify_xero_pipeline.defs.partitions import days_between

    if month is not None:
        with options.connected() as (bookkeeper, _):
            statement = bookkeeper.month(month.date())
            terminal.month(statement)
        terminal.write_json(json_file, {**statement.model_dump(mode="json"), "agrees": statement.agrees})
        sys.exit(0 if statement.agrees else 1)
    with options.connected() as (bookkeeper, _):
        found = bookkeeper.reconciled(days_between(bookkeeper.policy.start_date, bookkeeper.today()))
        failed = bookkeeper.store.errors()
        unfinished = sorted(bookkeeper.unfinished_days())
        terminal.days(found)
        terminal.attention(found)
        terminal.errors(failed)
        terminal.facts({"days with work left": ", ".join(map(str, unfinished)) or "none"})
        if asked := bookkeeper.store.hints.requests():
            terminal.requests(asked)
        if warning := bookkeeper.sign_in_warning():
            terminal.facts({"sign-in to Xero": warning})
    content = {
        "days": [day.model_dump(mode="json") for day in found],
        "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in failed],
        "unfinished_days": [str(day) for day in unfinished],
        "requests": [one.model_dump(mode="json") for one in asked],
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failed or unfinished else 0)


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
    """Examine settings, connections, state store and books, and say what is wrong and what to do."""
    from shopify_xero_pipeline import doctor as examination
    from shopify_xero_pipeline import runs, terminal
    from shopify_xero_pipeline.books.taxes_seen import taken_in
    from shopify_xero_pipeline.defs.partitions import days_between

    with options.connected() as (bookkeeper, _):
        days = days_between(bookkeeper.policy.start_date, bookkeeper.today())
        if not (state_only or offline):
            terminal.facts(examination.connections(bookkeeper))
        secrets = Settings.from_environment(os.environ).secrets()
        found = examination.examine(
            bookkeeper, days, options.clock(), home=runs.dagster_home(), secrets=secrets, offline=offline
        )
        taxes = taken_in(bookkeeper.policy, (one for day in bookkeeper.reconciled(days) for one in day.taxes))
        terminal.findings(found)
        terminal.tax_rules(taxes)
    rules = {"tax_rules": [rule.model_dump(mode="json") for rule in taxes]}
    terminal.write_json(json_file, examination.summary(found) | rules)
    sys.exit(0 if examination.sound(found) else 1)


@click.command()
@click.option("--test", "testing", is_flag=True, help="Send a message to each channel, and say what became of it.")
@options.JSON
@options.told
def alerts(testing: bool, json_file: Path | None) -> None:
    """Show what calls for a person now. Telling the channels is the sensor's: here nothing is sent but a test."""
    from shopify_xero_pipeline import runs, terminal, watch

    if testing:
        channels = watch.channels(Settings.from_environment(os.environ))
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
