"""Tests of the quarantine: nothing is deleted, and rows that exist nowhere else are carried over."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.database_errors import StoreUrlError
from shopify_xero_pipeline.state.quarantine import QuarantinedStore, quarantine_store, store_exists
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.support.postgres import Server

NOW = datetime(2026, 9, 22, 8, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def test_a_store_is_put_aside_with_all_it_holds_and_a_new_one_begins_empty(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    store.put_value("shop", "goods.myshopify.com")
    store.privacy.note_redaction("7", {"keys": ["shopify:7"]})
    store.close()
    assert store_exists(url)

    aside = quarantine_store(url, NOW)

    assert aside is not None
    assert [row["key"] for row in aside.carried_over["key_value"]] == ["redacted_contact.7"]
    assert aside.carried_over["oauth_token"] == []
    with closing(StateStore(url, clock)) as new:
        assert new.get_value("shop") is None
    assert old_shop(url, aside) == "goods.myshopify.com"


def test_a_damaged_row_is_lost_and_the_others_are_carried_over(store: StateStore, url: str) -> None:
    for customer in ("7", "8", "9"):
        store.privacy.note_redaction(customer, {"keys": [f"shopify:{customer}"]})
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE key_value SET value = '{}' WHERE key = 'redacted_contact.7'"))
        connection.execute(text("UPDATE key_value SET updated_at = '2026-09-22U08:30:00.000000Z' WHERE key LIKE '%.8'"))
    store.close()
    aside = quarantine_store(url, NOW + timedelta(minutes=1))
    assert aside is not None
    assert [row["key"] for row in aside.carried_over["key_value"]] == ["redacted_contact.9"]


def old_shop(url: str, aside: QuarantinedStore) -> str:
    """Return the shop in the quarantined store."""
    statement, where = "SELECT value FROM key_value WHERE key = 'shop'", url
    if url.startswith("sqlite"):
        assert aside.name.endswith("state.db.damaged-20260922T083000Z")
        where = f"sqlite:///{aside.name}"
    else:
        assert aside.name.startswith("schema damaged_20260922t083000z of postgresql://")
        statement = statement.replace("key_value", "damaged_20260922t083000z.key_value")
    engine = open_database(where).engine
    with engine.begin() as connection:
        found = str(connection.scalar(text(statement)))
    engine.dispose()
    return found


def test_where_there_is_no_store_there_is_nothing_to_put_aside(url: str) -> None:
    if url.startswith("sqlite"):
        assert not store_exists(url)
    assert quarantine_store(url, NOW) is None


def test_a_file_that_is_no_database_any_more_is_put_aside_with_its_journal_and_beside_an_earlier_one(
    tmp_path: Path,
) -> None:
    url, names = f"sqlite:///{tmp_path / 'state.db'}", []
    for content in ("ruined", "ruined again"):
        (tmp_path / "state.db").write_text(content)
        (tmp_path / "state.db-journal").write_text(f"journal of {content}")
        aside = quarantine_store(url, NOW)
        assert aside is not None
        assert aside.carried_over == {"oauth_token": [], "key_value": [], "webhook_hint": [], "kept_record": []}
        names.append(Path(aside.name))
    assert [path.read_text() for path in names] == ["ruined", "ruined again"]
    assert Path(f"{names[1]}-journal").read_text() == "journal of ruined again"
    assert not (tmp_path / "state.db").exists()


def test_a_postgres_user_who_may_not_make_schemas_is_told_what_to_do(postgres: Server, clock: ManualClock) -> None:
    url = postgres.new_schema()
    StateStore(url, clock).close()
    schema = url.rpartition("%3D")[2]
    postgres.run(f"CREATE ROLE mover LOGIN; GRANT ALL ON SCHEMA {schema} TO mover", postgres.shared)
    with pytest.raises(
        StoreUrlError, match=r"cannot be moved to the schema damaged_20260922t083000z: .*GRANT CREATE ON"
    ):
        quarantine_store(url.replace("postgres@", "mover@", 1), NOW)
