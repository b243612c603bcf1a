"""Tests of the mark of the store's file: when a store is verified completely before a load."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import verification
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.file_mark import FileMark
from shopify_xero_pipeline.state.store import VERIFIED_KEY, StateStore
from shopify_xero_pipeline_tests.support.postgres import Server
from shopify_xero_pipeline_tests.support.records import contact, item
from shopify_xero_pipeline_tests.support.world import World

NIGHT = timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 21, 9, 0, tzinfo=UTC))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each complete verification and each quick check."""
    made: list[str] = []

    def counted(name: str, whole: Callable[[Engine], None], engine: Engine) -> None:
        made.append(name)
        whole(engine)

    for name in ("verify", "quick_check"):
        monkeypatch.setattr(verification, name, partial(counted, name, getattr(verification, name)))
    return made


@pytest.fixture
def path(tmp_path: Path, clock: ManualClock, passes: list[str]) -> Path:
    """Return the path of a store that was verified and closed."""
    path = tmp_path / "state.db"
    with opened(path, clock) as store:
        store.verify_if_due()
    passes.clear()
    return path


def opened(path: Path, clock: ManualClock) -> closing[StateStore]:
    return closing(StateStore(f"sqlite:///{path}", clock))


def load(path: Path, clock: ManualClock) -> None:
    """Do with the store what a process does before its first load."""
    with opened(path, clock) as store:
        store.verify_if_due()
        store.put_value("name", "text")


def test_a_process_does_not_verify_a_store_that_only_this_project_changed(
    path: Path, clock: ManualClock, passes: list[str]
) -> None:
    for _ in range(3):
        load(path, clock)
    with opened(path, clock) as one, opened(path, clock) as other:
        one.put_value("name", "one")
        other.put_value("name", "other")
    load(path, clock)
    assert passes == []


def test_a_store_is_verified_again_after_two_days(path: Path, clock: ManualClock, passes: list[str]) -> None:
    clock.sleep((2 * NIGHT - timedelta(minutes=1)).total_seconds())
    load(path, clock)
    assert passes == []
    clock.sleep(120)
    load(path, clock)
    load(path, clock)
    assert passes == ["verify"]


def test_a_store_is_verified_again_with_a_new_schema(path: Path, clock: ManualClock, passes: list[str]) -> None:
    with opened(path, clock) as store:
        store.put_value(VERIFIED_KEY, "7")
    load(path, clock)
    load(path, clock)
    assert passes == ["verify"]


def by_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 7")


def by_a_copy(path: Path) -> None:
    shutil.copyfile(path, copy := path.with_suffix(".copy"))
    copy.replace(path)


def by_a_lost_mark(path: Path) -> None:
    path.with_name("state.db.mark").unlink()


def by_a_torn_mark(path: Path) -> None:
    path.with_name("state.db.mark").write_bytes(b"\xff\x00")


def by_a_longer_file(path: Path) -> None:
    times = path.stat()
    with path.open("ab") as file:
        file.write(b"\0" * 4096)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("change", [by_another_program, by_a_copy, by_a_lost_mark, by_a_torn_mark])
def test_a_store_that_something_else_changed_is_verified_before_a_load(
    path: Path, clock: ManualClock, passes: list[str], change: object
) -> None:
    assert callable(change)
    time.sleep(0.05)  # the resolution of a file's time
    change(path)
    load(path, clock)
    assert passes == ["quick_check", "verify"]
    load(path, clock)
    assert passes == ["quick_check", "verify"], "once"


def test_a_process_that_does_not_verify_hides_no_change_from_the_next_load(
    path: Path, clock: ManualClock, passes: list[str]
) -> None:
    time.sleep(0.05)
    by_another_program(path)
    for _ in range(2):
        with opened(path, clock) as looking:
            looking.put_value("name", "looked")
    assert passes == ["quick_check", "quick_check"]
    load(path, clock)
    assert passes[2:] == ["quick_check", "verify"]


def test_a_process_that_was_running_hides_no_change_from_the_next_load(
    path: Path, clock: ManualClock, passes: list[str]
) -> None:
    with opened(path, clock) as running:
        running.put_value("name", "before")
        time.sleep(0.05)
        by_another_program(path)
        running.put_value("name", "after")
        load(path, clock)
        assert passes == ["quick_check", "verify"]
        running.verify_if_due()
        assert passes[2:] == ["verify"], "it saw the change itself"
    load(path, clock)
    assert len(passes) == 3


def test_a_running_process_whose_mark_was_lost_writes_it_again_once_it_has_verified(
    path: Path, clock: ManualClock, passes: list[str]
) -> None:
    with opened(path, clock) as running:
        running.put_value("name", "before")
        by_a_lost_mark(path)
        running.verify_if_due()
        running.verify_if_due()
    load(path, clock)
    assert passes == ["verify"]


def test_a_file_of_another_length_does_not_fit_whatever_its_time(path: Path) -> None:
    assert FileMark(path).fits()
    by_a_longer_file(path)
    assert not FileMark(path).fits()


def test_a_process_that_died_before_it_left_its_mark_leaves_a_store_to_verify(
    path: Path, clock: ManualClock, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(FileMark, "write", lambda _: None)
        load(path, clock)
    load(path, clock)
    assert passes == ["quick_check", "verify"]


def test_a_mark_that_cannot_be_written_is_no_error(path: Path, clock: ManualClock, passes: list[str]) -> None:
    mark = path.with_name("state.db.mark")
    mark.unlink()
    mark.mkdir()
    load(path, clock)
    assert passes == ["quick_check", "verify"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.load(contact(), item())
    world.load(contact(), item())
    return world


def damage_below_the_mark(world: World, statement: str) -> None:
    """Change rows without a new size or time of the file, as a failing disk does, and start a process."""
    world.store.close()
    path = Path(str(world.store._engine.url.database))
    before = path.stat()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert FileMark(path).fits()
    world.restart()


@pytest.mark.parametrize(("statement", "damage"), [
    ("DELETE FROM entity_mapping WHERE kind = 'contact'", "a written record is missing from the mapping"),
    ("UPDATE entity_mapping SET shopify_id = '9' WHERE kind = 'contact'", "a written record is missing from"),
    ("UPDATE entity_mapping SET xero_id = 'x' WHERE kind = 'contact'", "a row of entity_mapping does not match"),
    ("UPDATE xero_mirror SET status = 'x' WHERE kind = 'contact'", "a row of xero_mirror does not match"),
])  # fmt: skip
def test_damage_of_a_row_that_a_load_needs_stops_the_load(world: World, statement: str, damage: str) -> None:
    damage_below_the_mark(world, statement)
    calls = world.client.calls
    with pytest.raises(StoreDamagedError, match=damage):
        world.load(contact(email="new@example.com"))
    assert world.client.calls == calls, "nothing was written"


@pytest.mark.parametrize("statement", [
    "UPDATE operation SET reason = 'x' WHERE kind = 'item'",
    "DELETE FROM operation WHERE id = 1",
    "DELETE FROM mirror_key",
    "UPDATE entity_mapping SET natural_key = 'x' WHERE kind = 'item'",
])  # fmt: skip
def test_damage_of_a_row_that_no_load_needs_is_found_at_night(world: World, statement: str) -> None:
    damage_below_the_mark(world, statement)
    with pytest.raises(StoreDamagedError):
        world.store.verify()


def test_a_store_on_a_server_has_no_mark(postgres: Server, clock: ManualClock, passes: list[str]) -> None:
    url = postgres.new_schema()
    for _ in range(2):
        with closing(StateStore(url, clock)) as store:
            store.verify_if_due()
    assert passes == ["verify"]
