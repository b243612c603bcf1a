"""A recorded shop on a stage, with the commands a user has: how one is opened, changes, and what then stands in Xero.

Only the playing belongs here; what is expected of a shop stands in its test.
"""

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
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.support.stage import Stage, staged

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
PAID = ("post_when: placed", "post_when: paid")
"""A change of `books.yaml`: orders of the shop in New Zealand are posted when they are paid."""


class ChangingShop:
    """Shows one recorded state of a shop's orders after another; customers and all else stay."""

    def __init__(self, folder: Path, shop: str, orders: str) -> None:
        self._folder = folder
        shutil.copytree(HERE / "shops" / shop, folder)
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
    """One case: its shop, its stage, its `books.yaml`, and what a person sees of Xero. Amounts are texts."""

    def __init__(self, shop: ChangingShop, stage: Stage, books_file: Path) -> None:
        self.shop, self.stage, self.books_file = shop, stage, books_file

    def command(self, *arguments: str) -> Result:
        """Run a command in a process of its own."""
        self.stage.sync_service.connections.close()
        self.stage.restart()
        return invoke(*arguments)

    def sync(self, *days: str, more: Sequence[str] = ()) -> Result:
        """Sync a day, or a range of days."""
        asked = ("--day", days[0]) if len(days) == 1 else ("--from", days[0], "--to", days[1])
        return self.command("sync", *asked, *more)

    def figures(self, *arguments: str) -> Any:
        """Return what a command says as JSON."""
        return json.loads(self.command(*arguments, "--json", "-").stdout)

    def status(self, *arguments: str) -> Any:
        """Return what `status --json` says."""
        return self.figures("status", *arguments)

    def documents(self) -> dict[str, Document]:
        """Return what stands in Xero, by number."""
        return {document.number: document for document in self.stage.sandbox.books.documents.values()}

    def document(self, number: str) -> Document:
        """Return a document in Xero."""
        return self.documents()[number]

    def payments(self) -> list[tuple[str, str]]:
        """Return the live payments in Xero: the number of their document, and the amount."""
        books = self.stage.sandbox.books
        live = [one for one in books.payments.values() if one.status != "DELETED"]
        return [(books.documents[one.document_id].number, str(one.amount)) for one in live]


def lines(document: Document) -> list[tuple[str, str, str, str]]:
    """Return a document's lines: what they are described as, amount, tax and account."""
    return [
        (line.description, f"{line.line_amount:.2f}", f"{line.tax_amount:.2f}", line.account_code or "")
        for line in document.lines
    ]


@contextmanager
def played(
    folder: Path, monkeypatch: pytest.MonkeyPatch, orders: str, *changed: tuple[str, str], shop: str = "new_zealand"
) -> Iterator[Played]:
    """Open a recorded shop.

    Args:
        folder: for everything that is written.
        monkeypatch: connects the commands to the shop.
        orders: the file in `orders/` that the shop begins with.
        changed: texts of its `books.yaml` and what they become.
        shop: its folder in `shops/`: people, products, `books.yaml`, and the organisation in Xero.
    """
    data = folder / "shop"
    source = ChangingShop(data, shop, orders)
    file = data / "books.yaml"
    text = file.read_text(encoding="utf-8")
    for before, after in changed:
        assert before in text
        text = text.replace(before, after, 1)
    file.write_text(text, encoding="utf-8")
    books = XeroBooks.with_settings(**recorded_xero_settings(data))
    with staged(folder, NOW, source, xero_books=books, BOOKS_FILE=str(file)) as stage, on_stage(stage, monkeypatch):
        yield Played(source, stage, file)
