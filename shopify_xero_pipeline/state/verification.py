"""Verification of a state store before the first load of a process.

SQLite has no checksums of its own, so the verification computes the checksum of every row again. Beside SQLite's own
check it also checks two facts of this project: no row is ever deleted from the journal, and the mapping contains every
confirmed write. It reads raw rows from the driver in short transactions: the rows of 100,000 records take seconds.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Engine, Table, func, select, text

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.row_checksums import ADDED, CHECKSUM_COLUMN, StoreDamagedError
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES, Date, UtcDateTime, batch, evidence, operation

ROWS = 2_000
"""Rows of a table that one transaction reads."""

NEVER_DELETED = (operation, batch, evidence)

CONFIRMED = """
    SELECT o.kind, o.shopify_id, o.xero_id FROM operation o
    JOIN (SELECT max(id) AS id FROM operation WHERE state = 'confirmed' GROUP BY kind, shopify_id) last
    ON last.id = o.id WHERE o.outcome <> 'deleted'
"""
SAME = "m.kind = o.kind AND m.shopify_id = o.shopify_id AND m.xero_id = o.xero_id"
CONTRADICTIONS = {
    "a written record is missing from the mapping": (
        f"({CONFIRMED}) o LEFT JOIN entity_mapping m ON {SAME} WHERE m.kind IS NULL"
    ),
    "the mapping contains a record that was never written": (
        f"entity_mapping m LEFT JOIN ({CONFIRMED}) o ON {SAME} WHERE o.kind IS NULL"
    ),
    "a record waits for a request that has ended or does not exist": (
        "operation o LEFT JOIN batch b ON b.id = o.batch_id "
        "WHERE o.state = 'in_batch' AND (b.id IS NULL OR b.state IN ('confirmed', 'resolved'))"
    ),
    "evidence exists for a record that is not in the journal": (
        "evidence e LEFT JOIN operation o ON o.id = e.operation_id WHERE o.id IS NULL"
    ),
}


def quick_check(engine: Engine) -> None:
    """Run SQLite's quick check, which skips the indexes. Postgres needs no check.

    Raises:
        StoreDamagedError: SQLite reports damage.
    """
    _run_sqlite_check(engine, "quick_check")


def verify(engine: Engine) -> None:
    """Verify the file, every row and the consistency of the tables.

    Raises:
        StoreDamagedError: a check failed.
    """
    _run_sqlite_check(engine, "integrity_check")
    _verify_rows(engine)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for table in NEVER_DELETED:
                _count_rows(connection, table)
        for contradiction, query in CONTRADICTIONS.items():
            if connection.scalar(text(f"SELECT count(*) FROM {query}")):  # noqa: S608
                raise StoreDamagedError(contradiction)


def _run_sqlite_check(engine: Engine, check: str) -> None:
    if engine.dialect.name != "sqlite":
        return
    with engine.begin() as connection:
        result = connection.exec_driver_sql(f"PRAGMA {check}(1)").scalar()
    if result != "ok":
        raise StoreDamagedError("SQLite reports that its file is malformed")


def _count_rows(connection: Connection, table: Table) -> None:
    count, last = connection.execute(select(func.count(), func.coalesce(func.max(table.c.id), 0))).one()
    if count != last:
        raise StoreDamagedError(f"rows are missing from {table.name}")


def _verify_rows(engine: Engine) -> None:
    """Verify the rows of all checksummed tables, one page of each table in a short transaction."""
    last_keys: dict[Table, Sequence[Any]] = dict.fromkeys(CHECKSUMMED_TABLES, ())
    while last_keys:
        with engine.begin() as connection:
            pages = {table: _read_page(connection, table, last) for table, last in last_keys.items()}
        for table, rows in pages.items():
            _verify_page(table, rows)
        last_keys = {table: _key(table, rows[-1]) for table, rows in pages.items() if len(rows) == ROWS}


def _read_page(connection: Connection, table: Table, last_key: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Return the raw rows after a key, with their columns in the order of names and the checksum last."""
    names = ", ".join(f'"{name}"' for name in (*_hashed_columns(table), CHECKSUM_COLUMN))
    keys = ", ".join(column.name for column in table.primary_key)
    placeholder = "?" if connection.dialect.name == "sqlite" else "%s"
    after = f"WHERE ({keys}) > ({', '.join(placeholder for _ in last_key)})" if last_key else ""
    query = f"SELECT {names} FROM {table.name} {after} ORDER BY {keys} LIMIT {ROWS}"  # noqa: S608
    return connection.exec_driver_sql(query, tuple(last_key)).all()


def _key(table: Table, row: Sequence[Any]) -> Sequence[Any]:
    names = [*_hashed_columns(table)]
    return [row[names.index(column.name)] for column in table.primary_key]


def _verify_page(table: Table, rows: Sequence[Sequence[Any]]) -> None:
    compute_hash = _build_hasher(table)
    for row in rows:
        try:
            matches = compute_hash(row[:-1]) == row[-1]
        except (LookupError, TypeError, ValueError):
            matches = False
        if not matches:
            raise StoreDamagedError(f"a row of {table.name} does not match its checksum")


def _build_hasher(table: Table) -> Callable[[Sequence[Any]], str]:
    """Return a function that computes `row_checksums.row_hash` from the driver's raw values."""
    columns = [(name, _formatter(column), name in ADDED) for name, column in _hashed_columns(table).items()]

    def compute_hash(row: Sequence[Any]) -> str:
        pairs = zip(columns, row, strict=True)
        fields = [f"{name}\x1e{text(value)}" for (name, text, added), value in pairs if value is not None or not added]
        return digest("\x1f".join(fields))

    return compute_hash


def _hashed_columns(table: Table) -> dict[str, Column[Any]]:
    """Return the columns of a table without the checksum, by name and in the order of names."""
    return {name: table.c[name] for name in sorted(table.c.keys()) if name != CHECKSUM_COLUMN}


def _formatter(column: Column[Any]) -> Callable[[Any], str]:
    if isinstance(column.type, UtcDateTime):
        return _format_instant
    if isinstance(column.type, Date):
        return lambda value: _format_plain(value) if value is None else f"at {date.fromisoformat(value).isoformat()}"
    if isinstance(column.type, Boolean):
        return lambda value: f"bool {_BOOLEANS[value]!r}"
    return _format_plain


@lru_cache(ROWS)
def _format_instant(value: str | None) -> str:
    """Return the text of an instant in exactly the stored format; this project writes no other format."""
    if value is None:
        return _format_plain(value)
    if value[10] != "T" or value[19] != "." or value[-1] != "Z":
        raise ValueError(value)
    return f"at {datetime.fromisoformat(value).isoformat()}"


def _format_plain(value: object) -> str:
    return f"str {value!r}" if value.__class__ is str else f"{type(value).__name__} {value!r}"


_BOOLEANS = {0: False, 1: True}
