"""Quarantine of a state store, so that a new store can replace it. Nothing is deleted.

An SQLite file gets another name, with its rollback journal; the tables of a Postgres store move to another schema. Rows
that exist nowhere else are carried over to the new store if they are readable: OAuth sign-ins, redacted customers,
privacy requests and people's decisions about records.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, MappingResult, RowMapping, Select, create_engine, inspect, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from shopify_xero_pipeline.state import former_tables as former
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.database_errors import StoreDamagedError, StoreUrlError
from shopify_xero_pipeline.state.orphans import DECISIONS
from shopify_xero_pipeline.state.privacy import NOTE
from shopify_xero_pipeline.state.queries import with_prefix
from shopify_xero_pipeline.state.row_checksums import CHECKSUM_COLUMN, row_hash, with_checksum
from shopify_xero_pipeline.state.tables import (
    CHECKSUMMED_TABLES,
    kept_record,
    key_value,
    metadata,
    oauth_token,
    webhook_hint,
)
from shopify_xero_pipeline.state.webhook_hints import PRIVACY, REQUESTS

STAMP = "%Y%m%dT%H%M%SZ"
JOURNAL = "-journal"
SQLITE = "sqlite:///"
DECISIONS_KEY = "decision"
"""Prefix, before a dot and the name of a record, of the key of a person's decision about a conflict."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
CARRIED_OVER_TABLES: Mapping[str, Select[Any]] = {
    oauth_token.name: select(oauth_token),
    key_value.name: select(key_value).where(
        or_(*(with_prefix(key_value.c.key, prefix) for prefix in (NOTE, f"{DECISIONS_KEY}.")))
    ),
    webhook_hint.name: REQUESTS,
    kept_record.name: DECISIONS,
}


FORMER_CARRIED_OVER: Mapping[str, Select[Any]] = {
    oauth_token.name: select(former.token_set),
    key_value.name: select(former.remembered).where(
        or_(former.remembered.c.name.startswith("redacted contact "), former.remembered.c.name.startswith("decision "))
    ),
    webhook_hint.name: select(former.hint).where(former.hint.c.topic.in_(PRIVACY)),
}
"""The same rows in a store before schema 7, by the present name of the table."""


@dataclass(frozen=True)
class QuarantinedStore:
    """A quarantined store.

    Attributes:
        name: its present path, or its schema and database.
        carried_over: the rows for the new store, by table.
    """

    name: str
    carried_over: Rows = field(default_factory=dict)


def store_exists(url: str) -> bool:
    """Return whether a store exists. For a server it is always True; `quarantine_store` then checks the tables."""
    return not url.startswith(SQLITE) or Path(url.removeprefix(SQLITE)).exists()


def quarantine_store(url: str, now: datetime) -> QuarantinedStore | None:
    """Move the store of a URL, in any condition, to a new name; return None if no store exists.

    Args:
        url: the URL of the store.
        now: the present time, which becomes part of the new name in UTC.

    Raises:
        StoreUrlError: the URL is invalid, or the database does not allow the move.
    """
    stamp = f"damaged-{now.astimezone(UTC).strftime(STAMP)}"
    if not url.startswith(SQLITE):
        return _move_tables(url, stamp.lower().replace("-", "_"))
    path = Path(url.removeprefix(SQLITE))
    if not path.exists():
        return None
    new = _unused_path(path.with_name(f"{path.name}.{stamp}"))
    journal = path.with_name(path.name + JOURNAL)
    if journal.exists():
        journal.rename(new.with_name(new.name + JOURNAL))
    path.rename(new)
    # Without `immutable`, SQLite would roll back and delete the journal.
    read_only = f"{SQLITE}file:{quote(str(new))}?immutable=1&uri=true"
    return QuarantinedStore(
        str(new), _read_carried_over(create_engine(read_only, poolclass=NullPool, hide_parameters=True))
    )


def _unused_path(path: Path) -> Path:
    names = [path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 100))]
    return next(name for name in names if not name.exists())


def _move_tables(url: str, schema: str) -> QuarantinedStore | None:
    database = open_database(url)
    try:
        with database.engine.begin() as connection:
            present = {*inspect(connection).get_table_names()} & {*metadata.tables, *former.metadata.tables}
            if not present:
                return None
            connection.execute(text(f"CREATE SCHEMA {schema}"))
            for name in sorted(present):
                connection.execute(text(f"ALTER TABLE {name} SET SCHEMA {schema}"))
        moved = database.engine.execution_options(schema_translate_map={None: schema})
        return QuarantinedStore(f"schema {schema} of {database.name}", _read_carried_over(moved))
    except SQLAlchemyError as problem:
        detail = " ".join(str(getattr(problem, "orig", problem)).split())
        raise StoreUrlError(
            f"The tables of {database.name} cannot be moved to the schema {schema}: {detail}. Allow its user to create "
            "schemas in the database (GRANT CREATE ON DATABASE), or set STATE_URL to an empty database."
        ) from None
    finally:
        database.engine.dispose()


def _read_carried_over(engine: Engine) -> Rows:
    """Return the readable rows from tables under their present or former names; damaged rows are lost."""
    carried_over: dict[str, list[dict[str, Any]]] = {}
    renamings = {renaming.present.name: renaming for renaming in former.RENAMINGS}
    for name, query in CARRIED_OVER_TABLES.items():
        rows = _readable_rows(engine, query)
        if rows is None and name in FORMER_CARRIED_OVER:
            renamed = map(renamings[name].row, _readable_rows(engine, FORMER_CARRIED_OVER[name]) or [])
            rows = [with_checksum(row) if renamings[name].present in CHECKSUMMED_TABLES else row for row in renamed]
        carried_over[name] = rows or []
    return carried_over


def _readable_rows(engine: Engine, query: Select[Any]) -> list[dict[str, Any]] | None:
    """Return the rows whose checksum matches, or None if the table cannot be read."""
    try:
        with engine.connect() as connection:
            rows = [dict(row) for row in _intact_rows(connection.execute(query).mappings())]
        return [row for row in rows if CHECKSUM_COLUMN not in row or row[CHECKSUM_COLUMN] == row_hash(row)]
    except (SQLAlchemyError, ValueError, sqlite3.Error):
        return None


def _intact_rows(result: MappingResult) -> Iterator[RowMapping]:
    """Yield the rows without a value that its column type refuses."""
    while True:
        try:
            row = result.fetchone()
        except StoreDamagedError:
            continue
        if row is None:
            return
        yield row
