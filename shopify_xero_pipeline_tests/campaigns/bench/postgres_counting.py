"""Counters around a state store in Postgres: the statements, and the rows that it returns to the program.

The connections of a store are pooled and outlive a measurement, so that their cursors count for the present one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Cursor
from sqlalchemy import Engine, event

from shopify_xero_pipeline_tests.campaigns.bench.counting import Tally, calling_function


class CountingCursor(Cursor[Any]):
    """A cursor of psycopg that counts what it returns, while a tally is set."""

    tally: Tally | None = None
    _caller = ""

    def execute(self, *arguments: Any, **options: Any) -> "CountingCursor":
        """Execute a statement."""
        self._begin()
        super().execute(*arguments, **options)
        return self

    def executemany(self, *arguments: Any, **options: Any) -> None:
        """Execute a statement with many sets of parameters."""
        self._begin()
        super().executemany(*arguments, **options)

    def fetchone(self) -> Any:
        """Return the next row."""
        row = super().fetchone()
        self._add(row is not None)
        return row

    def fetchmany(self, size: int = 0) -> list[Any]:
        """Return the next rows."""
        rows = super().fetchmany(size)
        self._add(len(rows))
        return rows

    def fetchall(self) -> list[Any]:
        """Return all other rows."""
        rows = super().fetchall()
        self._add(len(rows))
        return rows

    def _begin(self) -> None:
        if CountingCursor.tally is not None:
            self._caller = calling_function()
            CountingCursor.tally.begin_statement(self._caller)

    def _add(self, count: int) -> None:
        if CountingCursor.tally is not None:
            CountingCursor.tally.add_rows(count, self._caller)


@contextmanager
def counted_on_postgres(tally: Tally) -> Iterator[None]:
    """Count the use of all Postgres stores that connected through `count_cursors`.

    Args:
        tally: the counts.
    """
    CountingCursor.tally = tally
    try:
        yield
    finally:
        CountingCursor.tally = None


def count_cursors() -> None:
    """Let all later Postgres connections of this process count; pooled connections outlive a measurement."""

    def connect(dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        if dialect.name == "postgresql":
            options["cursor_factory"] = CountingCursor

    event.listen(Engine, "do_connect", connect)
