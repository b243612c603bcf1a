"""The `shopify-xero` command. Every command reads its options, calls a room and prints; none holds logic.

Exit codes: 0 all is well, 1 something failed or the books do not agree, 2 a setting or an option is wrong.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
from upath import UPath

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.settings import Settings

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
def main() -> None:
    """Keeps a Shopify store's books in Xero."""


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
        "changes": [{"day": str(p.day), **line.model_dump(mode="json")} for p in plans for line in p.changes],
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failures else 0)


@main.command()
@days_options
@JSON
@told
def sync(day: datetime | None, first: datetime | None, last: datetime | None, json_file: Path | None) -> None:
    """Bring Xero up to date for a day or a range of days."""
    from shopify_xero_pipeline import runs, terminal

    with connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        runner, days = runs.Runner(bookkeeper, instance, storage), chosen(bookkeeper, day, first, last)
        with terminal.progress("syncing", len(days)) as bar:
            report = runner.sync(days, functools.partial(terminal.advance, bar))
        terminal.failures(report.failures)
        if report.days:
            terminal.days(report.days)
            terminal.attention(report.days)
            terminal.verdict(report)
    terminal.write_json(json_file, report.summary())
    sys.exit(0 if report.succeeded else 1)


@main.command()
@click.option("--month", type=MONTH, help="A month's statement instead, YYYY-MM in the shop's zone.")
@JSON
@told
def status(month: datetime | None, json_file: Path | None) -> None:
    """Show the days, the failed records and what is unfinished, from our own files alone.

    With --month: sales, tax, money and gift cards as Xero's own reports of that month should show them.
    """
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
    content = {
        "days": [day.model_dump(mode="json") for day in found],
        "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in failed],
        "unfinished_days": [str(day) for day in unfinished],
    }
    terminal.write_json(json_file, content)
    sys.exit(1 if failed or unfinished else 0)


@main.command()
@click.option("--port", default=3000, show_default=True, help="The Dagster UI's.")
@click.option("--sandbox-port", default=8765, show_default=True)
@told
def up(port: int, sandbox_port: int) -> None:
    """Run the Dagster UI with automation on; without credentials, a sandbox beside it."""
    from shopify_xero_pipeline.up import run

    sys.exit(run(port, sandbox_port))


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
