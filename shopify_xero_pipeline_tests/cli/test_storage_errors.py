"""Faults of the disk and of Dagster's own storage, as a command meets them: one sentence, a remedy, no traceback."""

import errno
import os
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from upath import UPath

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.cli import exit_codes, job_runner
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.storage_errors import StorageFault
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.state import database
from shopify_xero_pipeline_tests.cli.test_cli import invoke
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

pytestmark = pytest.mark.campaign

SETTINGS = "telemetry: {enabled: false}\nnux: {enabled: false}\n"
RUBBISH = b"rubbish, and nothing but rubbish " * 200


class House:
    """A stage whose runs are recorded in a real DAGSTER_HOME on the disk."""

    def __init__(self, stage: Stage, home: Path) -> None:
        self.stage = stage
        self.home = home

    def sync(self) -> Result:
        return invoke("sync", "--day", str(FIRST))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(SETTINGS)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("LOG_FOLDER", str(tmp_path / "log"))
    with staged(tmp_path, at(FIRST + timedelta(days=1))) as stage:

        @contextmanager
        def connected() -> Iterator[tuple[SyncService, UPath]]:
            yield stage.sync_service, UPath(stage.folder / "assets")

        monkeypatch.setattr(cli.options, "open_service", connected)
        yield House(stage, home)


@contextmanager
def disk_full(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full."""
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def one_sentence(result: Result, code: int, *words: str) -> str:
    """Check that a command ended with one sentence that holds these words, and return it."""
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("The log is")]
    assert (result.exit_code, len(lines)) == (code, 1), result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)
    assert [one for one in words if one not in lines[0]] == []
    return lines[0]


def a_file(home: Path) -> None:
    shutil.rmtree(home)
    home.write_text("a file")


def no_yaml(home: Path) -> None:
    (home / "dagster.yaml").write_text("storage: [")


def unknown_setting(home: Path) -> None:
    (home / "dagster.yaml").write_text("nonsense: 3")


def unknown_storage(home: Path) -> None:
    (home / "dagster.yaml").write_text("storage: {postgres: {postgres_url: 'postgresql://u:geheim@127.0.0.1:1/d'}}")


def rubbish_runs(home: Path) -> None:
    (home / "history").mkdir()
    (home / "history" / "runs.db").write_bytes(RUBBISH)


def a_folder_for_runs(home: Path) -> None:
    (home / "history" / "runs.db").mkdir(parents=True)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (a_file, ("DAGSTER_HOME names", "cannot be used as a folder", "name a folder that this user may write to")),
        (no_yaml, ("dagster.yaml line 1 is not YAML",)),
        (unknown_setting, ("dagster.yaml is not accepted by Dagster", "nonsense", "Correct it, or delete it")),
        (unknown_storage, ("dagster.yaml is not accepted by Dagster", "Correct it, or delete it")),
        (rubbish_runs, ("it is damaged", "no data of the books", "move its folders `history` and `schedules` aside")),
        (a_folder_for_runs, ("not writable", "repair the disk or the permissions")),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("sync", "--day", str(FIRST)),
        pytest.param(("alerts",), marks=pytest.mark.long),
        pytest.param(("retry", "--all"), marks=pytest.mark.long),
    ],
)
def test_a_dagster_home_that_cannot_be_used_is_told_in_one_sentence_with_a_remedy(
    house: House, harm: Callable[[Path], None], words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    harm(house.home)
    sentence = one_sentence(invoke(*command), exit_codes.FIX_SETTING, str(house.home), *words)
    assert "geheim" not in sentence
    assert house.stage.size() == 0


def test_what_a_run_needs_of_dagster_may_be_moved_aside_as_the_remedy_says(house: House) -> None:
    assert house.sync().exit_code == 0
    size = house.stage.size()
    for file in (house.home / "history").rglob("*.db"):
        file.write_bytes(RUBBISH)
    one_sentence(house.sync(), exit_codes.FIX_SETTING, "move its folders `history` and `schedules` aside")
    for folder in ("history", "schedules"):
        (house.home / folder).rename(house.home / f"{folder}.old")
    assert house.sync().exit_code == 0
    assert house.stage.size() == size


def test_a_storage_that_another_process_keeps_is_told_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("alerts").exit_code in (0, 1)
    with sqlite3.connect(house.home / "history" / "runs.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        one_sentence(house.sync(), exit_codes.RETRY_LATER, "locked by another process", "run again")


@pytest.mark.parametrize("size", [0, 40_000, 80_000, 120_000, 200_000, 400_000])
def test_a_disk_that_fills_at_any_point_of_a_run_is_told_in_one_sentence(house: House, size: int) -> None:
    """Whichever file comes first to the end of the disk, Dagster's, the assets' or the store's, says so."""
    with disk_full(size):
        result = house.sync()
    if result.exit_code == 0:
        assert size == 400_000
        return
    assert "Traceback" not in result.output
    lines = [line for line in result.stderr.splitlines() if line.strip() and not line.startswith("The log")]
    assert len(lines) == 1, result.stderr
    assert result.exit_code in (exit_codes.FAILURE, exit_codes.FIX_SETTING)
    assert "free some" in lines[0].lower()
    house.stage.clock.sleep(700)  # a request may have left before the disk was full
    again = house.sync()
    assert again.exit_code == 0, again.output


def test_assets_that_cannot_be_stored_or_read_say_so(house: House) -> None:
    assets = house.stage.folder / "assets"
    assets.write_text("a file")
    message = one_sentence(house.sync(), exit_codes.FIX_SETTING, "ASSET_STORAGE names", "cannot be used as a folder")
    assert str(assets) in message
    assets.unlink()
    assert house.sync().exit_code == 0


def test_a_stored_day_that_is_damaged_is_named_with_what_to_do(house: House) -> None:
    assert house.sync().exit_code == 0
    orders = house.stage.folder / "assets" / "shopify" / "orders" / f"{FIRST}.json"
    orders.write_text("[")
    with job_runner.dagster_instance() as instance:
        job = house.stage.runner(instance).definitions.resolve_job_def("sync")
        result = job.execute_in_process(
            instance=instance, partition_key=str(FIRST), raise_on_error=False,
            asset_selection=[dg.AssetKey(["changes", "invoices"])],
        )  # fmt: skip
        (failed,) = [event for event in result.all_events if event.is_step_failure]
        said = failed.step_failure_data.user_failure_data
        assert said is not None
        assert said.description == (
            f"{orders} is damaged: materialise shopify/orders and its downstream assets for {FIRST} again."
        )


@pytest.mark.parametrize("command", [("status",), ("doctor", "--offline"), ("retry", "--all")])
def test_a_state_store_that_another_process_keeps_is_told_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 1)
    path = house.stage.folder / "state.db"
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        one_sentence(invoke(*command), exit_codes.RETRY_LATER, "is locked by another process", "Nothing is lost")


@pytest.mark.parametrize("command", [("status",), ("sync", "--day", str(FIRST))])
def test_a_state_store_whose_server_is_not_there_is_told_to_come_again(house: House, command: tuple[str, ...]) -> None:
    house.stage.environ["STATE_URL"] = "postgresql://me:geheim@127.0.0.1:1/books"
    house.stage.restart()
    result = invoke(*command)
    one_sentence(result, exit_codes.RETRY_LATER, "cannot be used as a state store", "Start its server or wait for it")
    alerts = invoke("alerts", "--json", "-")
    assert (alerts.exit_code, "Start its server or wait for it" in alerts.stdout) == (1, True)
    assert "geheim" not in result.output + alerts.output


def test_a_state_store_on_a_disk_that_is_read_only_is_not_called_damaged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert house.sync().exit_code == 0
    assert list(house.stage.folder.glob("state.db.witness*"))

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "chmod", read_only)
    house.stage.restart()
    sentence = one_sentence(invoke("status"), exit_codes.FIX_SETTING, "cannot be written", "Read-only file system")
    assert "rebuild" not in sentence


@pytest.mark.parametrize("target", ["/dev/full", "state.db/figures.json"])
def test_json_that_cannot_be_written_is_named_after_the_answer(house: House, target: str) -> None:
    (house.stage.folder / "state.db").touch()
    path = target if target.startswith("/") else str(house.stage.folder / target)
    result = invoke("status", "--json", path)
    one_sentence(result, exit_codes.FIX_SETTING, "cannot be used")
    assert "no day has been reconciled yet" in result.stdout


def test_what_nobody_foresaw_is_a_sentence_with_a_code_of_its_own_and_its_traceback_is_in_the_log(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("jane@example.com divides by nothing")

    monkeypatch.setattr(Connections, "days", broken)
    result = CliRunner().invoke(cli.main, ["status"])
    assert result.exit_code == exit_codes.INTERNAL_ERROR
    first, second = result.stderr.splitlines()
    assert first == (
        "shopify-xero: An unexpected error ended this command (ZeroDivisionError). This is a fault of the program."
    )
    (log,) = (tmp_path / "log").iterdir()
    assert second == f"The log is {log}"
    assert "ZeroDivisionError" in log.read_text()
    assert "jane@example.com" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(sqlite3.OperationalError) database or disk is full", StorageFault.FULL),
        ("[Errno 28] No space left on device: '/x'", StorageFault.FULL),
        ("[Errno 27] File too large", StorageFault.FULL),
        ("(sqlite3.OperationalError) database is locked", StorageFault.BUSY),
        ("(sqlite3.DatabaseError) file is not a database", StorageFault.DAMAGED),
        ("(sqlite3.DatabaseError) database disk image is malformed", StorageFault.DAMAGED),
        ("(sqlite3.OperationalError) attempt to write a readonly database", StorageFault.READ_ONLY),
        ("(sqlite3.OperationalError) unable to open database file", StorageFault.READ_ONLY),
        ("(sqlite3.OperationalError) disk I/O error", StorageFault.READ_ONLY),
        ("[Errno 13] Permission denied: '/x'", StorageFault.READ_ONLY),
        ("[Errno 30] Read-only file system: '/x'", StorageFault.READ_ONLY),
        ('connection to server at "127.0.0.1", port 1 failed: Connection refused', StorageFault.UNREACHABLE),
        ("'NoneType' object has no attribute 'x'", None),
    ],
)
def test_a_fault_is_known_by_its_words(text: str, fault: StorageFault | None) -> None:
    assert storage_errors.classify_fault(text) is fault


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "there is no space left"),
        (errno.EACCES, "repair the disk or the permissions"),
        (errno.ENOENT, "Give another path"),
        (errno.EMFILE, "correct that"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(number: int, said: str) -> None:
    sentence = storage_errors.describe_os_error(OSError(number, os.strerror(number), "/data/x.json"))
    assert sentence.startswith(f"/data/x.json cannot be used ({os.strerror(number)})")
    assert said in sentence


def test_a_problem_of_something_else_is_not_taken_for_dagsters(tmp_path: Path) -> None:
    assert storage_errors.from_dagster(ValueError("database is locked"), tmp_path) is None
    assert storage_errors.from_step("database is locked", ['File "/x/ours.py"'], tmp_path) is None
    storage = ['File ".../dagster/_core/storage/runs/sqlite.py"']
    assert "locked by another process" in str(storage_errors.from_step("database is locked", storage, tmp_path))
