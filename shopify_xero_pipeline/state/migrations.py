"""Forward migrations of the state store, one function for each schema version.

A new store gets the present tables. An older store gets the missing migrations in one transaction, so that a migration
is atomic, and two processes that start together run it once. There are no backward migrations. Literal SQL must have
the same meaning in SQLite and in Postgres.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, delete, insert, inspect, select, text, update

from shopify_xero_pipeline.state import former_tables as former
from shopify_xero_pipeline.state.database_errors import StoreUrlError
from shopify_xero_pipeline.state.key_rows import KEY_TABLES, put_keys
from shopify_xero_pipeline.state.queries import chunks, of_kind
from shopify_xero_pipeline.state.record_keys import DOCUMENTS, PAYMENT
from shopify_xero_pipeline.state.row_checksums import (
    add_missing_checksums,
    fetch,
    read,
    update_rows,
    with_checksum,
)
from shopify_xero_pipeline.state.tables import (
    CHECKSUMMED_TABLES,
    kept_record,
    mapped_on_day,
    meta,
    metadata,
    mirror_key,
    one_open_operation,
    operation,
    xero_mirror,
)

Migration = Callable[[Connection], None]


def _add_deleted_count(connection: Connection) -> None:
    """Add the count of deleted Allocations; reset the mirror of Credit Notes, which now includes Allocations."""
    connection.execute(text("ALTER TABLE sync_history ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0"))
    connection.execute(delete(former.remembered).where(former.remembered.c.name == "mirror:credit_note"))


def _add_checksums(connection: Connection) -> None:
    """Add checksums of rows, leases of batches, the retry schedule and dismissal of failures, tokens and calls.

    The migration resets the mirror, which now holds less of a Contact.
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
    checksummed = (*written, "xero_mirror", "remembered")
    for table in checksummed:
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN row_hash TEXT NOT NULL DEFAULT ''"))
    connection.execute(text("CREATE INDEX mirror_by_reference ON xero_mirror (kind, reference)"))
    connection.execute(delete(xero_mirror))
    connection.execute(delete(former.remembered).where(former.remembered.c.name.startswith("mirror:")))
    former.metadata.create_all(connection, tables=[former.token_set, former.call], checkfirst=False)
    tables = {**metadata.tables, **former.metadata.tables}
    add_missing_checksums(connection, [tables[table] for table in checksummed])


def _add_webhook_hints(connection: Connection) -> None:
    """Add the table of webhook deliveries."""
    former.metadata.create_all(connection, tables=[former.hint], checkfirst=False)


def _add_xero_times(connection: Connection) -> None:
    """Add Xero's time to batches and evidence; reset the mirror, whose sweeps used our clock."""
    for column in ("xero_sent_at", "xero_quiet_at", "xero_settled_at"):
        connection.execute(text(f"ALTER TABLE batch ADD COLUMN {column} TEXT"))
    connection.execute(text("ALTER TABLE evidence ADD COLUMN xero_looked_up_at TEXT"))
    connection.execute(delete(former.remembered).where(former.remembered.c.name.startswith("mirror:")))


def _add_orphans(connection: Connection) -> None:
    """Add orphans and people's decisions about them; index the mapping by day."""
    former.metadata.create_all(connection, tables=[former.orphaned_order], checkfirst=False)
    metadata.create_all(connection, tables=[kept_record], checkfirst=False)
    connection.execute(text("CREATE INDEX ix_entity_mapping_partition ON entity_mapping (partition)"))


def _use_standard_names(connection: Connection) -> None:
    """Rename tables, columns, keys and states to the terms of docs/glossary.md. No row is lost or added.

    Each row is verified before it moves, so that a damaged row does not get a new checksum.

    Raises:
        StoreDamagedError: a row does not match its checksum; the store is unchanged.
    """
    for renaming in former.RENAMINGS:
        _move_rows(connection, renaming)
    one_open_operation.drop(connection)
    rows = read(connection, select(operation).where(operation.c.state.in_(former.FORMER_STATES)))
    update_rows(connection, operation, rows, lambda row: {"state": former.FORMER_STATES[row["state"]]})
    one_open_operation.create(connection)


def _move_rows(connection: Connection, renaming: former.Renaming) -> None:
    """Move all rows of a table to its replacement, which may have the same name."""
    is_checksummed = renaming.present in CHECKSUMMED_TABLES
    former_rows = (read if is_checksummed else fetch)(connection, select(renaming.former))
    rows = [renaming.row(row) for row in former_rows]
    renaming.former.drop(connection)
    renaming.present.create(connection)
    if rows:
        connection.execute(insert(renaming.present), [with_checksum(row) for row in rows] if is_checksummed else rows)


def _add_keys(connection: Connection) -> None:
    """Add the keys of mapping and mirror rows, and indexes. Each row is verified first.

    Raises:
        StoreDamagedError: a row does not match its checksum; the store is unchanged.
    """
    metadata.create_all(connection, tables=[*KEY_TABLES.values()], checkfirst=False)
    for table, keys in KEY_TABLES.items():
        put_keys(connection, keys, read(connection, select(table)))
    connection.execute(text("DROP INDEX ix_operation_state"))
    present = {index["name"] for table in metadata.tables for index in inspect(connection).get_indexes(table)}
    for index in (index for table in metadata.tables.values() for index in table.indexes if index.name not in present):
        index.create(connection)


def _add_account_keys(connection: Connection) -> None:
    """Add the keys of the accounts of documents and Payments in the mirror. Each row is verified first.

    Raises:
        StoreDamagedError: a row does not match its checksum; the store is unchanged.
    """
    for kind in (*DOCUMENTS, PAYMENT):
        xero_ids = connection.scalars(select(xero_mirror.c.xero_id).where(xero_mirror.c.kind == kind)).all()
        query = of_kind(xero_mirror, xero_mirror.c.xero_id)
        for ids in chunks(xero_ids):  # not all rows at once, which may be hundreds of thousands
            put_keys(connection, mirror_key, read(connection, query, kind=kind, ids=ids))


def _add_days_to_account_keys(connection: Connection) -> None:
    """Add the day to the keys of accounts, and the time of posting to the index of the mapping by day.

    Raises:
        StoreDamagedError: a row does not match its checksum; the store is unchanged.
    """
    _add_account_keys(connection)
    connection.execute(text("DROP INDEX IF EXISTS ix_entity_mapping_partition"))
    mapped_on_day.create(connection, checkfirst=True)


MIGRATIONS: tuple[Migration, ...] = (
    _add_deleted_count,
    _add_checksums,
    _add_webhook_hints,
    _add_xero_times,
    _add_orphans,
    _use_standard_names,
    _add_keys,
    _add_account_keys,
    _add_days_to_account_keys,
)
"""Order matters: the function at index 0 migrates version 1 to version 2, and so on."""


class StoreTooNewError(Exception):
    """A newer version of this project wrote the store."""


def migrate(engine: Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Migrate a store to the present schema, or create the tables of an empty store.

    Args:
        engine: the engine of the state store.
        migrations: the migrations from version 1 on, in order.

    Raises:
        StoreTooNewError: the store has a newer schema than this version of the project.
        StoreUrlError: another program has tables with the names of ours in the database.
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
                f"STATE_URL names a database with tables of another program ({', '.join(present)}): give the state "
                "store its own database or schema."
            )
        if version > newest:
            raise StoreTooNewError(
                f"The state store has schema version {version}, this version of the project supports {newest}. Update "
                "the project."
            )
        for migration in migrations[version - 1 :]:
            migration(connection)
        if version < newest:
            connection.execute(update(meta).where(meta.c.name == "schema_version").values(value=str(newest)))


def _version(connection: Connection) -> int | None:
    columns = {column["name"] for column in inspect(connection).get_columns(meta.name)}
    if columns != set(meta.columns.keys()):
        return None
    version = connection.scalar(select(meta.c.value).where(meta.c.name == "schema_version"))
    return None if version is None else int(version)
