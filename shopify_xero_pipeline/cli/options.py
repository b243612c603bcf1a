"""Shared parts of commands: options, connections and the reporting of errors.

This module has no command, and nothing that only one command needs.
"""

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline.clock import Clock, SystemClock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.settings import SANDBOX_ADDRESS, Settings

if TYPE_CHECKING:
    from upath import UPath

    from shopify_xero_pipeline.pipeline.sync import SyncService

P = ParamSpec("P")
R = TypeVar("R")
NO_CREDENTIALS = (
    "No credentials are set, so this command does not see the sandbox of `make up`. To use that: "
    f"export SHOPIFY_BASE_URL={SANDBOX_ADDRESS} XERO_BASE_URL={SANDBOX_ADDRESS}"
)
"""Without it `status` reports an empty state store as if nothing had failed in the sandbox."""
DAY, MONTH = click.DateTime(formats=["%Y-%m-%d"]), click.DateTime(formats=["%Y-%m"])


def _json_file(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    from shopify_xero_pipeline.cli import output

    output.reserve_stdout_for_json(path)
    return path


def _show_log(context: click.Context, _: click.Parameter, is_set: bool) -> None:
    log = context.find_root().obj
    if is_set and log is not None:
        log.show()


VERBOSE, VERBOSE_HELP = ("-v", "--verbose"), "Write the log to standard error, not to a file."


def add_verbose_option(command: click.Command) -> click.Command:
    """Add --verbose to a command that prints a result."""
    option = click.Option(VERBOSE, is_flag=True, expose_value=False, callback=_show_log, help=VERBOSE_HELP)
    command.params.append(option)
    return command


JSON = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, writable=True),
    callback=_json_file,
    help="Also write the result as JSON to this file; - for standard output.",
)


def report_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Report any exception of a command as one sentence with an exit code (`exit_codes.py`) and the place of the log.

    Details of an exception go to the log, with a traceback only if the exception is unexpected.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except SystemExit as ended:
            if ended.code not in (exit_codes.SUCCESS, exit_codes.BLOCKED):
                _print_log_location()
            raise
        except Exception as problem:
            code, sentence = _describe_error(problem)
        click.echo(f"shopify-xero: {sentence}", err=True)
        _print_log_location()
        sys.exit(code)

    return wrapped


def _print_log_location() -> None:
    """Print the place of the log if it was written."""
    log = click.get_current_context().find_root().obj
    if log is not None and log.location_sentence:
        click.echo(log.location_sentence, err=True)


def _describe_error(problem: Exception) -> tuple[int, str]:
    """Return the exit code of an exception and a sentence about it."""
    from shopify_xero_pipeline.pipeline import storage_errors
    from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TRANSIENT_ERRORS

    if isinstance(problem, EXPECTED_ERRORS):
        events.log_event("command_ended", level=logging.ERROR, error=type(problem).__name__, reason=str(problem))
        return exit_codes.RETRY_LATER if isinstance(problem, TRANSIENT_ERRORS) else exit_codes.FIX_SETTING, str(problem)
    if isinstance(problem, OSError):
        return exit_codes.FIX_SETTING, storage_errors.describe_os_error(problem)
    events.EVENTS.error("unforeseen", exc_info=problem)
    name = type(problem).__name__
    return (
        exit_codes.INTERNAL_ERROR,
        f"An unexpected error ended this command ({name}). This is a fault of the program.",
    )


def day_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add --day, --from and --to."""
    for name, parameter, text in (
        ("--to", "last", "Last day; default: today."),
        ("--from", "first", "First day of a range."),
        ("--day", "day", "One day, YYYY-MM-DD in the shop's time zone."),
    ):
        command = click.option(name, parameter, type=DAY, help=text)(command)
    return command


def record_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add --kind, --id and --key, which select failed records."""
    for name, parameter, text in (
        ("--key", "natural_key", "The record with this number or code, as `status` shows it."),
        ("--id", "shopify_id", "The record with this Shopify id."),
        ("--kind", "kind", "All records of this kind: contact, item, invoice, credit_note, payment or allocation."),
    ):
        command = click.option(name, parameter, help=text)(command)
    return command


def clock() -> Clock:
    """Return the clock of all commands."""
    return SystemClock()


@contextmanager
def open_service() -> "Iterator[tuple[SyncService, UPath]]":
    """Yield a sync service with the environment's settings, and the storage of assets."""
    from upath import UPath

    from shopify_xero_pipeline.pipeline.connections import Connections
    from shopify_xero_pipeline.pipeline.sync import SyncService

    settings = Settings.from_environment(os.environ)
    if not settings.has_any_credential:
        click.echo(NO_CREDENTIALS, err=True)
    sync_service = SyncService(Connections(settings, clock()))
    try:
        yield sync_service, UPath(settings.asset_storage)
    finally:
        sync_service.connections.close()


def resolve_days(
    sync_service: "SyncService", day: datetime | None, first: datetime | None, last: datetime | None
) -> list[date]:
    """Return the days that the options select.

    Args:
        sync_service: provides the start date and today, both in the shop's time zone.
        day: --day.
        first: --from.
        last: --to.

    Raises:
        click.UsageError: the options select no days, or days outside the books.
    """
    from shopify_xero_pipeline.pipeline.calendar import days_between

    if (day is None) == (first is None) or (day is not None and last is not None):
        raise click.UsageError("Give --day, or --from with or without --to.")
    begin, today = (day or first), sync_service.connections.today()
    assert begin is not None
    end = last.date() if last is not None else (begin.date() if day is not None else today)
    if last is not None and end < begin.date():
        raise click.UsageError(f"--to {end} is before --from {begin.date()}.")
    start = sync_service.connections.policy.start_date
    if not start <= begin.date() <= end <= today:
        raise click.UsageError(
            f"Days run from start_date {start} (books.yaml) to today, {today} in the shop's time zone."
        )
    return days_between(begin.date(), end)
