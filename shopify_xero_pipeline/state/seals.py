"""Hashes of rows: each row of a sealed table bears the SHA-256 of all its other columns, so that damage is seen.

SQLite has no checksums of its own: of single flipped bits that change what a row says, its integrity check sees one in
six, the hash of the row all of them. A row whose hash is wrong is never used: reading it raises. Whoever inserts rows
of a sealed table seals them in the same transaction; rows are changed by `rewrite` alone, which seals no damage over.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, select, update

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.tables import SEALED

HASH = "row_hash"
Values = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class StoreDamagedError(Exception):
    """What the state store says cannot be trusted; nothing is written to Xero by it any more."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The state store is damaged: {what}. Nothing was written to Xero. Run `shopify-xero rebuild`: it puts the "
            "damaged store aside and makes a new one from Shopify and Xero."
        )


def seal(connection: Connection, table: Table, *where: ColumnElement[bool]) -> None:
    """Give the rows of a sealed table that meet the conditions the hash of what they say now."""
    keys = [column.name for column in table.primary_key]
    found = connection.execute(select(table).where(*where)).mappings().all()
    if not found:
        return
    same = [table.c[key] == bindparam(f"key_{key}") for key in keys]
    statement = update(table).where(*same).values({HASH: bindparam("seal")})
    values = [{"seal": row_hash(row), **{f"key_{key}": row[key] for key in keys}} for row in found]
    connection.execute(statement, values)


def rewrite(
    connection: Connection, table: Table, new: Values, *where: ColumnElement[bool], limit: int | None = None
) -> int:
    """Change the rows of a sealed table that meet the conditions, and seal them; return how many there were.

    Args:
        connection: inside a transaction.
        table: a sealed one.
        new: gives, for a row as it is, the columns to be changed, of all rows the same ones.
        where: the conditions.
        limit: change no more rows than this.

    Raises:
        StoreDamagedError: one of the rows does not say what was written there; nothing was changed.
    """
    found = sound(table, connection.execute(select(table).where(*where).limit(limit)).mappings().all())
    changes = [(row, new(row)) for row in found]
    if changes:
        keys = [column.name for column in table.primary_key]
        columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in changes[0][1]}
        same = [table.c[key] == bindparam(f"key_{key}") for key in keys]
        statement = update(table).where(*same).values({**columns, HASH: bindparam("seal")})
        values = [
            {
                "seal": row_hash({**row, **said}),
                **{f"key_{key}": row[key] for key in keys},
                **{f"new_{name}": value for name, value in said.items()},
            }
            for row, said in changes
        ]
        connection.execute(statement, values)
    return len(changes)


def seal_everything(connection: Connection) -> None:
    """Seal all rows of all sealed tables."""
    for table in SEALED:
        seal(connection, table)


def row_hash(row: Mapping[Any, Any]) -> str:
    """Return the hash of a row's columns, whatever it bears as hash now."""
    return digest("\x1f".join([f"{name}\x1e{_text(value)}" for name, value in sorted(row.items()) if name != HASH]))


def sound(table: Table, rows: Collection[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return rows without their hashes.

    Raises:
        StoreDamagedError: a row does not say what it said when it was sealed.
    """
    for row in rows:
        if row_hash(row) != row[HASH]:
            raise StoreDamagedError(f"a row of {table.name} does not say what was written there")
    return [{name: value for name, value in row.items() if name != HASH} for row in rows]


def _text(value: object) -> str:
    """Write a value so that no two different ones look alike, and one about to be written as it will be read."""
    if isinstance(value, str):
        return f"str {str(value)!r}"
    if isinstance(value, datetime):
        return f"at {value.astimezone(UTC).isoformat()}"
    if isinstance(value, date):
        return f"at {value.isoformat()}"
    return f"{type(value).__name__} {value!r}"
