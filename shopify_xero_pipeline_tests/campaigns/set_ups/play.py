"""One set-up played through `doctor`, `plan` and `sync` against a sandbox.

The set-ups are in `cases.py`. The commands run in this process with the environment, the `.env` and the `books.yaml` of
the set-up; the network is a real socket.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
from click.testing import CliRunner, Result
from rich.console import Console

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.cli import job_runner, output
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.app import build_sandbox, serving
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline_tests.support.stage import BOOKS, at, size
from shopify_xero_pipeline_tests.support.sync_round import FIRST

DAY = FIRST
NOW = at(FIRST + timedelta(days=1))
SHOP = GeneratedShop(1)
DOCTOR, PLAN, SYNC = ("doctor", "--json", "-"), ("plan", "--day", f"{DAY}"), ("sync", "--day", f"{DAY}")
Change = tuple[str, str]


@dataclass(frozen=True)
class SetUp:
    """A set-up of the project.

    Attributes:
        name: the mistake in a few words.
        says: a part of the message that doctor, and plan or sync, must print.
        books: replacements in the shipped `books.yaml`.
        file: the whole `books.yaml` instead; None for no file if `books` is None.
        environ: the environment, besides the addresses of the sandbox; '' removes a variable.
        dotenv: the content of `.env`.
        xero: changes the organisation before the first command.
        shopify_options: options of the sandbox's Shopify.
        xero_options: options of the sandbox's Xero.
        before: changes of the environment for a sync before the others; None for no such sync.
        warned: the mistake is unusual and possible, so runs warn of it and continue.
        blocks: the mistake blocks most orders, so doctor reports a failure, and runs warn of it and continue.
    """

    name: str
    says: str
    books: tuple[Change, ...] | None = ()
    file: bytes | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    dotenv: bytes | None = None
    xero: Callable[[XeroBooks], None] = lambda _: None
    shopify_options: Mapping[str, Any] = field(default_factory=dict)
    xero_options: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, str] | None = None
    warned: bool = False
    blocks: bool = False


@dataclass(frozen=True)
class Outcome:
    """The outcome of a set-up.

    Attributes:
        checks: doctor's checks without the passed ones.
        doctor: doctor's exit code.
        plan: plan's exit code.
        sync: sync's exit code.
        messages: what plan and sync printed before anything was written.
        written: the number of records in Xero afterwards.
        crashed: whether a command ended with a traceback.
    """

    checks: list[dict[str, str]]
    doctor: int
    plan: int
    sync: int
    messages: str
    written: int
    crashed: bool


def play(set_up: SetUp, folder: Path) -> Outcome:
    """Run doctor, plan and sync on a set-up, in this order.

    Args:
        set_up: the set-up.
        folder: an empty folder, the working directory of the commands.
    """
    clock = ManualClock(NOW)
    books = XeroBooks()
    set_up.xero(books)
    sandbox = build_sandbox(
        clock=clock,
        source=SHOP,
        xero_books=books,
        shopify_options=ShopifyOptions(**set_up.shopify_options),
        xero_options=XeroOptions(**set_up.xero_options),
    )
    with serving(sandbox) as address, house(folder, address, clock):
        if set_up.before is not None:
            books_file(folder, ())
            invoke(set_up.before, *SYNC)
        written_before = size(sandbox)
        write_files(set_up, folder)
        doctor = invoke(set_up.environ, *DOCTOR)
        warnings: list[str] = []

        def record_warning(sentence: str) -> None:
            warnings.extend([sentence] if size(sandbox) == written_before else [])

        with patch.object(output, "print_warning", record_warning):
            planned, synced = invoke(set_up.environ, *PLAN), invoke(set_up.environ, *SYNC)
    refused = [result.stderr for result in (planned, synced) if result.exit_code and size(sandbox) == written_before]
    return Outcome(
        checks=checks_of(doctor),
        doctor=doctor.exit_code,
        plan=planned.exit_code,
        sync=synced.exit_code,
        messages="\n".join([*warnings, *refused]),
        written=size(sandbox) - written_before,
        crashed=any(not isinstance(result.exception, SystemExit | None) for result in (doctor, planned, synced)),
    )


def is_named(set_up: SetUp, outcome: Outcome) -> bool:
    """Return whether doctor reports the mistake as a failure, or as a warning if runs continue."""
    statuses = ("warn", "fail") if set_up.blocks else ("warn",) if set_up.warned else ("fail",)
    return any(
        check["status"] in statuses and set_up.says in f"{check['name']}: {check['says']}: {check['remedy']}"
        for check in outcome.checks
    )


def is_stopped_or_warned(set_up: SetUp, outcome: Outcome) -> bool:
    """Return whether plan or sync reports the mistake before it writes; a mistake that stops them leaves no record."""
    if set_up.says not in outcome.messages:
        return False
    return True if set_up.warned or set_up.blocks else bool(outcome.sync and not outcome.written)


@contextmanager
def house(folder: Path, address: str, clock: ManualClock) -> Iterator[None]:
    """Run commands in their own folder, on this sandbox and clock, with Dagster's runs in memory."""

    @contextmanager
    def instance() -> Iterator[dg.DagsterInstance]:
        with dg.DagsterInstance.ephemeral() as opened:
            yield opened

    environ = {"PATH": os.environ["PATH"], "SHOPIFY_BASE_URL": address, "XERO_BASE_URL": address}
    here = Path.cwd()
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, environ, clear=True))
        stack.enter_context(patch.object(cli.options, "clock", lambda: clock))
        stack.enter_context(patch.object(job_runner, "dagster_instance", instance))
        stack.enter_context(patch.object(output, "console", Console(highlight=False, width=240)))
        os.chdir(folder)
        stack.callback(os.chdir, here)
        yield


def invoke(environ: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner(env={"LOG_LEVEL": "CRITICAL", **environ}).invoke(cli.main, list(arguments))


def write_files(set_up: SetUp, folder: Path) -> None:
    """Write the files of a set-up."""
    if set_up.dotenv is not None:
        (folder / ".env").write_bytes(set_up.dotenv)
    if set_up.books is not None:
        books_file(folder, set_up.books)
    elif set_up.file is not None:
        (folder / "books.yaml").write_bytes(set_up.file)


def books_file(folder: Path, changes: tuple[Change, ...]) -> None:
    text = BOOKS.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    (folder / "books.yaml").write_text(text, encoding="utf-8")


def day(text: str) -> date:
    return date.fromisoformat(text)


def checks_of(doctor: Result) -> list[dict[str, str]]:
    """Return doctor's checks that did not pass, from its JSON."""
    try:
        report = json.loads(doctor.stdout)
    except ValueError:
        return []
    return [check for check in report["set_up"] if check["status"] != "pass"]
