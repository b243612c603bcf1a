"""Tests of the keys of mapping and mirror rows: what they are, that they follow their rows, and that damage shows."""

from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import verification
from shopify_xero_pipeline.state.canonical import canonical_json
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.record_keys import (
    day_key,
    document_key,
    email_key,
    foreign_key,
    mapping_keys,
    mirror_keys,
    name_key,
    number_key,
    order_key,
)
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.state.row_writes import delete_record, write_mapping
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.support.rows import mapped_row, mirror_row

NOW = datetime(2026, 9, 21, 9, 0, tzinfo=UTC)
DOCUMENT = {"kind": "invoice", "natural_key": "SH-1001", "reference": "#1001 shopify:77/1"}
LINK = '{"Url":"https://admin.shopify.com/store/shop/orders/78"}'
BY_MILLISECONDS = '{"Date":"/Date(1789948800000+0000)/"}'
BY_TEXT = '{"Date":"/Date(0)/","DateString":"2026-09-19T00:00:00"}'
THE_DAY = day_key(date(2026, 9, 21))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def contact(**fields: str) -> MirrorRecord:
    return mirror_row(natural_key="shopify:1", payload=canonical_json(fields))


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        (contact(), {"number:shopify:1"}),
        (contact(Name="Ana Ruß"), {"number:shopify:1", "name:ana russ"}),
        (contact(Name="Ana", EmailAddress="A@B.c"), {"number:shopify:1", "name:ana", "email:a@b.c"}),
        (mirror_row(kind="item", natural_key="V12"), {"number:v12"}),
        (mirror_row(**DOCUMENT), {"number:sh-1001", "order:77", THE_DAY}),
        (mirror_row(**DOCUMENT, payload=BY_MILLISECONDS), {"number:sh-1001", "order:77", THE_DAY}),
        (mirror_row(**DOCUMENT, payload=BY_TEXT), {"number:sh-1001", "order:77", "day:2026-09-19"}),
        (mirror_row(**DOCUMENT | {"reference": "for shopify:77/1 and shopify:78/2"}),
         {"number:sh-1001", "order:77", "order:78", THE_DAY}),
        (mirror_row(**DOCUMENT | {"reference": "mine"}, payload=LINK), {"number:sh-1001", "order:78", THE_DAY}),
        (mirror_row(**DOCUMENT | {"reference": "mine"}), {"number:sh-1001", "foreign:sh-1001"}),
        (mirror_row(kind="payment", natural_key="shopify:77/5|SH-1001", reference="shopify:77/5"),
         {"number:shopify:77/5|sh-1001", "document:SH-1001", "order:77", THE_DAY}),
        (mirror_row(kind="payment", natural_key="|SH-1001"), {"number:|sh-1001", "document:SH-1001"}),
        (mirror_row(kind="allocation", natural_key="CN-1|SH-1001|5", reference="x-9"),
         {"number:cn-1|sh-1001|5", "document:CN-1", "document:SH-1001"}),
        (mirror_row(), set()),
    ],
)  # fmt: skip
def test_a_mirrored_record_has_the_keys_by_which_a_day_asks_for_it(row: MirrorRecord, keys: set[str]) -> None:
    assert mirror_keys(row.model_dump()) == keys


def test_a_mapped_record_has_its_number_and_a_contact_its_posted_name() -> None:
    posted = mapped_row(payload='{"name":"Ana Ruß"}')
    assert mapping_keys(posted.model_dump()) == {number_key("SHOPIFY:1"), name_key("ANA RUSS")}
    assert mapping_keys(mapped_row(kind="invoice", payload='{"name":"x"}').model_dump()) == {"number:shopify:1"}


def test_keys_follow_their_rows(store: StateStore) -> None:
    def known(*keys: str) -> list[str]:
        return [row.xero_id for row in store.mirror_by_key("contact", keys)]

    store.update_mirror("contact", [contact(Name="Ana", EmailAddress="a@b.c")], NOW)
    assert known(name_key("ANA"), email_key("A@b.c"), number_key("shopify:1")) == ["x-1"], "once, whatever the keys"
    store.update_mirror("contact", [contact(Name="Bea").model_copy(update={"updated_at": NOW})], NOW)
    assert (known(name_key("Ana")), known(email_key("a@b.c")), known(name_key("Bea"))) == ([], [], ["x-1"])
    store.update_mirror("contact", [], NOW, gone_before=NOW)
    assert known(name_key("Bea"), number_key("shopify:1")) == []
    assert store.mirror_by_key("contact", []) == []


def test_a_deleted_record_leaves_no_key(store: StateStore) -> None:
    posted = mapped_row(payload='{"name":"Ana"}')
    with store._engine.begin() as connection:
        write_mapping(connection, [posted], NOW)
    assert store.mapped_by_key("contact", {name_key("ana")}) == [posted]
    assert store.mapped_by_xero_id("contact", {"x-1", "x-2"}) == {"x-1": posted}
    with store._engine.begin() as connection:
        delete_record(connection, "contact", "1", "x-1", NOW)
        assert connection.execute(text("SELECT count(*) FROM mapping_key")).scalar() == 0
    assert store.mapped_by_key("contact", {name_key("ana")}) == []


def test_an_allocation_that_its_credit_note_no_longer_has_leaves_no_key(store: StateStore) -> None:
    note = mirror_row(kind="credit_note", xero_id="n-1", natural_key="CN-1")
    allocation = mirror_row(kind="allocation", xero_id="a-1", natural_key="CN-1|SH-1|5", reference="n-1")
    store.update_mirror("credit_note", [note], NOW, carried=[allocation])
    assert store.mirror_by_key("allocation", {document_key("SH-1")}) == [allocation]
    store.update_mirror("credit_note", [note], NOW)
    assert store.mirror_by_key("allocation", {document_key("SH-1")}) == []
    store.verify()


def test_unmapped_records_are_found_by_key_and_by_a_range_of_days(store: StateStore) -> None:
    ours = mirror_row(**DOCUMENT)
    theirs = mirror_row(**DOCUMENT | {"natural_key": "SH-9"}, xero_id="x-9")
    store.update_mirror("invoice", [ours, theirs], NOW)
    with store._engine.begin() as connection:
        write_mapping(connection, [mapped_row(kind="invoice", natural_key="SH-1001", order_id="77")], NOW)
    assert store.unmapped_by_key("invoice", {order_key("77")}) == [theirs]
    assert store.unmapped_by_key("invoice", []) == []
    assert store.unmapped_between("invoice", day_key(date.min), day_key(date(2026, 9, 22))) == [theirs]
    assert store.unmapped_between("invoice", day_key(date.min), THE_DAY) == []


def test_a_redacted_contact_keeps_only_the_key_of_its_number(store: StateStore) -> None:
    with store._engine.begin() as connection:
        write_mapping(connection, [mapped_row(payload='{"name":"Ana"}')], NOW)
    store.update_mirror("contact", [contact(Name="Ana", EmailAddress="a@b.c", ContactNumber="shopify:1")], NOW)
    store.privacy.redact_contact("1", "{}")
    with store._engine.begin() as connection:
        keys = [*connection.scalars(text("SELECT key FROM mapping_key UNION ALL SELECT key FROM mirror_key"))]
    assert keys == ["number:shopify:1"] * 2
    again = contact(Name="Ana", EmailAddress="a@b.c", ContactNumber="shopify:1")
    store.update_mirror("contact", [again.model_copy(update={"updated_at": NOW})], NOW)
    assert store.mirror_by_key("contact", {name_key("Ana"), email_key("a@b.c")}) == []
    _verify_rows(store)


@pytest.mark.parametrize("damage", [
    "DELETE FROM mirror_key WHERE key = 'order:77'",
    "UPDATE mirror_key SET key = 'order:78' WHERE key = 'order:77'",
    "UPDATE mirror_key SET xero_id = 'x-7' WHERE key = 'order:77'",
    "INSERT INTO mirror_key VALUES ('invoice', 'x-1', 'order:78')",
    "INSERT INTO mirror_key VALUES ('invoice', 'x-8', 'order:78')",
    "DELETE FROM mapping_key",
    "UPDATE mapping_key SET kind = 'item'",
])  # fmt: skip
def test_keys_that_do_not_match_their_rows_are_damage(store: StateStore, damage: str) -> None:
    store.update_mirror("invoice", [mirror_row(**DOCUMENT)], NOW)
    with store._engine.begin() as connection:
        write_mapping(connection, [mapped_row(kind="contact")], NOW)
        connection.execute(text(damage))
    with pytest.raises(StoreDamagedError, match=r"key"):
        _verify_rows(store)


def test_a_row_that_is_found_by_a_key_of_another_is_damage(store: StateStore) -> None:
    store.update_mirror("invoice", [mirror_row(**DOCUMENT)], NOW)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE mirror_key SET key = 'order:78' WHERE key = 'order:77'"))
    with pytest.raises(StoreDamagedError, match="a row of mirror_key does not belong to its record"):
        store.mirror_by_key("invoice", {order_key("78")})


def test_a_store_opened_again_knows_the_numbers_of_people(url: str, clock: ManualClock) -> None:
    with closing(StateStore(url, clock)) as store:
        store.update_mirror("invoice", [mirror_row(kind="invoice", natural_key="SH-7")], NOW)
    with closing(StateStore(url, clock)) as again:
        (row,) = again.unmapped_between("invoice", foreign_key("SH-"), foreign_key("SH-:"))
        assert row.natural_key == "SH-7"


def _verify_rows(store: StateStore) -> None:
    """Verify as before a load, but without the rows of the journal that these tests do not write."""
    verification._verify_rows(store._engine)
    with store._engine.begin() as connection:
        for words, query in verification.CONTRADICTIONS.items():
            if "key" in words and connection.scalar(text(f"SELECT count(*) FROM {query}")):
                raise StoreDamagedError(words)
