"""A person decides about a conflict: what they did in Xero stays, every check is green, the reason stays in sight."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.reported.playing import Played, played

pytestmark = pytest.mark.campaign

DAY, A_DAY = "2026-10-01", 86_460
BECAUSE = "settled with the customer by hand"


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    with played(tmp_path, monkeypatch, request.param) as found:
        (found.stage.folder / "dagster").mkdir(exist_ok=True)
        yield found


def decide(case: Played, key: str) -> dict[str, Any]:
    result = case.command("dismiss", "--key", key, "--because", BECAUSE, "--json", "-")
    assert result.exit_code == exit_codes.SUCCESS, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def codes(case: Played) -> dict[str, int]:
    """Return how each command that judges the books ends."""
    asked = {
        "sync": ("sync", "--day", DAY),
        "status": ("status",),
        "month": ("status", "--month", "2026-10"),
        "doctor": ("doctor",),
        "alerts": ("alerts",),
    }
    return {name: case.command(*words).exit_code for name, words in asked.items()}


GREEN = {"sync": 0, "status": 0, "month": 75, "doctor": 0, "alerts": 0}
"""The other days of the month are not compared."""


@pytest.mark.parametrize("case", ["half_deposit_awaited"], indirect=True)
def test_money_of_another_amount_may_stay_as_the_person_entered_it(case: Played) -> None:
    case.sync(DAY)
    case.stage.person.pay(case.document("SH-2061"), Decimal("100.00"), "606", date(2026, 10, 4), "bank feed")
    case.shop.becomes("half_deposit_recorded")
    assert codes(case) == {"sync": 1, "status": 1, "month": 1, "doctor": 1, "alerts": 1}

    decided = decide(case, "SH-2061")

    assert len(decided["left"]) == 2  # theirs, and ours that is not placed beside it
    assert codes(case) == GREEN
    assert case.payments() == [("SH-2061", "100.00")]
    again = json.loads(case.command("sync", "--day", DAY, "--json", "-").stdout)
    assert (again["verdict"], again["xero_calls"]) == ("agree", 0), "what is decided is not looked for at each sync"
    unknown = case.command("retry", "--key", "SH-9999")
    assert (unknown.exit_code, "No failed record and no decision has that name" in unknown.output) == (1, True)
    (listed,) = case.status()["listed_orders"]
    assert (listed["outcome"], BECAUSE in listed["reason"]) == ("skipped", True)
    again = case.command("retry", "--key", "#2061", "--json", "-")
    assert (again.exit_code, len(json.loads(again.stdout)["conflicts"])) == (1, 2)
    assert case.command("status").exit_code == 1


@pytest.mark.parametrize("case", ["unpaid"], indirect=True)
def test_an_order_whose_invoice_a_person_voided_may_be_left_and_what_comes_later_is_asked_about(case: Played) -> None:
    case.sync(DAY)
    case.stage.person.void_document(case.document("SH-2130"))
    case.stage.clock.sleep(A_DAY)
    assert case.sync(DAY).exit_code == 1
    decide(case, "#2130")
    assert codes(case) == GREEN
    assert "1 order of 230.00 NZD is left different in Xero, as a person decided" in case.status()["message"]
    (traced,) = case.status("#2130")
    assert [one["state"] for one in traced["records"]] == ["voided"]
    assert case.command("doctor").stdout.rstrip().endswith("all 14 invariants hold")

    case.shop.becomes("refunded")
    assert codes(case) == {"sync": 1, "status": 1, "month": 1, "doctor": 1, "alerts": 1}
    decide(case, "#2130")
    assert codes(case) == GREEN
    assert [one.number for one in case.stage.sandbox.books.documents.values()] == ["SH-2130"]


@pytest.mark.parametrize("case", ["unpaid"], indirect=True)
def test_a_document_that_a_person_changed_may_stay_so_until_it_changes_again_and_what_follows_is_placed_on_it(
    case: Played,
) -> None:
    case.sync(DAY)
    document = case.document("SH-2130")
    case.stage.person.edit_document(document, reference="#2130 shopify:72130/1 by agreement")
    case.stage.clock.sleep(A_DAY)
    assert case.sync(DAY).exit_code == 1
    decide(case, "SH-2130")
    assert codes(case) == GREEN

    case.stage.person.edit_document(document, reference="#2130 shopify:72130/1 by another one")
    case.stage.clock.sleep(A_DAY)
    assert case.sync(DAY).exit_code == 1
    decide(case, "SH-2130")
    case.shop.becomes("refunded")
    assert codes(case) == GREEN
    assert len(case.stage.sandbox.books.documents) == 2, "its Credit Note is placed"


@pytest.mark.parametrize("case", ["unpaid"], indirect=True)
def test_a_decision_outlives_a_rebuild_of_the_store(case: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    case.sync(DAY)
    case.stage.person.void_document(case.document("SH-2130"))
    case.stage.clock.sleep(A_DAY)
    case.sync(DAY)
    decide(case, "#2130")
    with sqlite3.connect(case.stage.folder / "state.db") as store:
        store.execute("UPDATE entity_mapping SET xero_id = 'x'")
    for name, value in case.stage.environ.items():
        monkeypatch.setenv(name, value)
    case.command("rebuild")
    result = case.sync(DAY)
    assert result.exit_code == 0, result.output
