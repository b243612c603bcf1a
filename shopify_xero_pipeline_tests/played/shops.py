"""A recorded shop of `data/` on a stage: its own Xero, its own `books.yaml`, and the commands connected to both.

Only the setting-up and the reading of Xero belong here; what is expected of a shop stands in its test.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopify_xero_pipeline.sandbox.recorded import RecordedShop, recorded_xero_settings
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.records import Document
from shopify_xero_pipeline_tests.root.test_cli import on_stage
from shopify_xero_pipeline_tests.stage import Stage, staged

DATA = Path(__file__).with_name("data")
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)


@contextmanager
def played(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *changed: tuple[str, str]) -> Iterator[Stage]:
    """Open a recorded shop.

    Args:
        name: its folder in `data/`.
        folder: for everything that is written.
        monkeypatch: connects the commands to the shop.
        changed: texts of its `books.yaml` and what they become.
    """
    text = (DATA / name / "books.yaml").read_text()
    for before, after in changed:
        assert before in text
        text = text.replace(before, after, 1)
    file = folder / "books.yaml"
    file.write_text(text)
    books = XeroBooks.with_settings(**recorded_xero_settings(DATA / name))
    source = RecordedShop(DATA / name)
    with staged(folder, NOW, source, xero_books=books, BOOKS_FILE=str(file)) as stage, on_stage(stage, monkeypatch):
        yield stage


def lines(document: Document) -> list[tuple[str, str, str, str]]:
    """Return a document's lines: what they are described as, amount, tax and account."""
    return [
        (line.description, f"{line.line_amount:.2f}", f"{line.tax_amount:.2f}", line.account_code or "")
        for line in document.lines
    ]


def documents(stage: Stage) -> dict[str, Document]:
    """Return what stands in Xero by number."""
    return {document.number: document for document in stage.sandbox.books.documents.values()}
