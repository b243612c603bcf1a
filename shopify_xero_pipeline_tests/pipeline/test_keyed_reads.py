"""No statement of a day reads through a table that grows with the books."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from shopify_xero_pipeline.pipeline.books_status import books_status
from shopify_xero_pipeline.pipeline.change_detection import ChangeDetector
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

GROWING = (
    "entity_mapping", "mapping_key", "xero_mirror", "mirror_key", "operation", "batch", "evidence", "key_value",
    "sync_history",
)  # fmt: skip
"""Tables whose rows stay; of failed records, hints and orphans a day may read all that are open."""

WHOLE_KIND = re.compile(r" \(kind=\?\)")
COMPLETE = ("count(*)", "max(operation.id)", " LIMIT ? OFFSET ?")
"""Marks of the complete verification of a new store, and of questions that one end of an index answers."""

Statement = tuple[str, tuple[Any, ...]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Yield a stage on which a day is in the books."""
    with staged(tmp_path, at(date(2026, 10, 5))) as stage:
        carry(stage.sync_service, [FIRST])
        yield stage


@contextmanager
def executed() -> Iterator[list[Statement]]:
    """Yield the SQL statements that run in the block."""
    statements: list[Statement] = []

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
        statements.append((text, tuple(parameters[0] if many else parameters)))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def scans(stage: Stage, statements: list[Statement]) -> list[str]:
    """Return the statements that read through a growing table, or through a kind of its rows."""
    path = Path(str(stage.sync_service.connections.store._engine.url.database))
    with closing(sqlite3.connect(path)) as connection:
        steps = [
            (step, text)
            for text, parameters in dict.fromkeys(statements)
            if not text.startswith(("BEGIN", "PRAGMA")) and not any(mark in text for mark in COMPLETE)
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)
        ]
    return [f"{step}: {text[-200:]}" for step, text in steps if is_scan(step)]


def is_scan(step: str) -> bool:
    table = re.match(r"(?:SCAN|SEARCH) (\w+)", step)
    if table is None or table[1] not in GROWING:
        return "AUTOMATIC" in step
    return step.startswith("SCAN") or WHOLE_KIND.search(step) is not None


def of_the_catalog(scan: str) -> bool:
    """Tell whether a statement compares the list of all Items, which each sweep reads completely."""
    return "xero_mirror.updated_at <= ?" in scan


def test_a_day_and_the_same_day_again_read_by_key(stage: Stage) -> None:
    days = [FIRST + timedelta(days=1), FIRST + timedelta(days=2)]
    for _ in range(2):
        stage.clock.sleep(3_600)
        stage.restart()
        with executed() as statements:
            carry(stage.sync_service, days)
        assert len(statements) > 100
        assert [scan for scan in scans(stage, statements) if not of_the_catalog(scan)] == []


def test_a_tick_of_the_sensor_reads_by_key(stage: Stage) -> None:
    detector, cursor = ChangeDetector(stage.sync_service.connections), None
    with executed() as statements:
        for _ in range(3):
            cursor = detector.detect(cursor).cursor
            stage.clock.sleep(30)
    assert statements
    assert scans(stage, statements) == []


def test_the_status_reads_by_key(stage: Stage) -> None:
    with executed() as statements:
        books_status(stage.sync_service)
    assert statements
    assert scans(stage, statements) == []


def test_a_month_reads_by_key(stage: Stage) -> None:
    reconciliations = stage.sync_service.reconciliations
    with executed() as statements:
        assert reconciliations.month_statement(FIRST.replace(day=1)).gift_cards
    assert scans(stage, statements) == []


def test_a_scan_is_noticed(stage: Stage) -> None:
    store = stage.sync_service.connections.store
    with executed() as statements:
        store.mirror("invoice")
    assert len(scans(stage, statements)) == 1
