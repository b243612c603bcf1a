"""Putting a state store aside, so that a new one can take its place. Nothing is ever deleted.

An SQLite file gets another name, with its rollback journal; the tables of a Postgres store move to a schema of their
own. What nobody else knows is brought over to the new store, as far as it can still be read: sign-ins by consent, which
customers were redacted, which requests about customers' data came, and what people decided about records.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, Select, create_engine, inspect, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from shopify_xero_pipeline.state import former_tables as former
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.database_errors import StoreUrlError
from shopify_xero_pipeline.state.orphans import DECISIONS
from shopify_xero_pipeline.state.privacy import NOTE
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
"""Below this word and the name of a record stands what a person decided about a conflict."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
CARRIED_OVER_TABLES: Mapping[str, Select[Any]] = {
    oauth_token.name: select(oauth_token),
    key_value.name: select(key_value).where(
        or_(*(key_value.c.key.startswith(first, autoescape=True) for first in (NOTE, f"{DECISIONS_KEY}.")))
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
"""The same rows in a store of before schema 7, by the present name of the table."""


@dataclass(frozen=True)
class QuarantinedStore:
    """A store that was put aside: where it is now, and what is to be brought over, as rows by table."""

    name: str
    carried_over: Rows = field(default_factory=dict)


def store_exists(url: str) -> bool:
    """Tell whether there is anything to put aside; of a server that is found out by `put_aside`."""
    return not url.startswith(SQLITE) or Path(url.removeprefix(SQLITE)).exists()


def quarantine_store(url: str, now: datetime) -> QuarantinedStore | None:
    """Put the store of a URL aside, in whatever state it is, and return what it is called now; None if there is none.

    Raises:
        StoreUrlError: the URL names no store, or a store that may not be moved.
    """
    stamp = f"damaged-{now.astimezone(UTC).strftime(STAMP)}"
    if not url.startswith(SQLITE):
        return _move_tables(url, stamp.lower().replace("-", "_"))
    path = Path(url.removeprefix(SQLITE))
    if not path.exists():
        return None
    new = _free(path.with_name(f"{path.name}.{stamp}"))
    journal = path.with_name(path.name + JOURNAL)
    if journal.exists():
        journal.rename(new.with_name(new.name + JOURNAL))
    path.rename(new)
    untouched = (
        f"{SQLITE}file:{quote(str(new))}?immutable=1&uri=true"  # or SQLite would roll back, and drop, its journal
    )
    return QuarantinedStore(str(new), _carried_over(create_engine(untouched, poolclass=NullPool, hide_parameters=True)))


def _free(path: Path) -> Path:
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
        return QuarantinedStore(f"schema {schema} of {database.name}", _carried_over(moved))
    except SQLAlchemyError as problem:
        said = " ".join(str(getattr(problem, "orig", problem)).split())
        raise StoreUrlError(
            f"The tables of {database.name} cannot be moved to a schema {schema}: {said}. Let its user create schemas "
            "in the database (GRANT CREATE ON DATABASE), or give STATE_URL an empty database."
        ) from None
    finally:
        database.engine.dispose()


def _carried_over(engine: Engine) -> Rows:
    """Read the rows that can still be read, under the table's present or former name; the others are lost."""
    found: dict[str, list[dict[str, Any]]] = {}
    renamings = {renaming.present.name: renaming for renaming in former.RENAMINGS}
    for name, query in CARRIED_OVER_TABLES.items():
        rows = _readable(engine, query)
        if rows is None and name in FORMER_CARRIED_OVER:
            renamed = map(renamings[name].row, _readable(engine, FORMER_CARRIED_OVER[name]) or [])
            rows = [with_checksum(row) if renamings[name].present in CHECKSUMMED_TABLES else row for row in renamed]
        found[name] = rows or []
    return found


def _readable(engine: Engine, query: Select[Any]) -> list[dict[str, Any]] | None:
    """Return the rows whose checksum matches, or None if the table cannot be read."""
    try:
        with engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [row for row in rows if CHECKSUM_COLUMN not in row or row[CHECKSUM_COLUMN] == row_hash(row)]
    except (SQLAlchemyError, ValueError, sqlite3.Error):
        return None
