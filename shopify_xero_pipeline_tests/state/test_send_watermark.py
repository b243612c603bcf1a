"""Tests of the send watermark: a lost, older, replaced or damaged journal is not trusted."""

import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import store as state_store
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database_errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreReplacedError,
    StoreUnwritableError,
)
from shopify_xero_pipeline.state.records import Batch, BatchRequest
from shopify_xero_pipeline.state.send_watermark import TrustIssue
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.watermark_file import WatermarkClaim
from shopify_xero_pipeline_tests.support.postgres import Server
from shopify_xero_pipeline_tests.support.records import contact, item
from shopify_xero_pipeline_tests.support.world import World


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 21, 9, 0, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def opened(path: Path, clock: ManualClock) -> StateStore:
    return StateStore(f"sqlite:///{path}", clock)


def trusted(store: StateStore) -> StateStore:
    doubt = store.send_watermark.find_issue()
    assert doubt is not None
    store.send_watermark.trust(doubt)
    assert store.send_watermark.find_issue() is None
    return store


QUIET = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
"""By Xero's clock, some days ahead of ours."""


def intended(store: StateStore, key: str) -> Batch:
    request = BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key=key)
    return store.journal.intend(request, [])


def marked(store: StateStore, key: str, quiet_at: datetime | None = QUIET) -> Batch:
    return store.journal.mark_sent(intended(store, key), xero_quiet_at=quiet_at)


def send(store: StateStore, key: str, quiet_at: datetime | None = QUIET) -> None:
    store.send_watermark.record_send(lambda: marked(store, key, quiet_at))


def why(store: StateStore) -> str:
    doubt = store.send_watermark.find_issue()
    return "" if doubt is None else doubt.reason


def test_a_new_store_is_doubted_until_it_is_known_that_nothing_was_sent_before(path: Path, clock: ManualClock) -> None:
    with closing(opened(path, clock)) as store:
        doubt = store.send_watermark.find_issue()
        assert doubt is not None
        assert (doubt.new, doubt.quiet_at) == (True, None)


def test_a_store_that_knows_what_was_sent_last_is_trusted(path: Path, clock: ManualClock) -> None:
    with closing(trusted(opened(path, clock))) as store:
        send(store, "one")
    with closing(opened(path, clock)) as again:
        assert again.send_watermark.find_issue() is None


def test_a_restored_copy_is_doubted_until_what_it_does_not_know_is_quiet(path: Path, clock: ManualClock) -> None:
    with closing(trusted(opened(path, clock))) as store:
        send(store, "one")
        shutil.copy(path, path.with_name("backup"))
        clock.sleep(100)
        send(store, "two", QUIET + timedelta(seconds=100))
    clock.sleep(5_000)
    shutil.copy(path.with_name("backup"), path)
    with closing(opened(path, clock)) as restored:
        doubt = restored.send_watermark.find_issue()
        assert doubt is not None
        assert (doubt.quiet_at, doubt.new) == (QUIET + timedelta(seconds=100), False)
        assert "a copy was restored" in doubt.reason
        trusted(restored)
        send(restored, "three")
        assert restored.send_watermark.find_issue() is None


def test_a_copy_restored_under_a_running_load_stops_it_before_a_byte_leaves(path: Path, clock: ManualClock) -> None:
    with closing(trusted(opened(path, clock))) as store:
        send(store, "one")
        shutil.copy(path, path.with_name("backup"))
        for number in range(3):
            send(store, f"more {number}")
        shutil.copy(path.with_name("backup"), path)
        with pytest.raises(StoreReplacedError, match="replaced while it was in use"):
            send(store, "four")


@pytest.mark.parametrize("left", [[".witness"], []])
def test_a_deleted_store_is_doubted_with_its_watermark_file_and_without(
    path: Path, clock: ManualClock, left: list[str]
) -> None:
    with closing(trusted(opened(path, clock))) as store:
        send(store, "one")
    clock.sleep(60)
    for file in path.parent.glob("state.db*"):
        if file.suffix not in left:
            file.unlink()
    with closing(opened(path, clock)) as fresh:
        doubt = fresh.send_watermark.find_issue()
        assert doubt is not None
        assert (doubt.new, doubt.quiet_at) == ((False, QUIET) if left else (True, None))


def test_how_long_a_doubt_lasts_is_kept_where_no_watermark_file_has_it(path: Path, clock: ManualClock) -> None:
    with closing(opened(path, clock)) as store:
        doubt = store.send_watermark.find_issue()
        assert doubt is not None
        store.send_watermark.record_wait(doubt, QUIET)
    with closing(opened(path, clock)) as again:
        known = again.send_watermark.find_issue()
        assert known is not None
        assert (known.quiet_at, known.new) == (QUIET, True)
        again.send_watermark.trust(known)
        assert again.send_watermark.find_issue() is None


def test_a_watermark_file_of_an_earlier_version_has_no_quiet_time(path: Path, clock: ManualClock) -> None:
    said = f"epoch 1 {clock.now().isoformat()} {clock.now().isoformat()}"
    claim = WatermarkClaim.parse(f"{said} {digest(said)}")
    assert (claim.epoch, claim.batch, claim.sent_at, claim.quiet_at) == ("epoch", 1, clock.now(), None)


def test_a_store_without_its_watermark_file_is_doubted_once(path: Path, clock: ManualClock) -> None:
    with closing(trusted(opened(path, clock))) as store:
        send(store, "one")
        path.with_name("state.db.witness").unlink()
        doubt = store.send_watermark.find_issue()
        clock.sleep(300)
        assert doubt == store.send_watermark.find_issue()
        assert "missing or damaged" in why(store)
        trusted(store)


def test_a_watermark_file_in_which_a_bit_flipped_is_unreadable(path: Path, clock: ManualClock) -> None:
    with closing(trusted(opened(path, clock))) as store:
        send(store, "one")
        file = path.with_name("state.db.witness")
        said = file.read_bytes()
        for place in range(len(said)):
            assert (
                WatermarkClaim.parse((said[:place] + bytes([said[place] ^ 1]) + said[place + 1 :]).decode()).epoch == ""
            )
        file.write_bytes(said[:-1] + b"?")
        assert "missing or damaged" in why(store)


def test_the_watermark_names_the_request_that_was_marked_last_and_the_latest_quiet_time(
    path: Path, clock: ManualClock
) -> None:
    with closing(trusted(opened(path, clock))) as store:
        first = intended(store, "one")
        send(store, "two", QUIET + timedelta(seconds=1))
        store.send_watermark.record_send(lambda: store.journal.mark_sent(first, xero_quiet_at=QUIET))
        claim = WatermarkClaim.parse(path.with_name("state.db.witness").read_text())
        assert (claim.batch, claim.quiet_at) == (1, QUIET + timedelta(seconds=1))
        assert store.send_watermark.find_issue() is None


def test_a_copy_without_the_mark_of_a_request_that_another_one_overtook_is_detected(
    path: Path, clock: ManualClock
) -> None:
    copy = path.with_name("copy.db")
    with closing(trusted(opened(path, clock))) as store:
        overtaken = intended(store, "one")
        send(store, "two")
        copy.write_bytes(path.read_bytes())
        store.send_watermark.record_send(lambda: store.journal.mark_sent(overtaken, xero_quiet_at=QUIET))
    path.write_bytes(copy.read_bytes())
    with closing(opened(path, clock)) as restored:
        assert why(restored) == "it is older than the last request sent: a copy was restored"


def test_trust_leaves_the_name_of_the_request_that_was_marked_last(path: Path, clock: ManualClock) -> None:
    file = path.with_name("state.db.witness")
    with closing(trusted(opened(path, clock))) as store:
        overtaken = intended(store, "one")
        send(store, "two")
        store.send_watermark.record_send(lambda: store.journal.mark_sent(overtaken, xero_quiet_at=QUIET))
        last = file.read_text()
        store.send_watermark.trust(TrustIssue("a reason", None))
        assert file.read_text() == last


def test_each_host_of_a_server_has_a_watermark_file_and_reads_them_all(
    postgres: Server, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_schema()
    with closing(trusted(StateStore(url, clock, tmp_path))) as store:
        send(store, "one")
    monkeypatch.setattr("platform.node", lambda: "another host")
    with closing(StateStore(url, clock, tmp_path)) as other:
        assert other.send_watermark.find_issue() is None
        send(other, "two")
        assert len(list(tmp_path.glob("*.witness"))) == 2
    fallen_behind = postgres.new_schema()
    with closing(StateStore(fallen_behind, clock, tmp_path)) as store:
        assert why(store) == "it is new"


@contextmanager
def disk_full(limit: int) -> Iterator[None]:
    """No file of this process grows beyond a size: every write behind it fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_nothing_is_marked_sent_and_so_nothing_leaves(path: Path, clock: ManualClock) -> None:
    with closing(trusted(opened(path, clock))) as store:
        request = BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key="one")
        intended = store.journal.intend(request, [])
        with disk_full(0), pytest.raises(StoreUnwritableError, match="Free some disk space"):
            store.journal.mark_sent(intended)
        sent = store.journal.mark_sent(intended)
        with disk_full(0), pytest.raises(StoreUnwritableError, match="witness"):
            store.send_watermark.record_send(lambda: sent)


def test_a_watermark_file_that_another_process_locks_is_busy_and_not_unwritable(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is told to come again: no disk space or permission is missing."""
    monkeypatch.setattr(state_store, "LOCK_SECONDS", 0)
    with closing(trusted(opened(path, clock))) as store, closing(opened(path, clock)) as other:
        request = BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key="one")
        sent = store.journal.mark_sent(store.journal.intend(request, []))
        with other.send_watermark._file.lock(), pytest.raises(StoreBusyError, match="is locked by another process"):
            store.send_watermark.record_send(lambda: sent)
        store.send_watermark.record_send(lambda: sent)


def test_a_database_that_may_not_grow_is_told_as_unwritable(path: Path, clock: ManualClock) -> None:
    with closing(opened(path, clock)) as store:
        with disk_full(path.stat().st_size), pytest.raises(StoreUnwritableError):
            store.put_value("much", "x" * 100_000)
        assert store.get_value("much") is None


@pytest.mark.usefixtures("store_with_a_record")
@pytest.mark.parametrize("statement", [
    "UPDATE operation SET reason = 'x'",
    "DELETE FROM operation WHERE id = 1",
    "UPDATE batch SET first_sent_at = '2026-01-01T00:00:00.000000Z'",
    "UPDATE entity_mapping SET xero_id = 'another'",
    "DELETE FROM entity_mapping",
])  # fmt: skip
def test_rows_that_do_not_say_what_was_written_there_are_found_before_a_load(
    path: Path, clock: ManualClock, statement: str
) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with closing(opened(path, clock)) as store, pytest.raises(StoreDamagedError, match="Run `shopify-xero rebuild`"):
        store.verify()


@pytest.fixture
def store_with_a_record(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.load(contact(), item())
    world.store.verify()
    world.store.close()
