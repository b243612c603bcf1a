"""The command `shopify-xero sandbox`, which serves both local APIs. This module only reads its options."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click

from shopify_xero_pipeline.clock import Clock, SystemClock
from shopify_xero_pipeline.sandbox.app import OffsetClock, StateFileError, build_sandbox, serve
from shopify_xero_pipeline.sandbox.nodes import ShopSource
from shopify_xero_pipeline.sandbox.recorded import RecordedError, RecordedShop, recorded_xero_settings
from shopify_xero_pipeline.sandbox.recorded_fields import check_fields
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks


def run(
    *,
    port: int,
    folder: Path | None,
    seed: int,
    now: datetime | None,
    state_file: Path | None,
    queries: Mapping[str, str],
) -> None:
    """Serve until a signal ends the process.

    Args:
        port: a port of 127.0.0.1.
        folder: recorded responses of a real shop, served instead of a generated shop; None for the generated one.
        seed: the seed of the generated shop.
        now: the start of the sandbox's clock, with its zone; it runs on from there. None for the machine's time.
        state_file: the file in which Xero's books survive a restart.
        queries: by operation name, the GraphQL documents whose fields recorded nodes must have.

    Raises:
        click.ClickException: the port, the folder or the state file cannot be used.
    """
    try:
        source = GeneratedShop(seed) if folder is None else _load_recorded_shop(folder, queries)
        _serve(port, folder, source, now, state_file)
    except (OSError, RecordedError, StateFileError) as problem:
        raise _UnusableOption(_describe(problem)) from None


class _UnusableOption(click.ClickException):
    """An option with an unusable port, folder or file; it exits with click's code for usage errors."""

    exit_code = click.UsageError.exit_code


def _describe(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename} cannot be used: {problem.strerror}"
    return str(problem)


def _load_recorded_shop(folder: Path, queries: Mapping[str, str]) -> RecordedShop:
    shop = RecordedShop(folder)
    check_fields(shop, queries)
    return shop


def _serve(port: int, folder: Path | None, source: ShopSource, now: datetime | None, state_file: Path | None) -> None:
    clock: Clock = SystemClock() if now is None else OffsetClock(now)
    books = None if folder is None else XeroBooks.with_settings(**recorded_xero_settings(folder))
    sandbox = build_sandbox(clock=clock, source=source, xero_books=books, state_file=state_file)
    serve(sandbox, port, ready=lambda address: click.echo(f"Shopify and Xero on {address} (end with Ctrl-C)"))
