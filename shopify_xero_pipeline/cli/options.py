"""What commands share: the options they take, the connections they open, and how they say what is wrong.

No command belongs here, and nothing that only one of them needs.
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
from upath import UPath

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline.clock import Clock, SystemClock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.settings import Settings

if TYPE_CHECKING:
    from shopify_xero_pipeline.pipeline.sync import SyncService

P = ParamSpec("P")
R = TypeVar("R")
DAY, MONTH = click.DateTime(formats=["%Y-%m-%d"]), click.DateTime(formats=["%Y-%m"])


def _json_file(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    from shopify_xero_pipeline.cli import output

    output.reserve_stdout_for_json(path)
    return path


def _show_log(context: click.Context, _: click.Parameter, asked: bool) -> None:
    log = context.find_root().obj
    if asked and log is not None:
        log.show()


VERBOSE = ("-v", "--verbose")


def add_verbose_option(command: click.Command) -> click.Command:
    """Let a command that prints an answer show its log beside it."""
    says = "Write the log to standard error, and not to a file."
    command.params.append(click.Option(VERBOSE, is_flag=True, expose_value=False, callback=_show_log, help=says))
    return command


JSON = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, writable=True),
    callback=_json_file,
    help="Also write JSON there; - for standard output.",
)


def report_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn whatever a command meets into one sentence and an exit code (`exit_codes.py`), and name the log of it.

    What an exception holds beyond its sentence goes to the log; only what nobody foresaw has its traceback there.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except SystemExit as ended:
            if ended.code not in (exit_codes.SUCCESS, exit_codes.BLOCKED):
                _name_log()
            raise
        except Exception as problem:
            code, sentence = _sentence(problem)
        click.echo(f"shopify-xero: {sentence}", err=True)
        _name_log()
        sys.exit(code)

    return wrapped


def _name_log() -> None:
    """Say where the log of this command is, if it has one."""
    log = click.get_current_context().find_root().obj
    if log is not None and log.named:
        click.echo(log.named, err=True)


def _sentence(problem: Exception) -> tuple[int, str]:
    """Return the exit code of an exception and what to say of it."""
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
        f"Something unforeseen ended this command ({name}): that is a fault of this program.",
    )


def day_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add --day, --from and --to."""
    for name, parameter, says in (
        ("--to", "last", "Last day, default today."),
        ("--from", "first", "First day of a range."),
        ("--day", "day", "One day, YYYY-MM-DD in the shop's zone."),
    ):
        command = click.option(name, parameter, type=DAY, help=says)(command)
    return command


def record_options(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command be told which failed records."""
    for name, parameter, says in (
        ("--key", "natural_key", "The one with this number or code, as `status` shows it."),
        ("--id", "shopify_id", "The one with this id of Shopify's."),
        ("--kind", "kind", "All of this kind: contact, item, invoice, credit_note, payment or allocation."),
    ):
        command = click.option(name, parameter, help=says)(command)
    return command


def clock() -> Clock:
    """Return the time that commands go by."""
    return SystemClock()


@contextmanager
def open_service() -> "Iterator[tuple[SyncService, UPath]]":
    """Yield a sync service on the environment's settings, and where assets are stored."""
    from shopify_xero_pipeline.pipeline.sync import SyncService

    settings = Settings.from_environment(os.environ)
    sync_service = SyncService(settings, clock())
    try:
        yield sync_service, UPath(settings.asset_storage)
    finally:
        sync_service.close()


def resolve_days(
    sync_service: "SyncService", day: datetime | None, first: datetime | None, last: datetime | None
) -> list[date]:
    """Return the days a command was asked for.

    Raises:
        click.UsageError: the options do not name days, or name days outside the books.
    """
    from shopify_xero_pipeline.pipeline.calendar import days_between

    if (day is None) == (first is None) or (day is not None and last is not None):
        raise click.UsageError("Give --day, or --from with or without --to.")
    begin, today = (day or first), sync_service.today()
    assert begin is not None
    end = last.date() if last is not None else (begin.date() if day is not None else today)
    if last is not None and end < begin.date():
        raise click.UsageError(f"--to {end} lies before --from {begin.date()}.")
    start = sync_service.policy.start_date
    if not start <= begin.date() <= end <= today:
        raise click.UsageError(f"Days run from start_date {start} (books.yaml) to today, {today} in the shop's zone.")
    return days_between(begin.date(), end)
