"""One set-up played through the commands a user has, against a sandbox: what doctor, plan and sync make of it.

Only the playing belongs here; the set-ups stand in `cases.py`. The commands run in this process with the environment,
the `.env` and the `books.yaml` of the set-up; the network is a real socket.
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
from shopify_xero_pipeline.sandbox.app import Sandbox, build_sandbox, serving
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline_tests.support.stage import BOOKS, at
from shopify_xero_pipeline_tests.support.sync_round import FIRST

DAY = FIRST
NOW = at(FIRST + timedelta(days=1))
SHOP = GeneratedShop(1)
DOCTOR, PLAN, SYNC = ("doctor", "--json", "-"), ("plan", "--day", f"{DAY}"), ("sync", "--day", f"{DAY}")
Change = tuple[str, str]


@dataclass(frozen=True)
class SetUp:
    """A way to set the project up.

    Attributes:
        name: what is wrong, in a few words.
        says: what doctor, and plan or sync, must say of it; a part of the message.
        books: replacements in the shipped `books.yaml`.
        file: the whole `books.yaml` instead; None for none at all where `books` is None.
        environ: the environment, besides the addresses of the sandbox; '' takes one away.
        dotenv: the content of `.env`.
        xero: changes the organisation before anything is asked.
        shopify_options: of the sandbox's Shopify.
        xero_options: of the sandbox's Xero.
        before: replacements in `books.yaml` and changes of the environment for a sync that goes before.
        warned: it is unusual and possible, so runs say so and go on.
        blocks: most orders are blocked by it, so doctor calls it a failure, and runs say so and go on.
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
class Played:
    """What became of a set-up.

    Attributes:
        checks: doctor's list, those that passed left out.
        doctor: doctor's exit code.
        plan: plan's exit code.
        sync: sync's exit code.
        said: what plan and sync printed while nothing was written.
        written: records in Xero afterwards.
        crashed: a command ended with a traceback.
    """

    checks: list[dict[str, str]]
    doctor: int
    plan: int
    sync: int
    said: str
    written: int
    crashed: bool


def play(one: SetUp, folder: Path) -> Played:
    """Play doctor, plan and sync of a set-up, in this order."""
    clock = ManualClock(NOW)
    books = XeroBooks()
    one.xero(books)
    sandbox = build_sandbox(
        clock=clock,
        source=SHOP,
        xero_books=books,
        shopify_options=ShopifyOptions(**one.shopify_options),
        xero_options=XeroOptions(**one.xero_options),
    )
    with serving(sandbox) as address, house(folder, address, clock):
        if one.before is not None:
            books_file(folder, ())
            invoke(one.before, *SYNC)
        written_before = size(sandbox)
        prepared(one, folder)
        doctor = invoke(one.environ, *DOCTOR)
        said: list[str] = []

        def tell(sentence: str) -> None:
            said.extend([sentence] if size(sandbox) == written_before else [])

        with patch.object(output, "print_warning", tell):
            planned, synced = invoke(one.environ, *PLAN), invoke(one.environ, *SYNC)
    refused = [result.stderr for result in (planned, synced) if result.exit_code and size(sandbox) == written_before]
    return Played(
        checks=checks_of(doctor),
        doctor=doctor.exit_code,
        plan=planned.exit_code,
        sync=synced.exit_code,
        said="\n".join([*said, *refused]),
        written=size(sandbox) - written_before,
        crashed=any(not isinstance(result.exception, SystemExit | None) for result in (doctor, planned, synced)),
    )


def is_named(one: SetUp, played: Played) -> bool:
    """Return whether doctor names what is wrong as a failure, or as a warning where that is all it is."""
    statuses = ("warn", "fail") if one.blocks else ("warn",) if one.warned else ("fail",)
    return any(
        check["status"] in statuses and one.says in f"{check['name']}: {check['says']}: {check['remedy']}"
        for check in played.checks
    )


def is_stopped_or_said(one: SetUp, played: Played) -> bool:
    """Return whether plan or sync says so before anything is written; beside what stops them nothing is written."""
    if one.says not in played.said:
        return False
    return True if one.warned or one.blocks else bool(played.sync and not played.written)


@contextmanager
def house(folder: Path, address: str, clock: ManualClock) -> Iterator[None]:
    """Run commands in a folder of their own, on this sandbox, by this clock, with Dagster's runs in memory."""

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


def prepared(one: SetUp, folder: Path) -> None:
    """Write the files of a set-up."""
    if one.dotenv is not None:
        (folder / ".env").write_bytes(one.dotenv)
    if one.books is not None:
        books_file(folder, one.books)
    elif one.file is not None:
        (folder / "books.yaml").write_bytes(one.file)


def books_file(folder: Path, changes: tuple[Change, ...]) -> None:
    text = BOOKS.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    (folder / "books.yaml").write_text(text, encoding="utf-8")


def checks_of(doctor: Result) -> list[dict[str, str]]:
    """Return doctor's checks that did not pass, from its JSON."""
    try:
        found = json.loads(doctor.stdout)
    except ValueError:
        return []
    return [check for check in found["set_up"] if check["status"] != "pass"]


def size(sandbox: Sandbox) -> int:
    """How many records stand in Xero."""
    books = sandbox.books
    kept = (books.contacts, books.items, books.documents, books.payments, books.allocations)
    return sum(len(one) for one in kept)


def day(text: str) -> date:
    return date.fromisoformat(text)
