"""Row checksums, which detect damage: each row of a checksummed table contains the SHA-256 of its other columns.

SQLite has no checksums of its own. Of the single flipped bits that change a value, its integrity check detects one in
six, the row checksum all of them. A row with a wrong checksum is never used: reading it raises. Code that inserts rows
of a checksummed table adds their checksums in the same transaction. Only `update_rows` changes rows, and only verified
ones, so that a damaged row never gets a new checksum.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    Select,
    Table,
    Update,
    bindparam,
    insert,
    inspect,
    select,
    update,
)

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.queries import chunks
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES

CHECKSUM_COLUMN = "row_hash"
ADDED = frozenset({"xero_sent_at", "xero_quiet_at", "xero_settled_at", "xero_looked_up_at"})
"""Columns added to checksummed tables. An empty one is not hashed, so that older checksums stay valid."""

Row = Mapping[str, Any]
Values = Callable[[Row], Row]
M = TypeVar("M", bound=BaseModel)


def read_models(
    engine: Engine, model: type[M], query: Select[Any], *, ids: Collection[Any] | None = None, **parameters: object
) -> list[M]:
    """Return verified rows of a checksummed table as models, in a transaction of their own.

    Args:
        engine: the engine of the state store.
        model: the model of a row.
        query: a query for all columns of the table.
        ids: the values of the query's parameter `ids`, any number; None if it has no such parameter.
        parameters: the other parameters of the query.

    Raises:
        StoreDamagedError: a row does not match its checksum.
    """
    if ids is not None and not ids:
        return []
    with engine.begin() as connection:
        rows = read(connection, query, ids=ids, **parameters)
    return [model.model_validate(row) for row in rows]


def read(
    connection: Connection, query: Select[Any], *, ids: Iterable[Any] | None = None, **parameters: object
) -> list[dict[str, Any]]:
    """Return verified rows of a checksummed table, without their checksums.

    Args:
        connection: a connection in a transaction.
        query: a query for all columns of the table.
        ids: the values of the query's parameter `ids`, any number; None if it has no such parameter.
        parameters: the other parameters of the query.

    Raises:
        StoreDamagedError: a row does not match its checksum.
    """
    rows = fetch(connection, query, ids=ids, **parameters)
    for row in rows:
        checksum = row.pop(CHECKSUM_COLUMN)
        if row_hash(row) != checksum:
            raise StoreDamagedError(f"a row of {query.selected_columns[0].table.name} does not match its checksum")
    return rows


def fetch(
    connection: Connection, query: Select[Any], *, ids: Iterable[Any] | None = None, **parameters: object
) -> list[dict[str, Any]]:
    """Return the rows of a query as they are stored, in several statements if there are many ids.

    Args:
        connection: a connection in a transaction.
        query: the query.
        ids: the values of the query's parameter `ids`, any number; None if it has no such parameter.
        parameters: the other parameters of the query.
    """
    lists: Iterable[dict[str, object]] = [{}] if ids is None else ({"ids": chunk} for chunk in chunks(ids))
    rows = []
    for chunk in lists:
        result = connection.execute(query, parameters | chunk)
        names = [*result.keys()]  # dicts, because the checksum iterates over each row, which is slow for a RowMapping
        rows += [dict(zip(names, row, strict=True)) for row in result]
    return rows


def with_checksum(values: Row) -> dict[str, Any]:
    """Return a whole row for an insert, with its checksum."""
    return {**values, CHECKSUM_COLUMN: row_hash(values)}


def put_rows(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert rows, each of which replaces an earlier row with the same primary key.

    Args:
        connection: a connection in a transaction.
        table: the table, with or without checksums.
        rows: whole rows without checksums.
    """
    new = [with_checksum(row) if CHECKSUM_COLUMN in table.c else row for row in rows]
    if new:
        connection.execute(_upsert(table, connection.dialect.name), new)


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], query: Select[Any], **parameters: Any
) -> None:
    """Insert rows whose ids the database assigns, and then add their checksums.

    Args:
        connection: a connection in a transaction.
        table: the checksummed table.
        rows: rows without ids and checksums.
        query: a query for all columns of the new rows.
        parameters: the parameters of the query.
    """
    if rows:
        connection.execute(insert(table), rows)
        add_checksums(connection, table, query, **parameters)


def add_checksums(connection: Connection, table: Table, query: Select[Any], **parameters: Any) -> list[dict[str, Any]]:
    """Add checksums to rows that the database gave their ids; return the rows without checksums.

    Args:
        connection: a connection in the transaction that inserted the rows.
        table: the checksummed table.
        query: a query for all columns of the rows.
        parameters: the parameters of the query.
    """
    return update_rows(connection, table, fetch(connection, query, **parameters), lambda _: {})


def update_rows(
    connection: Connection, table: Table, rows: Sequence[Mapping[Any, Any]], new: Values
) -> list[dict[str, Any]]:
    """Update rows of a checksummed table and their checksums; return the rows after the update.

    Args:
        connection: a connection in the transaction that read the rows.
        table: the checksummed table.
        rows: whole rows, as returned by `read`.
        new: returns the new values of a row by column; the columns are the same for all rows.
    """
    if not rows:
        return []
    changes = [new(row) for row in rows]
    changed = [
        {name: value for name, value in row.items() if name != CHECKSUM_COLUMN} | dict(columns)
        for row, columns in zip(rows, changes, strict=True)
    ]
    values = [
        {f"old_{column.name}": row[column.name] for column in table.primary_key}
        | {f"new_{name}": value for name, value in columns.items()}
        | {f"new_{CHECKSUM_COLUMN}": row_hash(new_row)}
        for row, columns, new_row in zip(rows, changes, changed, strict=True)
    ]
    connection.execute(_update(table, tuple(changes[0])), values)
    return changed


def add_missing_checksums(connection: Connection, tables: Collection[Table] = CHECKSUMMED_TABLES) -> None:
    """Add checksums to all rows of checksummed tables, which may lack the columns of later versions.

    Args:
        connection: a connection in a transaction.
        tables: the checksummed tables.
    """
    for table in tables:
        present = {column["name"] for column in inspect(connection).get_columns(table.name)}
        add_checksums(connection, table, select(*(column for column in table.c if column.name in present)))


def row_hash(row: Mapping[Any, Any]) -> str:
    """Return the checksum of a row's columns, its checksum column excluded.

    Each value is hashed as a text that differs for different values, and is the same before an insert and after a read.

    Args:
        row: values by column name.
    """
    fields = []
    for name, value in sorted(row.items()):
        if name == CHECKSUM_COLUMN or (value is None and name in ADDED):
            continue
        if isinstance(value, str):
            text = f"str {str(value)!r}"
        elif isinstance(value, datetime):
            text = f"at {value.astimezone(UTC).isoformat()}"
        elif isinstance(value, date):
            text = f"at {value.isoformat()}"
        else:
            text = f"{type(value).__name__} {value!r}"
        fields.append(f"{name}\x1e{text}")
    return digest("\x1f".join(fields))


@cache
def _update(table: Table, columns: tuple[str, ...]) -> Update:
    same = [column == bindparam(f"old_{column.name}") for column in table.primary_key]
    return update(table).where(*same).values({name: bindparam(f"new_{name}") for name in (*columns, CHECKSUM_COLUMN)})


@cache
def _upsert(table: Table, dialect: str) -> Executable:
    """Return the statement that inserts a row or replaces it; SQLAlchemy has one for each database."""
    insert_into = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    replaced = {column.name: insert_into.excluded[column.name] for column in table.c if not column.primary_key}
    statement: Executable = insert_into.on_conflict_do_update(index_elements=[*table.primary_key], set_=replaced)
    return statement
