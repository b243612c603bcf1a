"""Verification of a whole state store: each night, and before a load if the store may have been changed or damaged.

SQLite has no checksums of its own, so the verification computes the checksum of every row again. Beside SQLite's own
check it also checks facts of this project: no row is ever deleted from the journal, the mapping contains every
confirmed write, and the keys of rows are complete. It reads in short transactions, because the rows of 100,000 records
take a minute. Between two verifications each row is verified when it is read (`row_checksums.py`).
"""

from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, func, literal, select, text, tuple_

from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.key_rows import KEY_TABLES, verify_keys
from shopify_xero_pipeline.state.row_checksums import Row, read
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES, batch, evidence, operation

ROWS = 2_000
"""Rows of a table that one transaction reads."""

NEVER_DELETED = (operation, batch, evidence)

DELETED = "deleted"
"""Outcome of an operation that deleted its record in Xero."""

LOST_FROM_MAPPING = "a written record is missing from the mapping"
CONFIRMED = """
    SELECT o.kind, o.shopify_id, o.xero_id FROM operation o
    JOIN (SELECT max(id) AS id FROM operation WHERE state = 'confirmed' GROUP BY kind, shopify_id) last
    ON last.id = o.id WHERE o.outcome <> 'deleted'
"""
SAME = "m.kind = o.kind AND m.shopify_id = o.shopify_id AND m.xero_id = o.xero_id"
CONTRADICTIONS = {
    LOST_FROM_MAPPING: (f"({CONFIRMED}) o LEFT JOIN entity_mapping m ON {SAME} WHERE m.kind IS NULL"),
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
    "a key belongs to no row of the mapping": (
        "mapping_key k LEFT JOIN entity_mapping m ON m.kind = k.kind AND m.shopify_id = k.shopify_id "
        "WHERE m.kind IS NULL"
    ),
    "a key belongs to no row of the mirror": (
        "mirror_key k LEFT JOIN xero_mirror m ON m.kind = k.kind AND m.xero_id = k.xero_id WHERE m.kind IS NULL"
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
    """Read all rows of the checksummed tables, one page of each table in a short transaction."""
    last_rows: dict[Table, Row | None] = dict.fromkeys(CHECKSUMMED_TABLES)
    while last_rows:
        with engine.begin() as connection:
            pages = {table: read(connection, _page_after(table, last)) for table, last in last_rows.items()}
            for table in KEY_TABLES.keys() & pages.keys():
                verify_keys(connection, table, pages[table])
        last_rows = {table: rows[-1] for table, rows in pages.items() if len(rows) == ROWS}


def _page_after(table: Table, last: Row | None) -> Select[Any]:
    keys = [*table.primary_key]
    query = select(table).order_by(*keys).limit(ROWS)
    return (
        query if last is None else query.where(tuple_(*keys) > tuple_(*(literal(last[k.name], k.type) for k in keys)))
    )
