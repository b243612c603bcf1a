"""Forward migrations of the state store: a list of functions, each from one schema version to the next.

A new store gets the present tables at once; an older one gets the functions it has not had yet, all in one transaction,
so that a store is never left half way, and two processes that start at once do it once. There is no way back. SQL
written by hand must mean the same to SQLite and to Postgres.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, delete, insert, inspect, select, text, update

from shopify_xero_pipeline.state import former_tables as former
from shopify_xero_pipeline.state.database_errors import StoreUrlError
from shopify_xero_pipeline.state.row_checksums import (
    add_missing_checksums,
    read,
    update_rows,
    verified_rows,
    with_checksum,
)
from shopify_xero_pipeline.state.tables import (
    CHECKSUMMED_TABLES,
    kept_record,
    meta,
    metadata,
    one_open_operation,
    operation,
    xero_mirror,
)

Migration = Callable[[Connection], None]


def _count_what_was_taken_back(connection: Connection) -> None:
    """Allocations can be taken back, and the mirror shows them: Credit Notes are read again from the beginning."""
    connection.execute(text("ALTER TABLE sync_history ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0"))
    connection.execute(delete(former.remembered).where(former.remembered.c.name == "mirror:credit_note"))


def _seal_rows(connection: Connection) -> None:
    """Rows bear a hash, batches a lease, failures a next try and a word of dismissal; tokens and calls are kept.

    The mirror is read again from the beginning: it holds less of a Contact now.
    """
    for column in ("owner TEXT NOT NULL DEFAULT ''", "fence INTEGER NOT NULL DEFAULT 0", "lease_until TEXT"):
        connection.execute(text(f"ALTER TABLE batch ADD COLUMN {column}"))
    for column in (
        "payload_hash TEXT NOT NULL DEFAULT ''",
        "next_try TEXT",
        "dismissed_at TEXT",
        "dismissed_because TEXT NOT NULL DEFAULT ''",
    ):
        connection.execute(text(f"ALTER TABLE sync_errors ADD COLUMN {column}"))
    written = ("entity_mapping", "sync_errors", "sync_history", "operation", "batch", "evidence")
    kept = (*written, "xero_mirror", "remembered")
    for table in kept:
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN row_hash TEXT NOT NULL DEFAULT ''"))
    connection.execute(text("CREATE INDEX mirror_by_reference ON xero_mirror (kind, reference)"))
    connection.execute(delete(xero_mirror))
    connection.execute(delete(former.remembered).where(former.remembered.c.name.startswith("mirror:")))
    former.metadata.create_all(connection, tables=[former.token_set, former.call], checkfirst=False)
    tables = {**metadata.tables, **former.metadata.tables}
    add_missing_checksums(connection, [tables[table] for table in kept])


def _keep_hints(connection: Connection) -> None:
    """Deliveries of webhooks are kept."""
    former.metadata.create_all(connection, tables=[former.hint], checkfirst=False)


def _keep_xeros_time(connection: Connection) -> None:
    """Batches and evidence bear Xero's time. The mirror was swept by our clock's, so it is read from the beginning."""
    for column in ("xero_sent_at", "xero_quiet_at", "xero_settled_at"):
        connection.execute(text(f"ALTER TABLE batch ADD COLUMN {column} TEXT"))
    connection.execute(text("ALTER TABLE evidence ADD COLUMN xero_looked_up_at TEXT"))
    connection.execute(delete(former.remembered).where(former.remembered.c.name.startswith("mirror:")))


def _name_orphans(connection: Connection) -> None:
    """Records without an order are noted with people's decisions; the mapping is asked for the orders of a day."""
    former.metadata.create_all(connection, tables=[former.orphaned_order], checkfirst=False)
    metadata.create_all(connection, tables=[kept_record], checkfirst=False)
    connection.execute(text("CREATE INDEX ix_entity_mapping_partition ON entity_mapping (partition)"))


def _use_standard_names(connection: Connection) -> None:
    """Tables, columns, keys and states get the names of the glossary (docs/glossary.md). No row is lost or made up.

    Each row is verified before it moves, so that damage is not given a new checksum.

    Raises:
        StoreDamagedError: a row does not match its checksum; the store is left as it was.
    """
    for renaming in former.RENAMINGS:
        _move_rows(connection, renaming)
    one_open_operation.drop(connection)
    rows = read(connection, operation, select(operation).where(operation.c.state.in_(former.FORMER_STATES)))
    update_rows(connection, operation, rows, lambda row: {"state": former.FORMER_STATES[row["state"]]})
    one_open_operation.create(connection)


def _move_rows(connection: Connection, renaming: former.Renaming) -> None:
    """Move all rows of a table to the one that replaces it, which may have the same name."""
    is_checksummed = renaming.present in CHECKSUMMED_TABLES
    found = connection.execute(select(renaming.former)).mappings().all()
    rows = [renaming.row(row) for row in (verified_rows(renaming.former, found) if is_checksummed else found)]
    renaming.former.drop(connection)
    renaming.present.create(connection)
    if rows:
        connection.execute(insert(renaming.present), [with_checksum(row) for row in rows] if is_checksummed else rows)


MIGRATIONS: tuple[Migration, ...] = (
    _count_what_was_taken_back,
    _seal_rows,
    _keep_hints,
    _keep_xeros_time,
    _name_orphans,
    _use_standard_names,
)
"""The function at index 0 takes a store from version 1 to 2, and so on."""


class StoreTooNewError(Exception):
    """The store was written by a newer version of this project."""


def migrate(engine: Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring a store to the present schema, creating it if it is empty.

    Raises:
        StoreTooNewError: the store's schema is newer than this code knows.
        StoreUrlError: tables of another program stand there under the names of ours.
    """
    newest = len(migrations) + 1
    with engine.begin() as connection:
        present = sorted({*inspect(connection).get_table_names()} & {*metadata.tables, *former.metadata.tables})
        if not present:
            metadata.create_all(connection, checkfirst=False)
            connection.execute(insert(meta).values(name="schema_version", value=str(newest)))
            return
        version = _version(connection) if meta.name in present else None
        if version is None:
            raise StoreUrlError(
                f"STATE_URL names a database in which another program keeps tables of its own ({', '.join(present)}): "
                "give the state store a database, or a schema, for itself."
            )
        if version > newest:
            raise StoreTooNewError(
                f"The state store has schema {version}, this version of the project knows {newest}. Update the project."
            )
        for step in migrations[version - 1 :]:
            step(connection)
        if version < newest:
            connection.execute(update(meta).where(meta.c.name == "schema_version").values(value=str(newest)))


def _version(connection: Connection) -> int | None:
    columns = {column["name"] for column in inspect(connection).get_columns(meta.name)}
    if columns != set(meta.columns.keys()):
        return None
    found = connection.scalar(select(meta.c.value).where(meta.c.name == "schema_version"))
    return None if found is None else int(found)
