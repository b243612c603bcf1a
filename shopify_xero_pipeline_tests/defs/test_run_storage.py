"""Dagster's storage keeps its connections, and in everything else behaves as Dagster's own classes."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import dagster as dg
import pytest
from sqlalchemy import Connection, Pool, event, text
from sqlalchemy.exc import IntegrityError

from shopify_xero_pipeline.defs.run_storage import SqliteFile

ROOT = Path(__file__).parents[2]
OURS = (ROOT / "dagster.yaml").read_text()
DAGSTERS = "telemetry: {enabled: false}\n"
RUN = "7f038e69-06f4-48e0-b9b2-e01f4d2bf4e4"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for an instance, which is not DAGSTER_HOME: that of `dagster dev` without one is a temporary folder."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "unused"))
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@contextmanager
def opened(home: Path, settings: str = OURS) -> Iterator[dg.DagsterInstance]:
    (home / "dagster.yaml").write_text(settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def a_run(instance: dg.DagsterInstance, run_id: str = RUN) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun(job_name="sync", run_id=run_id, status=dg.DagsterRunStatus.STARTED))


def messages(instance: dg.DagsterInstance, run_id: str = RUN) -> list[str]:
    return [record.event_log_entry.message for record in instance.get_records_for_run(run_id).records]


def materialise(instance: dg.DagsterInstance, count: int) -> str:
    """Run so many assets, each with a check, and return the id of the run."""

    def build(number: int) -> dg.AssetsDefinition:
        spec = dg.AssetCheckSpec("fine", asset=f"asset_{number}")

        @dg.asset(name=f"asset_{number}", check_specs=[spec])
        def asset() -> dg.MaterializeResult:  # type: ignore[type-arg]  # the annotation that Dagster accepts
            return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

        definition: dg.AssetsDefinition = asset
        return definition

    result = dg.materialize([build(number) for number in range(count)], instance=instance)
    assert result.success
    return result.run_id


def in_another_process(home: Path, lines: str, expected_code: int = 0) -> None:
    script = f"import dagster as dg, os, signal\nwith dg.DagsterInstance.get() as instance:\n{lines}"
    environ = {**os.environ, "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True)
    assert result.returncode == expected_code, result.stderr


def open_files(home: Path) -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue
    return sorted(Path(name).name for name in found if name.startswith(str(home)) and name.endswith(".db"))


@contextmanager
def counted_openings() -> Iterator[list[object]]:
    opened: list[object] = []

    def count(connection: object, _record: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", count)
    try:
        yield opened
    finally:
        event.remove(Pool, "connect", count)


def test_the_settings_of_the_project_name_this_storage_and_dagsters_own_files(home: Path) -> None:
    with opened(home) as instance:
        names = {type(storage).__name__ for storage in (instance.event_log_storage, instance.run_storage)}
        materialise(instance, 1)
    assert names == {"SqliteEventLog", "SqliteRuns"}
    with opened(home, DAGSTERS) as instance:
        names = {type(storage).__name__ for storage in (instance.event_log_storage, instance.run_storage)}
        assert len(instance.get_runs()) == 1
    assert names == {"SqliteEventLogStorage", "SqliteRunStorage"}


def test_the_files_are_opened_as_often_for_twenty_assets_as_for_two(home: Path) -> None:
    with opened(home) as instance:
        materialise(instance, 2)
        with counted_openings() as few:
            materialise(instance, 2)
        with counted_openings() as many:
            materialise(instance, 20)
    with opened(home, DAGSTERS) as instance, counted_openings() as dagsters:
        materialise(instance, 20)
    assert len(few) == len(many) <= 6
    assert len(dagsters) > 200


def test_either_class_reads_the_history_of_the_other(home: Path) -> None:
    with opened(home, DAGSTERS) as instance:
        first = materialise(instance, 2)
        before = messages(instance, first)
    with opened(home) as instance:
        assert messages(instance, first) == before
        assert instance.get_latest_materialization_event(dg.AssetKey("asset_1")) is not None
        second = materialise(instance, 3)
        after = messages(instance, second)
    with opened(home, DAGSTERS) as instance:
        assert {run.run_id for run in instance.get_runs()} == {first, second}
        assert (messages(instance, first), messages(instance, second)) == (before, after)
        newest = instance.get_latest_materialization_event(dg.AssetKey("asset_1"))
        assert newest is not None
        assert newest.run_id == second


def test_processes_see_what_the_others_have_stored(home: Path) -> None:
    with opened(home) as instance:
        run = a_run(instance)
        instance.report_engine_event("by this process", run)
        assert messages(instance) == ["by this process"]
        store = f"    run = instance.get_run_by_id({RUN!r})\n    instance.report_engine_event('by the other', run)\n"
        in_another_process(home, f"{store}    instance.report_run_failed(run)\n")
        assert messages(instance)[:2] == ["by this process", "by the other"]
        found = instance.get_run_by_id(RUN)
        assert found is not None
        assert found.status is dg.DagsterRunStatus.FAILURE
        count = f"    assert len(instance.get_records_for_run({RUN!r}).records) == 4\n"
        instance.report_engine_event("by this process again", run)
        in_another_process(home, count)


def test_every_event_of_a_killed_process_is_there(home: Path) -> None:
    with opened(home) as instance:
        a_run(instance)
    store = "\n".join(
        [
            f"    run = instance.get_run_by_id({RUN!r})",
            "    for number in range(40): instance.report_engine_event(str(number), run)",
            "    os.kill(os.getpid(), signal.SIGKILL)",
        ]
    )
    in_another_process(home, store, expected_code=-9)
    with opened(home, DAGSTERS) as instance:
        assert messages(instance) == [str(number) for number in range(40)]


@pytest.mark.parametrize("runs", [12, pytest.param(1_000, marks=pytest.mark.long)])
def test_the_number_of_open_files_does_not_grow_with_the_runs_of_a_process(home: Path, runs: int) -> None:
    counts = list[int]()
    with opened(home) as instance:
        for number in range(runs):
            run = a_run(instance, f"{number:08}-06f4-48e0-b9b2-e01f4d2bf4e4")
            instance.report_engine_event("under way", run)
            assert {*open_files(home)} == {f"{run.run_id}.db", "index.db", "runs.db"}
            if number % 2:
                instance.report_run_failed(run)
                assert {*open_files(home)} == {"index.db", "runs.db"}
                counts.append(len(open_files(home)))
        assert len(instance.get_runs()) == runs
        assert len(messages(instance, "00000000-06f4-48e0-b9b2-e01f4d2bf4e4")) == 1
    assert counts == [counts[0]] * (runs // 2)
    assert open_files(home) == []


def test_threads_store_events_side_by_side(home: Path) -> None:
    with opened(home) as instance:
        runs = [a_run(instance, f"{number:08}-06f4-48e0-b9b2-e01f4d2bf4e4") for number in range(4)]

        def store(run: dg.DagsterRun) -> None:
            for number in range(15):
                instance.report_engine_event(str(number), run)

        threads = [threading.Thread(target=store, args=[run]) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [messages(instance, run.run_id) for run in runs] == [[str(number) for number in range(15)]] * 4


def test_whoever_watches_a_run_is_told_of_events_that_another_process_stores(home: Path) -> None:
    """As the log of a run in the UI, which the webserver watches while the run is in another process."""
    told: Queue[str] = Queue()

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        told.put(entry.message)

    with opened(home) as instance, opened(home) as writing:
        run = a_run(writing)
        instance.watch_event_logs(RUN, None, hear)
        for message in ("first", "second", "third"):
            writing.report_engine_event(message, run)
            assert told.get(timeout=60) == message
        instance.end_watch_event_logs(RUN, hear)


def _insert(connection: Connection, *numbers: int) -> None:
    for number in numbers:
        connection.execute(text("insert into numbers values (:number)"), {"number": number})


def test_an_exception_rolls_a_transaction_back(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "some.db")
    with file.transaction() as connection:
        connection.execute(text("create table numbers (number integer unique)"))
    with pytest.raises(IntegrityError), file.transaction() as connection:
        _insert(connection, 1, 2, 1)
    with file.transaction() as connection:
        assert connection.scalar(text("select count(*) from numbers")) == 0
    file.close()


def test_a_file_in_place_of_another_is_opened_anew(tmp_path: Path) -> None:
    """An operator moves damaged files aside while the UI runs: nothing may be stored in the files moved away."""
    kept, moved = tmp_path / "some.db", tmp_path / "aside.db"
    file, other = SqliteFile(kept), SqliteFile(moved)
    with file.transaction() as connection:
        connection.execute(text("create table numbers (number integer)"))
    kept.rename(moved)
    with file.transaction() as connection:
        connection.execute(text("create table letters (letter text)"))
    with other.transaction() as connection:
        assert connection.scalars(text("select name from sqlite_master")).all() == ["numbers"]
    file.close()
    other.close()


def test_a_forked_process_does_not_use_the_connection_of_its_parent(tmp_path: Path) -> None:
    script = f"""
import os
from sqlalchemy import text
from shopify_xero_pipeline.defs.run_storage import SqliteFile
file = SqliteFile({str(tmp_path / "some.db")!r})
with file.transaction() as connection:
    connection.execute(text("PRAGMA journal_mode=WAL"))
    connection.execute(text("create table numbers (number integer)"))
parents = file._engine
if (child := os.fork()) == 0:
    with file.transaction() as connection:
        connection.execute(text("insert into numbers values (1)"))
    os._exit(0 if file._engine is not parents else 1)
assert os.waitpid(child, 0)[1] == 0
with file.transaction() as connection:
    connection.execute(text("insert into numbers values (2)"))
    assert connection.scalars(text("select number from numbers order by number")).all() == [1, 2]
    assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
assert file._engine is parents
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
