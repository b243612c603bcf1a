"""A shop whose gateways and taxes are called `Bank: Überweisung "IBAN" #2`, `GST, reduced` and the like."""

import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from shopify_xero_pipeline.books.remedies import Remedy
from shopify_xero_pipeline.cli import exit_codes, output
from shopify_xero_pipeline_tests.books.pasting import pasted
from shopify_xero_pipeline_tests.reported.playing import PAID, Played, lines, played

pytestmark = pytest.mark.campaign

DAY = "2026-10-01"
ADD = re.compile(r"add to books\.yaml under ([\w.]+):$")


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """The shop, on a narrow terminal."""
    narrow = Console(highlight=False, width=80)
    with played(tmp_path, monkeypatch, "odd_names", PAID) as case, patch.object(output, "console", narrow):
        yield case


def shown(output: str) -> list[Remedy]:
    """Return the lines to paste as they stand on the screen, by the place that is named above them."""
    found, place = [], ""
    for line in output.splitlines():
        if named := ADD.search(line):
            place = named[1]
        elif place and line.startswith("  "):
            found.append(Remedy("add to", place, line.strip()))
        else:
            place = ""
    return found


def test_the_lines_that_sync_shows_are_pasted_as_they_stand_and_every_order_is_posted(case: Played) -> None:
    first = case.sync(DAY)
    assert first.exit_code == exit_codes.BLOCKED
    assert "the books agree; 4 orders of 460.00 NZD are not in them" in first.stdout
    assert case.documents() == {}
    found = shown(first.stdout)
    assert len(found) == 4
    for line in found:
        text = case.books_file.read_text(encoding="utf-8")
        case.books_file.write_text(pasted(text, line), encoding="utf-8")

    again = case.sync(DAY)
    assert again.exit_code == 0, again.output
    assert "orders 4  posted 4" in " ".join(again.stdout.splitlines())
    assert {number: lines(one) for number, one in case.documents().items()} == {
        f"SH-204{number}": [("Mug", "115.00", "15.00", "200")] for number in range(4)
    }
    books = case.stage.sandbox.books
    assert {books.documents[one.document_id].number: one.account_id[-3:] for one in books.payments.values()} == {
        "SH-2040": "601",
        "SH-2041": "606",
        "SH-2042": "604",
        "SH-2043": "601",
    }


def test_doctor_shows_the_same_lines_and_calls_it_a_failure_that_most_orders_are_blocked(case: Played) -> None:
    (case.stage.folder / "dagster").mkdir()
    doctor = case.command("doctor")
    assert doctor.exit_code == exit_codes.FIX_SETTING
    assert [line.place for line in shown(doctor.stdout)] == ["payments", "payments", "tax.rates", "tax.rates"]
    assert case.stage.size() == 0
