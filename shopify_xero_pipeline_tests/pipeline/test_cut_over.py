"""The cut-over: orders from before the start date that change later belong to that day (docs/books.md §10)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file, carry, plans

pytestmark = pytest.mark.campaign

START = FIRST + timedelta(days=7)
LATER = ("start_date: 2026-09-21 ", f"start_date: {START} ")


def opened(stage: Stage) -> DayReconciliation:
    """Carry the start date; of its orders return those from before it."""
    (day,) = carry(stage.sync_service, [START])
    older = {
        order.legacy_id
        for order in stage.sync_service.extractor.read_orders([START])[START]
        if order.processed_at < at(START, 0)
    }
    return day.model_copy(update={"rows": tuple(row for row in day.rows if row.order_id in older)})


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, DayReconciliation]]:
    """The start date in Xero with `opening: post`, and its orders from before."""
    folder = tmp_path_factory.mktemp("post")
    file = books_file(folder, LATER, ("opening: block", "opening: post"))
    with staged(folder, at(START + timedelta(days=14)), BOOKS_FILE=file) as stage:
        yield stage, opened(stage)


def test_orders_from_before_the_start_date_are_listed_with_what_to_do(tmp_path: Path) -> None:
    with staged(tmp_path, at(START + timedelta(days=14)), BOOKS_FILE=books_file(tmp_path, LATER)) as stage:
        older = opened(stage)
        assert len(older.rows) > 5
        assert {row.outcome for row in older.rows} <= {"blocked", "skipped"}
        blocked = [row for row in older.rows if row.outcome == "blocked"]
        assert blocked
        assert {row.reason for row in blocked} == {
            "opening: placed before the start date 2026-09-28 and changed or paid since; enter it in Xero by"
            " hand, or, to post only the later part, set in books.yaml: opening: post"
        }


def test_with_opening_post_what_came_later_is_posted_and_agrees_to_the_cent(
    posted: tuple[Stage, DayReconciliation],
) -> None:
    stage, older = posted
    assert older.count("posted") > 3
    assert (older.unequal, older.differences) == ([], {})
    documents = [one for one in stage.sandbox.books.documents.values()]
    assert min(document.date for document in documents) == START
    for row in older.rows:
        if row.outcome == "blocked":
            assert "enter the money in Xero on its earlier invoice" in row.reason


def test_the_next_run_of_the_start_date_writes_nothing(posted: tuple[Stage, DayReconciliation]) -> None:
    stage, _ = posted
    again = [line.action for kind in plans(stage.sync_service, [START]) for one in kind for line in one.changes]
    assert Action.CREATE not in again
    assert Action.UPDATE not in again
