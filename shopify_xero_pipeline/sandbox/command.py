"""`shopify-xero sandbox`: both local APIs on one port until someone ends it. Only its options are read here."""

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
    """Serve until told to stop.

    Args:
        port: a port of 127.0.0.1.
        folder: recorded answers of a real shop, played instead of the generated ones.
        seed: which generated shop trades.
        now: where the sandbox's clock starts, with its zone; it runs on from there. None for the machine's time.
        state_file: keeps Xero's books over restarts.
        queries: the GraphQL documents whose fields recorded nodes must hold, by the name of their operation.
    """
    try:
        source = GeneratedShop(seed) if folder is None else _recorded(folder, queries)
        _serve(port, folder, source, now, state_file)
    except (OSError, RecordedError, StateFileError) as problem:
        raise _Unusable(_sentence(problem)) from None


class _Unusable(click.ClickException):
    """A port, a folder or a file that was named cannot be used: an option is wrong, as click says it with this code."""

    exit_code = click.UsageError.exit_code


def _sentence(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename} cannot be used: {problem.strerror}"
    return str(problem)


def _recorded(folder: Path, queries: Mapping[str, str]) -> RecordedShop:
    shop = RecordedShop(folder)
    check_fields(shop, queries)
    return shop


def _serve(port: int, folder: Path | None, source: ShopSource, now: datetime | None, state_file: Path | None) -> None:
    clock: Clock = SystemClock() if now is None else OffsetClock(now)
    books = None if folder is None else XeroBooks.with_settings(**recorded_xero_settings(folder))
    sandbox = build_sandbox(clock=clock, source=source, xero_books=books, state_file=state_file)
    serve(sandbox, port, ready=lambda address: click.echo(f"Shopify and Xero on {address} (end with Ctrl-C)"))
