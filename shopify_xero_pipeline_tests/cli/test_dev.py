"""`make up` without its processes: what would be started, with which environment, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from shopify_xero_pipeline.cli import dev
from shopify_xero_pipeline.settings import SettingsError

REAL = {
    "SHOPIFY_SHOP": "goods.myshopify.com",
    "SHOPIFY_ACCESS_TOKEN": "token",
    "XERO_CLIENT_ID": "id",
    "XERO_CLIENT_SECRET": "secret",
}


class Recorded:
    """A process that was never started; `polls` are what it says until it has ended. Code servers make their socket."""

    started: ClassVar[list["Recorded"]] = []
    told_to_end: ClassVar[list["Recorded"]] = []
    polls: Sequence[int | None] = (None, None, None, None, 3)
    stubborn = False

    def __init__(
        self, command: Sequence[str], env: dict[str, str], preexec_fn: Callable[[], None], process_group: int
    ) -> None:
        self.command, self.env, self.preexec_fn = list(command), env, preexec_fn
        assert process_group == 0
        if "code-server" in self.command and "/nowhere" not in env.get("PATH", ""):
            Path(self.command[self.command.index("-s") + 1]).touch()
        self.signals: list[int] = []
        self.returncode = 0
        self._polls = list(type(self).polls)
        self._stubborn = type(self).stubborn
        type(self).started.append(self)

    def poll(self) -> int | None:
        answer = self._polls.pop(0) if len(self._polls) > 1 else self._polls[0]
        self.returncode = answer or 0
        return answer

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        type(self).told_to_end.append(self)

    def wait(self, timeout: float | None = None) -> int:
        if self._stubborn and timeout is not None:
            raise subprocess.TimeoutExpired(self.command, timeout)
        return self.returncode

    def kill(self) -> None:
        self.signals.append(signal.SIGKILL)


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Commands run to their end; processes are in `Recorded.started`."""
    commands: list[Any] = []
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SHOPIFY_", "XERO_", "AUTOMATION"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Recorded, "started", [])
    monkeypatch.setattr(Recorded, "told_to_end", [])
    monkeypatch.setattr(Recorded, "polls", (None, None, None, None, 3))
    monkeypatch.setattr(subprocess, "Popen", Recorded)
    monkeypatch.setattr(subprocess, "run", lambda command, **options: commands.append((command, options["env"])))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr("shopify_xero_pipeline.cli.job_runner.dg.DagsterInstance.get", staticmethod(FakeInstance))
    return commands


class FakeInstance:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_dagster_writes_its_own_log_for_people_where_the_product_does(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "text")
    dev.run_processes(3001, 8001)
    assert [process for process in Recorded.started if "--log-format" in process.command] == []


def test_without_credentials_a_sandbox_is_started_first_and_both_sides_point_at_it(
    ran: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.run_processes(3001, 8001) == 3
    sandbox, code, webserver, daemon = Recorded.started
    assert sandbox.command[:2] == [sys.executable, "-m"]
    assert sandbox.command[2:6] == ["shopify_xero_pipeline.cli", "sandbox", "--port", "8001"]
    socket, workspace = code.command[6], webserver.command[9]
    location = ["-m", "shopify_xero_pipeline.definitions", "--log-format", "json"]
    assert code.command[2:] == ["dagster", "code-server", "start", "-s", socket, *location]
    shared = ["-w", workspace, "--log-format", "json"]
    listens = ["-h", "127.0.0.1", "-p", "3001"]
    assert webserver.command[2:] == ["shopify_xero_pipeline.cli", "webserver", *listens, *shared]
    assert daemon.command[1:] == ["run", *shared]
    assert Path(daemon.command[0]).name == "dagster-daemon"
    address = "http://127.0.0.1:8001"
    for process in (code, webserver, daemon):
        assert process.env["SHOPIFY_BASE_URL"] == process.env["XERO_BASE_URL"] == address
        assert process.env["AUTOMATION"] == "on"
        assert process.env["DAGSTER_HOME"] == str(tmp_path / "home")
    said = capsys.readouterr().out
    assert f"a sandbox replaces both sides on {address}" in said
    assert f"for commands in another terminal: export SHOPIFY_BASE_URL={address} XERO_BASE_URL={address}" in said
    assert "Dagster UI on http://127.0.0.1:3001" in said


def test_the_pools_limit_is_set_before_the_daemon_starts(ran: list[Any], tmp_path: Path) -> None:
    dev.run_processes(3000, 8765)
    ((command, environ),) = ran
    assert command[2:] == ["dagster", "instance", "concurrency", "set", "xero", "1"]
    assert environ["DAGSTER_HOME"] == str(tmp_path / "home")


def test_with_credentials_no_sandbox_is_started(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AUTOMATION", "off")
    dev.run_processes(3000, 8765)
    code, *others = Recorded.started
    assert "code-server" in code.command
    assert len(others) == 2
    for process in (code, *others):
        assert "SHOPIFY_BASE_URL" not in process.env
        assert process.env["AUTOMATION"] == "off"


def test_automation_that_the_env_file_turns_off_stays_off(ran: list[Any], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AUTOMATION=off\n")
    dev.run_processes(3000, 8765)
    assert Recorded.started[-1].env["AUTOMATION"] == "off"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SHOPIFY_SHOP": "goods.myshopify.com"}, "Shopify credentials are not set.*Xero credentials are not set"),
        ({"SHOPIFY_CLIENT_ID": "id"}, "SHOPIFY_SHOP is not set"),
        ({"XERO_CLIENT_SECRET": "secret"}, "SHOPIFY_SHOP is not set.*give XERO_CLIENT_ID and XERO_CLIENT_SECRET"),
        ({"SHOPIFY_BASE_URL": "http://127.0.0.1:1"}, "^Xero credentials are not set"),
    ],
)
def test_credentials_given_in_part_are_refused_and_nothing_is_started(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        dev.run_processes(3000, 8765)
    assert Recorded.started == []
    assert ran == []


def test_when_one_process_ends_the_others_are_told_to_and_those_that_others_use_last(ran: list[Any]) -> None:
    dev.run_processes(3000, 8765)
    assert [process.signals for process in Recorded.started] == [[signal.SIGTERM]] * 4
    assert Recorded.told_to_end == Recorded.started[::-1]


def test_nothing_is_started_after_a_process_that_has_ended(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # its socket is never made
    monkeypatch.setattr(Recorded, "polls", (None, 4))
    assert dev.run_processes(3000, 8765) == 4
    assert len(Recorded.started) == 2
    assert "code-server" in Recorded.started[-1].command


def test_a_process_that_does_not_listen_is_killed(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorded, "stubborn", True)
    assert dev.run_processes(3000, 8765) == 3
    assert Recorded.started[0].signals == [signal.SIGTERM, signal.SIGKILL]


def test_ctrl_c_is_a_fine_way_to_end(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recorded, "polls", (None,))
    monkeypatch.setattr(time, "sleep", interrupted)
    assert dev.run_processes(3000, 8765) == 0
    assert all(process.signals == [signal.SIGTERM] for process in Recorded.started)


def test_a_child_listens_to_both_signals_even_if_the_shell_ignored_them(
    ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[tuple[int, object]] = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: set_to.append((number, handler)))
    dev.run_processes(3000, 8765)
    handlers = [one for number, one in set_to if number in (signal.SIGTERM, signal.SIGHUP)]
    assert len(handlers) == 2
    for handler in handlers:
        with pytest.raises(SystemExit) as ended:
            handler()  # type: ignore[operator]
        assert ended.value.code == 0
    set_to.clear()
    Recorded.started[0].preexec_fn()
    assert set_to == [(signal.SIGINT, signal.SIG_DFL), (signal.SIGTERM, signal.SIG_DFL)]


def test_a_workspace_that_cannot_be_read_ends_before_anything_is_started(ran: list[Any], tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_bytes(b"load_from: [\xe9")
    with pytest.raises(SettingsError, match=r"workspace\.yaml is not UTF-8 text"):
        dev.run_processes(3001, 8001)
    assert (Recorded.started, ran) == ([], [])
