"""Whether a state store still says what was written to it: looked at before the first load of a process.

SQLite keeps no checksums of its own, so the hash of every sealed row is computed again, and beside SQLite's own check
stand those that only we can make: rows are never deleted from the journal, and what it says was written is in the
mapping. Read in short transactions, from the driver itself: rows of a hundred thousand records take seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Engine, Table, func, select, text

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.row_checksums import ADDED, CHECKSUM_COLUMN, StoreDamagedError
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES, Date, UtcDateTime, batch, evidence, operation

ROWS = 2_000
NEVER_DELETED = (operation, batch, evidence)

CONFIRMED = """
    SELECT o.kind, o.shopify_id, o.xero_id FROM operation o
    JOIN (SELECT max(id) AS id FROM operation WHERE state = 'confirmed' GROUP BY kind, shopify_id) last
    ON last.id = o.id WHERE o.outcome <> 'deleted'
"""
SAME = "m.kind = o.kind AND m.shopify_id = o.shopify_id AND m.xero_id = o.xero_id"
CONTRADICTIONS = {
    "a record that was written is missing from the mapping": (
        f"({CONFIRMED}) o LEFT JOIN entity_mapping m ON {SAME} WHERE m.kind IS NULL"
    ),
    "the mapping holds a record that was never written": (
        f"entity_mapping m LEFT JOIN ({CONFIRMED}) o ON {SAME} WHERE o.kind IS NULL"
    ),
    "a record waits for a request that is over, or for none": (
        "operation o LEFT JOIN batch b ON b.id = o.batch_id "
        "WHERE o.state = 'in_batch' AND (b.id IS NULL OR b.state IN ('confirmed', 'resolved'))"
    ),
    "there is evidence for a record that is not in the journal": (
        "evidence e LEFT JOIN operation o ON o.id = e.operation_id WHERE o.id IS NULL"
    ),
}


def quick_check(engine: Engine) -> None:
    """Have SQLite look over its file, without its indexes; Postgres looks after itself.

    Raises:
        StoreDamagedError: it finds something.
    """
    _ask_sqlite(engine, "quick_check")


def verify(engine: Engine) -> None:
    """Look at everything.

    Raises:
        StoreDamagedError: the store does not say what was written to it.
    """
    _ask_sqlite(engine, "integrity_check")
    for table in CHECKSUMMED_TABLES:
        _verify_rows(engine, table)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for table in NEVER_DELETED:
                _count_rows(connection, table)
        for contradiction, query in CONTRADICTIONS.items():
            if connection.scalar(text(f"SELECT count(*) FROM {query}")):  # noqa: S608
                raise StoreDamagedError(contradiction)


def _ask_sqlite(engine: Engine, check: str) -> None:
    if engine.dialect.name != "sqlite":
        return
    with engine.begin() as connection:
        said = connection.exec_driver_sql(f"PRAGMA {check}(1)").scalar()
    if said != "ok":
        raise StoreDamagedError("SQLite finds its file malformed")


def _count_rows(connection: Connection, table: Table) -> None:
    count, last = connection.execute(select(func.count(), func.coalesce(func.max(table.c.id), 0))).one()
    if count != last:
        raise StoreDamagedError(f"rows are missing from {table.name}")


def _verify_rows(engine: Engine, table: Table) -> None:
    hashed = _hasher(table)
    for row in _rows(engine, table):
        try:
            sound = hashed(row[:-1]) == row[-1]
        except (LookupError, TypeError, ValueError):
            sound = False
        if not sound:
            raise StoreDamagedError(f"a row of {table.name} does not say what was written there")


def _rows(engine: Engine, table: Table) -> Iterator[Sequence[Any]]:
    """Yield the columns by name, the hash last, some thousand rows a transaction, so that nobody waits for long."""
    names = ", ".join(f'"{name}"' for name in (*sorted(_said(table)), CHECKSUM_COLUMN))
    keys = ", ".join(column.name for column in table.primary_key)
    places = [sorted(_said(table)).index(column.name) for column in table.primary_key]
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    after, last = "", tuple[Any, ...]()
    while True:
        query = f"SELECT {names} FROM {table.name} {after} ORDER BY {keys} LIMIT {ROWS}"  # noqa: S608
        with engine.begin() as connection:
            found = connection.exec_driver_sql(query, last).all()
        yield from found
        if len(found) < ROWS:
            return
        after = f"WHERE ({keys}) > ({', '.join(mark for _ in places)})"
        last = tuple(found[-1][place] for place in places)


def _hasher(table: Table) -> Callable[[Sequence[Any]], str]:
    """Return what computes the hash of a row as `seals.row_hash` does, from what the driver gives."""
    columns = [(name, _text_of(column), name in ADDED) for name, column in sorted(_said(table).items())]

    def hashed(row: Sequence[Any]) -> str:
        values = zip(columns, row, strict=True)
        counted = [f"{name}\x1e{text(one)}" for (name, text, added), one in values if one is not None or not added]
        return digest("\x1f".join(counted))

    return hashed


def _said(table: Table) -> dict[str, Column[Any]]:
    return {column.name: column for column in table.columns if column.name != CHECKSUM_COLUMN}


def _text_of(column: Column[Any]) -> Callable[[Any], str]:
    if isinstance(column.type, UtcDateTime):
        return _instant
    if isinstance(column.type, Date):
        return lambda value: _plain(value) if value is None else f"at {date.fromisoformat(value).isoformat()}"
    if isinstance(column.type, Boolean):
        return lambda value: f"bool {_SWITCH[value]!r}"
    return _plain


@lru_cache(ROWS)
def _instant(value: str | None) -> str:
    """Read an instant in just the form in which it is written: others mean the same, but nobody wrote them."""
    if value is None:
        return _plain(value)
    if value[10] != "T" or value[19] != "." or value[-1] != "Z":
        raise ValueError(value)
    return f"at {datetime.fromisoformat(value).isoformat()}"


def _plain(value: object) -> str:
    return f"str {value!r}" if value.__class__ is str else f"{type(value).__name__} {value!r}"


_SWITCH = {0: False, 1: True}
