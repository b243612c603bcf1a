"""A recorded shop that changes on the way, before the whole house, with the commands a user has."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version
from shopify_xero_pipeline.sandbox.recorded import RecordedShop, recorded_xero_settings
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.records import Document
from shopify_xero_pipeline_tests.root.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.stage import Stage, staged

HERE = Path(__file__).parent
NOW = datetime(2026, 10, 6, 2, 0, tzinfo=UTC)


class ChangingShop:
    """Shows one recorded state of a shop after another; customers and all else stay."""

    def __init__(self, folder: Path, orders: str) -> None:
        self._folder = folder
        shutil.copytree(HERE / "shop", folder, dirs_exist_ok=True)
        self.becomes(orders)

    def becomes(self, orders: str) -> None:
        """Let the shop's orders be those of a file from now on."""
        shutil.copy(HERE / "orders" / f"{orders}.jsonl", self._folder / "orders.jsonl")
        self._shown = RecordedShop(self._folder)

    def shop(self) -> Node:
        return self._shown.shop()

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        return self._shown.versions(kind, until)


class Played:
    """One case: its shop, its house, and what a person sees of Xero."""

    def __init__(self, shop: ChangingShop, stage: Stage) -> None:
        self.shop, self.stage = shop, stage

    def command(self, *arguments: str) -> Result:
        """Run a command in a process of its own."""
        self.stage.bookkeeper.close()
        self.stage.restart()
        return invoke(*arguments)

    def sync(self, *days: str) -> Result:
        """Sync a day, or a range of days."""
        asked = ("--day", days[0]) if len(days) == 1 else ("--from", days[0], "--to", days[1], "--at-once")
        return self.command("sync", *asked)

    def status(self, *arguments: str) -> Any:
        """Return what `status --json` says."""
        return json.loads(self.command("status", *arguments, "--json", "-").stdout)

    def document(self, number: str) -> Document:
        """Return a document in Xero by its number."""
        return next(one for one in self.stage.sandbox.books.documents.values() if one.number == number)

    def payments(self) -> list[tuple[str, str]]:
        """Return the live payments in Xero: the number of their document, and the amount."""
        books = self.stage.sandbox.books
        live = [one for one in books.payments.values() if one.status != "DELETED"]
        return [(books.documents[one.document_id].number, str(one.amount)) for one in live]


@contextmanager
def played(folder: Path, monkeypatch: pytest.MonkeyPatch, orders: str) -> Iterator[Played]:
    """Play a case that begins with a state of the shop's orders."""
    data = folder / "shop"
    shop = ChangingShop(data, orders)
    books = XeroBooks.with_settings(**recorded_xero_settings(data))
    given = {"BOOKS_FILE": str(data / "books.yaml")}
    with staged(folder, NOW, shop, xero_books=books, **given) as stage, on_stage(stage, monkeypatch):
        yield Played(shop, stage)
