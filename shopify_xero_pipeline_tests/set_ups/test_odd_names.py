"""A shop whose gateways and taxes are called `Bank: Überweisung "IBAN" #2`, `GST, reduced` and the like."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from shopify_xero_pipeline import terminal
from shopify_xero_pipeline.books.remedies import Remedy
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.app import Sandbox, build_sandbox, serving
from shopify_xero_pipeline.sandbox.recorded import RecordedShop, recorded_xero_settings
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline_tests.books.pasting import pasted
from shopify_xero_pipeline_tests.set_ups.play import house, invoke

SHOP = Path(__file__).with_name("odd_names")
SYNC = ("sync", "--day", "2026-10-01")
ADD = "add to books.yaml under "


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The shop and its organisation, and commands in a folder with its `books.yaml`, on a narrow terminal."""
    clock = ManualClock(datetime(2026, 11, 30, tzinfo=UTC))
    books = XeroBooks.with_settings(**recorded_xero_settings(SHOP / "data"))
    sandbox = build_sandbox(clock=clock, source=RecordedShop(SHOP / "data"), xero_books=books)
    (tmp_path / "books.yaml").write_bytes((SHOP / "books.yaml").read_bytes())
    narrow = Console(highlight=False, width=80)
    with serving(sandbox) as address, house(tmp_path, address, clock), patch.object(terminal, "console", narrow):
        yield sandbox


def shown(output: str) -> list[Remedy]:
    """Return the lines to paste as they stand on the screen, by the place that is named above them."""
    found, place = [], ""
    for line in output.splitlines():
        if line.startswith(ADD) and line.endswith(":"):
            place = line.removeprefix(ADD).removesuffix(":")
        elif place and line.startswith("  "):
            found.append(Remedy("add to", place, line.strip()))
        else:
            place = ""
    return found


@pytest.mark.campaign
def test_the_lines_that_sync_shows_are_pasted_as_they_stand_and_every_order_is_posted(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    first = invoke({}, *SYNC)
    assert sandbox.books.documents == {}
    lines = shown(first.stdout)
    assert len(lines) == 4
    file = tmp_path / "books.yaml"
    for line in lines:
        file.write_text(pasted(file.read_text(encoding="utf-8"), line), encoding="utf-8")

    again = invoke({}, *SYNC, "--json", str(tmp_path / "sync.json"))
    assert again.exit_code == 0, again.output
    figures = json.loads((tmp_path / "sync.json").read_text())
    assert {name: figures[name] for name in ("orders", "posted", "blocked", "failed")} == {
        "orders": 4,
        "posted": 4,
        "blocked": 0,
        "failed": 0,
    }
    numbers = {document.number: document.id for document in sandbox.books.documents.values()}
    assert sorted(numbers) == ["SH-2040", "SH-2041", "SH-2042", "SH-2043"]
    paid = {payment.document_id: payment.account_id[-3:] for payment in sandbox.books.payments.values()}
    assert {number: paid[found] for number, found in numbers.items()} == {
        "SH-2040": "601",
        "SH-2041": "606",
        "SH-2042": "604",
        "SH-2043": "601",
    }


@pytest.mark.campaign
def test_doctor_shows_the_same_lines_and_calls_it_a_failure_that_most_orders_are_blocked(sandbox: Sandbox) -> None:
    doctor = invoke({}, "doctor")
    assert doctor.exit_code == 2
    assert [line.place for line in shown(doctor.stdout)] == ["payments", "payments", "tax.rates", "tax.rates"]
    assert sandbox.books.contacts == {}
