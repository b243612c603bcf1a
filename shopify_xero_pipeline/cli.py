"""The `shopify-xero` command. Every command reads its options, calls a room and prints; none holds logic.

Exit codes: 0 all is well, 1 something failed or the books do not agree, 2 a setting or an option is wrong.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
from upath import UPath

from shopify_xero_pipeline import logs
from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.settings import LOG_FORMATS, Settings, SettingsError

if TYPE_CHECKING:
    from shopify_xero_pipeline.bookkeeper import Bookkeeper

P = ParamSpec("P")
R = TypeVar("R")
DAY, MONTH = click.DateTime(formats=["%Y-%m-%d"]), click.DateTime(formats=["%Y-%m"])


def _json_file(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    from shopify_xero_pipeline import terminal

    terminal.leave_stdout_to_json(path)
    return path


JSON = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, writable=True),
    callback=_json_file,
    help="Also write JSON there; - for standard output.",
)


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what the rooms raise into one sentence and exit code 2; anything unforeseen keeps its traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from shopify_xero_pipeline.connections import PROBLEMS

        try:
            return command(*args, **kwargs)
        except PROBLEMS as problem:
            click.echo(f"shopify-xero: {problem}", err=True)
            sys.exit(2)

    return wrapped


def days_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add --day, --from and --to."""
    for name, parameter, says in (
        ("--to", "last", "Last day, default today."),
        ("--from", "first", "First day of a range."),
        ("--day", "day", "One day, YYYY-MM-DD in the shop's zone."),
    ):
        command = click.option(name, parameter, type=DAY, help=says)(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="shopify-xero-pipeline")
@click.option(
    "--log-format", type=click.Choice(LOG_FORMATS), help="Of the log on standard error; by default LOG_FORMAT."
)
@click.pass_context
def main(context: click.Context, log_format: str | None) -> None:
    """Keeps a Shopify store's books in Xero."""
    os.umask(0o077)  # whatever is written here, or by a process started here, is for its owner alone
    if log_format:
        os.environ["LOG_FORMAT"] = log_format  # for the processes started here as well
    with suppress(SettingsError):  # the command itself says what is wrong
        show = context.invoked_subcommand == "demo"
        context.with_resource(logs.beside_tables(Settings.from_environment(os.environ), show=show))


@main.command()
@click.option("--seed", default=1, show_default=True, help="Which shop trades.")
@click.option("--fresh", is_flag=True, help="Forget an earlier demo first.")
@click.option("--keep-runs", is_flag=True, help="Record the runs on disk, to be looked at in the Dagster UI.")
@JSON
@told
def demo(seed: int, fresh: bool, keep_runs: bool, json_file: Path | None) -> None:
    """Play a fortnight of trading into Xero, with a few faults on the way."""
    from shopify_xero_pipeline.demo import play

    sys.exit(0 if play(seed, fresh=fresh, keep_runs=keep_runs, json_file=json_file) else 1)


@main.command()
@click.option("--port", default=8765, show_default=True)
@click.option(
    "--data", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Recorded answers."
)
@click.option("--seed", default=1, show_default=True, help="Which shop trades.")
@click.option(
    "--now", type=click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]), help="Where its clock starts, UTC."
)
@click.option(
    "--state", "state_file", type=click.Path(dir_okay=False, path_type=Path), help="Keeps Xero over restarts."
)
@told
def sandbox(port: int, folder: Path | None, seed: int, now: datetime | None, state_file: Path | None) -> None:
    """Run a local Shopify and a local Xero on one port."""
    from shopify_xero_pipeline.sandbox.command import run

    run(port=port, folder=folder, seed=seed, now=now, state_file=state_file)


@main.command()
@days_options
@JSON
@told
def plan(day: datetime | None, first: datetime | None, last: datetime | None, json_file: Path | None) -> None:
    """Show what would be written to Xero, and write nothing."""
    from shopify_xero_pipeline import runs, terminal
    from shopify_xero_pipeline.changes import cost

    with connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        runner, days = runs.Runner(bookkeeper, instance, storage), chosen(bookkeeper, day, first, last)
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
        "changes": [{"day": str(p.day), **terminal.plan_line(line)} for p in plans for line in p.changes],
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failures else 0)


@main.command()
@days_options
@click.option("--at-once", is_flag=True, help="Start without planning first what a range of days will take.")
@JSON
@told
def sync(
    day: datetime | None, first: datetime | None, last: datetime | None, at_once: bool, json_file: Path | None
) -> None:
    """Bring Xero up to date for a day or a range of days.

    A range is planned first, and what it will take of Xero's calls is shown before anything is written.
    """
    from shopify_xero_pipeline import runs, terminal

    planned: dict[str, object] = {}
    with connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        runner, days = runs.Runner(bookkeeper, instance, storage), chosen(bookkeeper, day, first, last)
        if day is None and not at_once:
            with terminal.progress("planning", len(days)) as bar:
                forecast, failures = runner.forecast(days, functools.partial(terminal.advance, bar))
            if failures:
                terminal.failures(failures)
                terminal.write_json(json_file, runs.Report(failures=failures).summary())
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
            terminal.verdict(report)
    terminal.write_json(json_file, {**report.summary(), **planned})
    sys.exit(0 if report.succeeded else 1)


@main.command()
@click.argument("name", required=False)
@click.option("--month", type=MONTH, help="A month's statement instead, YYYY-MM in the shop's zone.")
@JSON
@told
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
        with connected() as (bookkeeper, _):
            statement = bookkeeper.month(month.date())
            terminal.month(statement)
        terminal.write_json(json_file, {**statement.model_dump(mode="json"), "agrees": statement.agrees})
        sys.exit(0 if statement.agrees else 1)
    with connected() as (bookkeeper, _):
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

    with connected() as (bookkeeper, _):
        found = traced(bookkeeper, name, days_between(bookkeeper.policy.start_date, bookkeeper.today()))
    if not found:
        raise click.ClickException(f"Nothing is known of {name}: give an order's name or id, or a document's number.")
    for one in found:
        terminal.order(one)
    terminal.write_json(json_file, [one.model_dump(mode="json") for one in found])
    return 0 if all(one.is_settled for one in found) else 1


@main.command()
@click.option("--new-key", is_flag=True, help="Print a fresh TOKEN_KEY and do nothing else.")
@click.option("--port", default=8767, show_default=True, help="Of this machine; http://localhost:PORT/callback.")
@JSON
@told
def login(new_key: bool, port: int, json_file: Path | None) -> None:
    """Sign in to Xero in a browser, for an app that is no custom connection."""
    from shopify_xero_pipeline import terminal
    from shopify_xero_pipeline.state.tokens import new_key as fresh

    if new_key:
        click.echo(fresh())
        return
    with connected() as (bookkeeper, _):
        signed_in = bookkeeper.login(port, functools.partial(click.echo, err=True))
    for one in signed_in.organisations:
        terminal.facts({one.name: one.tenant_id})
    click.echo(signed_in.verdict, err=True)
    terminal.write_json(json_file, dataclasses.asdict(signed_in))
    sys.exit(0 if signed_in.tenant_id else 2)


@main.command()
@click.option("--customer", required=True, help="The digits of its Shopify id.")
@click.option("--reason", default="", help="Kept with the note of it; name nobody in it.")
@JSON
@told
def redact(customer: str, reason: str, json_file: Path | None) -> None:
    """Forget a customer: empty its name, e-mail, telephone and address in all that is kept here, for good.

    Accounting facts stay. What is to be done in Xero, by hand, is told.
    """
    from shopify_xero_pipeline import redact as forgetting
    from shopify_xero_pipeline import runs, terminal

    if not (customer.isascii() and customer.isdigit()):
        raise click.UsageError("--customer takes the digits of a customer's Shopify id, such as 7300000000101.")
    with connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        runs.refuse_beside_runs(instance)
        done = forgetting.redact(bookkeeper.store, storage, customer, reason)
    terminal.facts({f"emptied: {name}": count for name, count in done.emptied.items()})
    terminal.facts({f"kept: {name}": count for name, count in done.kept.items()})
    terminal.facts({"Contact in Xero": done.link or "none"})
    terminal.console.print(done.in_xero, soft_wrap=True)
    terminal.write_json(json_file, {**done.model_dump(), "in_xero": done.in_xero})


@main.command()
@click.option("--state", "state_only", is_flag=True, help="Only the state store and the books, not the connections.")
@click.option("--offline", is_flag=True, help="Judge by what Xero showed last; no call is made.")
@JSON
@told
def doctor(state_only: bool, offline: bool, json_file: Path | None) -> None:
    """Examine settings, connections, state store and books, and say what is wrong and what to do."""
    from shopify_xero_pipeline import doctor as examination
    from shopify_xero_pipeline import runs, terminal
    from shopify_xero_pipeline.clock import SystemClock
    from shopify_xero_pipeline.defs.partitions import days_between

    with connected() as (bookkeeper, _):
        days = days_between(bookkeeper.policy.start_date, bookkeeper.today())
        if not (state_only or offline):
            terminal.facts(examination.connections(bookkeeper))
        secrets = Settings.from_environment(os.environ).secrets()
        found = examination.examine(
            bookkeeper, days, SystemClock(), home=runs.dagster_home(), secrets=secrets, offline=offline
        )
        terminal.findings(found)
    terminal.write_json(json_file, examination.summary(found))
    sys.exit(0 if examination.sound(found) else 1)


def records_options(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command be told which failed records."""
    for name, parameter, says in (
        ("--key", "natural_key", "The one with this number or code, as `status` shows it."),
        ("--id", "shopify_id", "The one with this id of Shopify's."),
        ("--kind", "kind", "All of this kind: contact, item, invoice, credit_note, payment or allocation."),
    ):
        command = click.option(name, parameter, help=says)(command)
    return command


@main.command()
@records_options
@click.option("--all", "everything", is_flag=True, help="All failed records.")
@JSON
@told
def retry(
    kind: str | None, shopify_id: str | None, natural_key: str | None, everything: bool, json_file: Path | None
) -> None:
    """Try failed records again now; dismissed ones only if they are named."""
    from shopify_xero_pipeline import runs, terminal

    if everything == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or say --all.")
    with connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        failed = bookkeeper.store.failed
        chosen = failed.chosen(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        if not (shopify_id or natural_key):
            chosen = [error for error in chosen if error.dismissed_at is None]
        failed.ask_again(chosen)
        days = sorted({error.partition for error in chosen})
        with terminal.progress("trying again", len(days)) as bar:
            failures = runs.Runner(bookkeeper, instance, storage).run(
                "sync", days, functools.partial(terminal.advance, bar), patient=True
            )
        tried = {(error.kind, error.shopify_id) for error in chosen}
        left = [error for error in bookkeeper.store.errors() if (error.kind, error.shopify_id) in tried]
        terminal.failures(failures)
        terminal.errors(left)
        terminal.facts({"tried again": len(tried), "still failed": len(left)})
    content = {
        "tried": len(tried),
        "still_failed": [error.model_dump(mode="json", exclude={"payload"}) for error in left],
        "failures": failures,
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failures or left else 0)


@main.command()
@records_options
@click.option("--because", required=True, help="The reason; it is kept.")
@JSON
@told
def dismiss(
    kind: str | None, shopify_id: str | None, natural_key: str | None, because: str, json_file: Path | None
) -> None:
    """Take failed records off the list for a reason; they are tried again only if their content changes."""
    from shopify_xero_pipeline import terminal

    if not any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key.")
    with connected() as (bookkeeper, _):
        failed = bookkeeper.store.failed
        chosen = failed.chosen(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        failed.dismiss(chosen, because)
        terminal.facts({"dismissed": ", ".join(error.natural_key for error in chosen) or "none"})
    terminal.write_json(json_file, {"dismissed": [[error.kind, error.shopify_id] for error in chosen]})
    sys.exit(0 if chosen else 1)


@main.command()
@click.option("--no-wait", is_flag=True, help="If something may still be under way to Xero, say until when and stop.")
@JSON
@told
def rebuild(no_wait: bool, json_file: Path | None) -> None:
    """Make the state store anew from Shopify and Xero, where it is lost or damaged; nothing is written to Xero.

    The old store is put aside, not deleted. What is not in Xero yet is left to the next sync.
    """
    from shopify_xero_pipeline import terminal
    from shopify_xero_pipeline.rebuild import Rebuild, make_room

    clock = SystemClock()
    aside = make_room(Settings.from_environment(os.environ), clock)
    with connected() as (bookkeeper, _):
        if aside is not None:
            bookkeeper.store.take_over(aside.keepsakes)
            terminal.facts({"the old store is now": aside.name})
        work = Rebuild(bookkeeper, clock)
        until = work.until()
        if until is not None and until > clock.now():
            terminal.facts({"may be under way until": f"{until:%Y-%m-%d %H:%M:%S} UTC"})
            if no_wait:
                terminal.write_json(json_file, {"until": until.isoformat()})
                sys.exit(1)
            terminal.countdown(work.wait(until))
        with terminal.progress("adopting", work.days) as bar:
            found = work.adopt("rebuild", functools.partial(terminal.advance, bar))
    terminal.rebuilt(found)
    terminal.write_json(json_file, found.summary())
    sys.exit(0 if found.succeeded else 1)


@main.command()
@click.option("--test", "testing", is_flag=True, help="Send a message to each channel, and say what became of it.")
@JSON
@told
def alerts(testing: bool, json_file: Path | None) -> None:
    """Show what calls for a person now. Telling the channels is the sensor's: here nothing is sent but a test."""
    from shopify_xero_pipeline import runs, terminal, watch

    if testing:
        channels = watch.channels(Settings.from_environment(os.environ))
        if not channels:
            raise SettingsError("No channel is set: give ALERT_SLACK_URL, ALERT_SMTP_URL or ALERT_PAGERDUTY_KEY.")
        sent = watch.tested(channels, SystemClock().now())
        terminal.facts({one.channel: one.failure or "delivered" for one in sent})
        terminal.write_json(json_file, {"channels": [dataclasses.asdict(one) for one in sent]})
        sys.exit(1 if any(one.failure for one in sent) else 0)
    with connected() as (bookkeeper, _), runs.dagster_instance() as instance:
        causes = watch.Watch(bookkeeper, instance).causes()
    terminal.causes(causes)
    terminal.write_json(json_file, {"causes": [dataclasses.asdict(one) for one in causes]})
    sys.exit(1 if causes else 0)


@main.command()
@click.option("--port", default=3000, show_default=True, help="The Dagster UI's.")
@click.option("--sandbox-port", default=8765, show_default=True)
@told
def up(port: int, sandbox_port: int) -> None:
    """Run the Dagster UI with automation on; without credentials, a sandbox beside it."""
    from shopify_xero_pipeline.up import run

    sys.exit(run(port, sandbox_port))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: SERVE_PORT, 8770; 0 takes a free one.")
@told
def serve(host: str, port: int | None) -> None:
    """Serve /health, /metrics and the webhooks of both sides until told to stop."""
    from shopify_xero_pipeline import runs
    from shopify_xero_pipeline.service import command, heartbeat

    def ready(address: str) -> None:
        click.echo(f"/health, /metrics and /webhooks on {address} (end with Ctrl-C)")

    settings, clock = Settings.from_environment(os.environ), SystemClock()
    with runs.dagster_instance() as instance:
        daemon = heartbeat.daemon(instance, clock)
        command.run(settings, daemon, clock, host, settings.serve_port if port is None else port, ready)


@main.command()
@click.option("--done", "done", help="The id of a request that was seen to.")
@JSON
@told
def requests(done: str | None, json_file: Path | None) -> None:
    """List what people asked about their data by way of Shopify; exit code 1 while something is open.

    `shopify-xero redact --customer ID` sees to customers/redact; the others are noted as done with --done ID.
    """
    from shopify_xero_pipeline import terminal

    with connected() as (bookkeeper, _):
        hints = bookkeeper.store.hints
        chosen = [one for one in hints.requests() if one.id.startswith(done)] if done else []
        if done and len(chosen) != 1:
            raise click.UsageError("--done takes the id of one open request, as `shopify-xero requests` shows it.")
        hints.looked_at(chosen)
        left = hints.requests()
    terminal.requests(left)
    terminal.write_json(json_file, {"requests": [one.model_dump(mode="json") for one in left]})
    sys.exit(1 if left else 0)


@contextmanager
def connected() -> "Iterator[tuple[Bookkeeper, UPath]]":
    """Yield a bookkeeper on the environment's settings, and where assets are stored."""
    from shopify_xero_pipeline.bookkeeper import Bookkeeper

    settings = Settings.from_environment(os.environ)
    bookkeeper = Bookkeeper(settings, SystemClock())
    try:
        yield bookkeeper, UPath(settings.asset_storage)
    finally:
        bookkeeper.close()


def chosen(bookkeeper: "Bookkeeper", day: datetime | None, first: datetime | None, last: datetime | None) -> list[date]:
    """Return the days a command was asked for.

    Raises:
        click.UsageError: the options do not name days, or name days outside the books.
    """
    from shopify_xero_pipeline.defs.partitions import days_between

    if (day is None) == (first is None) or (day is not None and last is not None):
        raise click.UsageError("Give --day, or --from with or without --to.")
    begin, today = (day or first), bookkeeper.today()
    assert begin is not None
    end = last.date() if last is not None else (begin.date() if day is not None else today)
    start = bookkeeper.policy.start_date
    if not start <= begin.date() <= end <= today:
        raise click.UsageError(f"Days run from start_date {start} (books.yaml) to today, {today} in the shop's zone.")
    return days_between(begin.date(), end)


if __name__ == "__main__":
    main()
