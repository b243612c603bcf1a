"""Counters around the state store: what SQLite returns to the program, and for how long the store is locked.

The counters are in subclasses of the driver's connection and cursor, so that every read counts, whatever calls it.
Counted as read is each row that a cursor returns to the program. A row that SQLite visits and does not return is not a
row read; it shows in the steps of SQLite's virtual machine. This module only counts; `measuring.py` measures time.
"""

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from types import FrameType
from typing import Any, TypeVar

from sqlalchemy import Engine, event

STEPS = 1_000
"""Instructions of SQLite's virtual machine between two calls of its progress handler."""

PRODUCT, STATE = "shopify_xero_pipeline.", "shopify_xero_pipeline.state."
R = TypeVar("R")


@dataclass
class Tally:
    """Counts of all connections to a store.

    Attributes:
        rows_read: rows that SQLite returned.
        thousand_steps: instructions of SQLite's virtual machine, in thousands.
        statements: statements executed by cursors, not the PRAGMAs of a new connection; one with many sets of
            parameters counts once.
        transactions: transactions begun.
        longest: the seconds of the longest transaction, from its lock to the end of its commit.
        rows_written: rows inserted, changed or deleted.
        callers: rows read by caller.
        caller_steps: `thousand_steps` by caller.
    """

    rows_read: int = 0
    thousand_steps: int = 0
    statements: int = 0
    transactions: int = 0
    longest: float = 0.0
    rows_written: int = 0
    callers: Counter[str] = field(default_factory=Counter)
    caller_steps: Counter[str] = field(default_factory=Counter)
    _present_caller: str = ""

    def begin_statement(self, caller: str) -> None:
        """Count a statement.

        Args:
            caller: the function that executes it.
        """
        self.statements += 1
        self._present_caller = caller

    def add_rows(self, count: int, caller: str) -> None:
        """Count rows that SQLite returned.

        Args:
            count: the number of rows.
            caller: the function that executed the statement.
        """
        self.rows_read += count
        self.callers[caller] += count

    def add_step(self) -> int:
        """Count a call of the progress handler, and let the statement continue."""
        self.thousand_steps += STEPS // 1_000
        self.caller_steps[self._present_caller] += STEPS // 1_000
        return 0

    def add_transaction(self, seconds: float, rows_written: int) -> None:
        """Count an ended transaction.

        Args:
            seconds: its duration.
            rows_written: the rows that it changed.
        """
        self.transactions += 1
        self.longest = max(self.longest, seconds)
        self.rows_written += rows_written


class CountingCursor(sqlite3.Cursor):
    """A cursor that counts the rows it returns."""

    def __init__(self, connection: "CountingConnection") -> None:
        super().__init__(connection)
        self._tally, self._connection, self._caller = connection.tally, connection, ""

    def execute(self, statement: str, *parameters: Any) -> "CountingCursor":
        """Execute a statement."""
        self._caller = _caller(sys._getframe(1))
        self._tally.begin_statement(self._caller)
        super().execute(statement, *parameters)
        if statement.startswith("BEGIN"):
            self._connection.mark_begin()
        return self

    def executemany(self, statement: str, parameters: Any) -> "CountingCursor":
        """Execute a statement with many sets of parameters."""
        self._caller = _caller(sys._getframe(1))
        self._tally.begin_statement(self._caller)
        super().executemany(statement, parameters)
        return self

    def fetchone(self) -> Any:
        """Return the next row."""
        row = super().fetchone()
        self._tally.add_rows(row is not None, self._caller)
        return row

    def fetchmany(self, *size: Any) -> list[Any]:
        """Return the next rows."""
        return self._count(super().fetchmany(*size))

    def fetchall(self) -> list[Any]:
        """Return all other rows."""
        return self._count(super().fetchall())

    def __next__(self) -> Any:
        row = super().__next__()
        self._tally.add_rows(1, self._caller)
        return row

    def _count(self, rows: list[Any]) -> list[Any]:
        self._tally.add_rows(len(rows), self._caller)
        return rows


class CountingConnection(sqlite3.Connection):
    """A connection that counts its transactions.

    Args:
        tally: the counts of all connections.
        options: the driver's own arguments.
    """

    def __init__(self, tally: Tally, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.tally = tally
        self._begun_at, self._changes = 0.0, 0
        self.set_progress_handler(tally.add_step, STEPS)

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor that counts."""
        return super().cursor(lambda _: CountingCursor(self))

    def mark_begin(self) -> None:
        """Note that a transaction has the lock."""
        self._begun_at, self._changes = perf_counter(), self.total_changes

    def commit(self) -> None:
        """Commit the transaction."""
        is_open = self.in_transaction
        super().commit()
        self._count_transaction(is_open)

    def rollback(self) -> None:
        """Roll the transaction back."""
        is_open = self.in_transaction
        super().rollback()
        self._count_transaction(is_open)

    def _count_transaction(self, is_open: bool) -> None:
        if is_open:
            self.tally.add_transaction(perf_counter() - self._begun_at, self.total_changes - self._changes)


@contextmanager
def counted() -> Iterator[Tally]:
    """Count the use of all SQLite stores of this process that connect within the block."""
    tally = Tally()

    def connect(dialect: Any, _record: Any, _arguments: Sequence[Any], options: dict[str, Any]) -> None:
        if dialect.name == "sqlite":
            options["factory"] = partial(CountingConnection, tally)

    event.listen(Engine, "do_connect", connect)
    try:
        yield tally
    finally:
        event.remove(Engine, "do_connect", connect)


def calling_function() -> str:
    """Return the function of the state store that executes a statement now, and the function that called it."""
    return _caller(sys._getframe(1))


def _caller(frame: FrameType | None) -> str:
    """Return the function of the state store that a statement belongs to, and the function that called it."""
    store = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        name = f"{module.removeprefix(PRODUCT)}.{frame.f_code.co_qualname.partition('.<locals>')[0]}"
        if module.startswith(STATE):
            store = name
        elif module.startswith(PRODUCT):
            return f"{name} → {store}"
        frame = frame.f_back
    return store
