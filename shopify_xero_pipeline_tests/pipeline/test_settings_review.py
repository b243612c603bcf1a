"""Settings are examined whenever they changed, whether anything is to be written or not, and cost nothing otherwise."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.changes.plan import has_writes as any_writes
from shopify_xero_pipeline.pipeline.connections import PipelineError
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import Stage, at, just_as_far, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file, carry, plans

NOW = at(FIRST + timedelta(days=1))
DAYS = [FIRST]


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("carried"), NOW) as stage:
        carry(stage.sync_service, DAYS)
        yield stage


@pytest.fixture
def stage(carried: Stage, tmp_path: Path) -> Iterator[Stage]:
    """A day is synced; an hour later there is nothing to write."""
    with just_as_far(carried, tmp_path / "stage") as stage:
        stage.clock.sleep(3600)
        yield stage


def restarted(stage: Stage, *changed: tuple[str, str]) -> Stage:
    """Begin another run, with `books.yaml` changed."""
    stage.sync_service.connections.close()
    if changed:
        stage.environ["BOOKS_FILE"] = books_file(stage.folder, *changed)
    stage.restart()
    return stage


def writes(stage: Stage) -> int:
    """How many of the day's plans would write."""
    return sum(any_writes(sets) for sets in plans(stage.sync_service, DAYS))


def calls(stage: Stage) -> int:
    return stage.sync_service.connections.calls[1]


def test_an_hour_in_which_nothing_changed_costs_no_call_to_xero(stage: Stage) -> None:
    assert (writes(restarted(stage)), calls(stage)) == (0, 0)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('sales: "200"', 'sales: "999"', "accounts.sales names account 999, which Xero does not have"),
        (
            'gift_cards: "830"',
            'gift_cards: "200"',
            "accounts.gift_cards names account 200 Sales, whose class in Xero is",
        ),
        (
            "tax_type: OUTPUT2",
            "tax_type: OUTPUT9",
            "names the tax type OUTPUT9, which does not exist or is not active in Xero",
        ),
    ],
)
def test_settings_that_changed_are_examined_although_nothing_is_to_be_written(
    stage: Stage, before: str, after: str, said: str
) -> None:
    restarted(stage, (before, after))
    for _ in range(2):
        with pytest.raises(PipelineError, match=said):
            plans(stage.sync_service, DAYS)


def test_settings_that_changed_and_fit_are_examined_once(stage: Stage) -> None:
    restarted(stage, ('fees: "206"', 'fees: "208"'))
    assert writes(stage) == 0
    assert calls(stage) == 4 + 2
    assert (writes(restarted(stage)), calls(stage)) == (0, 0)


def test_an_account_that_was_archived_is_found_when_xeros_settings_are_read_again(stage: Stage) -> None:
    stage.person.archive_account("200")
    assert writes(restarted(stage)) == 0
    stage.clock.sleep(24 * 3600)  # Xero is looked at once a day
    with pytest.raises(PipelineError, match=r"accounts\.sales names account 200 Sales, which is archived in Xero"):
        plans(restarted(stage).sync_service, DAYS)


def test_what_was_mended_in_xero_counts_at_once(stage: Stage) -> None:
    stage.person.archive_account("605")
    restarted(stage, ('cash: "603"', 'cash: "605"'))
    with pytest.raises(PipelineError, match="account 605 Other Gateways Clearing, which is archived"):
        plans(stage.sync_service, DAYS)
    stage.person.restore_account("605")
    stage.clock.sleep(30)
    assert writes(restarted(stage)) == 0


def test_while_xero_does_not_answer_unchanged_settings_are_not_in_the_way(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.UNREACHABLE, path="/api.xro/", times=None))
    assert writes(restarted(stage)) == 0


def test_what_is_unusual_is_said_once_a_run_and_stops_nothing(stage: Stage) -> None:
    told: list[str] = []
    restarted(stage, ('tips: "209"', 'tips: "206"'))
    stage.sync_service.settings_review.on_warning = told.append
    assert writes(stage) == 0
    (warning,) = told
    assert warning.startswith("accounts.tips names account 206 Fees Income, whose class in Xero is REVENUE")
    assert stage.sync_service.settings_review.warnings == told
    restarted(stage).sync_service.settings_review.on_warning = told.append
    assert (writes(stage), calls(stage), len(told)) == (0, 0, 2)


def test_numbers_of_other_people_that_begin_as_ours_do_are_said_before_anything_is_written(tmp_path: Path) -> None:
    with staged(tmp_path, NOW) as stage:
        line = {"Description": "By hand", "UnitAmount": 115, "AccountCode": "200", "TaxType": "NONE"}
        by_hand = {"Type": "ACCREC", "InvoiceNumber": "SH-7", "Contact": {"Name": "A"}, "DueDate": "2026-09-22"}
        stage.person.enter_invoice({**by_hand, "LineItems": [line], "Status": "AUTHORISED"})
        told: list[str] = []
        stage.sync_service.settings_review.on_warning = told.append
        stage.sync_service.planner.plan_contacts({}, {})
        assert told == [
            "documents in Xero that are not of these books start with prefix 'SH-', such as SH-7: choose another"
            " prefix in books.yaml; otherwise the order's id is appended to each number that is taken."
        ]


def test_that_most_orders_of_a_day_are_blocked_is_said_before_contacts_and_items_are_planned(tmp_path: Path) -> None:
    yaml = books_file(tmp_path, ('shopify_payments: "601"', '"Shopify Payments": "601"'))
    with staged(tmp_path, NOW, BOOKS_FILE=yaml) as stage:
        told: list[str] = []
        stage.sync_service.settings_review.on_warning = told.append
        orders = stage.sync_service.extractor.read_orders(DAYS)
        stage.sync_service.planner.plan_contacts({}, orders)
        assert stage.size() == 0
        assert told[0].endswith("orders of 2026-09-21 are blocked and stay out of the books")
        assert told[1].endswith("orders of 2026-09-21: no account for money through shopify_payments")
        kept = stage.sync_service.planner.build_order_books(orders)[FIRST]
        blocked = [one for one in kept if one.outcome == "blocked"]
        assert told[0].startswith(f"{len(blocked)} of ")


def test_the_digest_of_the_same_settings_is_the_same_in_every_process(stage: Stage) -> None:
    script = (
        "import sys; from shopify_xero_pipeline.pipeline import settings_review as e; "
        "from shopify_xero_pipeline.books.policy import BooksPolicy; "
        "from shopify_xero_pipeline.xero.models import Organisation; "
        "print(e.settings_digest(BooksPolicy(), Organisation.model_validate_json(sys.stdin.read())))"
    )
    organisation = stage.sync_service.connections.cached_organisation()
    assert organisation is not None
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            input=organisation.model_dump_json(),
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_a_day_synced_with_settings_that_do_not_fit_writes_no_contact_and_no_item(tmp_path: Path) -> None:
    yaml = books_file(tmp_path, ('gift_cards: "830"', 'gift_cards: "200"'))
    with staged(tmp_path, NOW, BOOKS_FILE=yaml) as stage:
        orders = stage.sync_service.extractor.read_orders(DAYS)
        for plan in (
            lambda: stage.sync_service.planner.plan_contacts({}, orders),
            lambda: stage.sync_service.planner.plan_items({}, orders),
            lambda: stage.sync_service.planner.plan_orders(orders, (Kind.INVOICE,)),
        ):
            with pytest.raises(PipelineError):
                plan()
        assert stage.size() == 0
