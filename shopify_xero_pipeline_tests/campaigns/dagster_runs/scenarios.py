"""What happens to a run in the middle of a load, and how the next run comes about. Each is done with days of its own.

Every scenario ends when Dagster has nothing more to do; whether the books are right is for `judge.py`.
"""

import os
import signal
from datetime import date, timedelta

from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House

QUIET_TIME = 20 * 60
"""Longer than anything waits: for what was sent and not answered, and after the connection was refused."""


def cancel(house: House, day: date, path: str, kind: str) -> None:
    """A run is terminated in the UI while a write of its hangs."""
    with house.dagster() as dagster:
        house.spoil(path, kind=kind)
        run = dagster.launch([day])
        house.caught()
        assert dagster.terminate(run) == "TerminateRunSuccess"
        assert dagster.ended(run) == "CANCELED"
    house.pass_time(QUIET_TIME)


def cancelled(house: House, day: date, path: str, kind: str) -> None:
    """A run is cancelled; the day is run again."""
    cancel(house, day, path, kind)
    with house.dagster() as dagster:
        assert dagster.ended(dagster.launch([day])) == "SUCCESS"


def killed(house: House, day: date, path: str, kind: str) -> set[str]:
    """The process of a run is killed; the daemon retries the run. Returns the steps that were run again."""
    with house.dagster() as dagster:
        house.spoil(path, kind=kind)
        run = dagster.launch([day])
        house.caught()
        house.pass_time(QUIET_TIME)
        os.kill(dagster.pid(run), signal.SIGKILL)
        assert dagster.ended(run) == "FAILURE"
        house.until(lambda: bool(dagster.children(run)), "the daemon to retry the run")
        (again,) = dagster.children(run)
        assert dagster.ended(again) == "SUCCESS"
        return {record.step_key for record in dagster.instance.all_logs(again) if record.step_key}


def host_lost(house: House, day: date, path: str, kind: str) -> None:
    """Code server, daemon and the run die at once while another run waits for the pool; both are started again."""
    with house.dagster() as dagster:
        house.spoil(path, kind=kind)
        run = dagster.launch([day])
        house.caught()
        waiting = dagster.launch([day + timedelta(days=1)])
        house.until(lambda: dagster.status(waiting) == "QUEUED", "the second run to wait")
    house.kill("daemon", "code")
    house.pass_time(QUIET_TIME)
    house.start_code()
    house.start_daemon()
    with house.dagster() as dagster:
        assert dagster.status(run) == "STARTED"
        assert dagster.ended(run) == "FAILURE"
        assert dagster.ended(waiting) == "SUCCESS"
        house.until(lambda: bool(dagster.children(run)), "the daemon to retry the run")
        (again,) = dagster.children(run)
        assert dagster.ended(again) == "SUCCESS"


def daemon_killed(house: House, day: date, path: str, kind: str) -> None:
    """The daemon dies while one run hangs and one waits; the first goes on without it, the second when it is back."""
    with house.dagster() as dagster:
        house.spoil(path, kind=kind)
        run = dagster.launch([day])
        house.caught()
        waiting = dagster.launch([day + timedelta(days=1)])
        house.kill("daemon")
        assert dagster.ended(run) == "SUCCESS"
        assert dagster.status(waiting) == "QUEUED"
        house.pass_time(QUIET_TIME)
        house.start_daemon()
        assert dagster.ended(waiting) == "SUCCESS"
        assert dagster.ended(dagster.launch([day])) == "SUCCESS"


def step_failed(house: House, day: date, path: str, _kind: str) -> None:
    """Xero refuses the connection in the middle of a run; the failed step and what follows it is run again by hand."""
    with house.dagster() as dagster:
        house.spoil(path, kind="answer", status=403)
        run = dagster.launch([day])
        assert dagster.ended(run) == "FAILURE"
        assert dagster.children(run) == []
        house.pass_time(QUIET_TIME)
        assert dagster.ended(dagster.retry(run)) == "SUCCESS"


def instance_lost(house: House, day: date, path: str, kind: str) -> None:
    """A command is killed, and everything that Dagster knew is lost with it; it is given again. The last act."""
    house.kill("daemon", "code")
    house.spoil(path, kind=kind)
    command = house.command("sync", "--day", str(day))
    house.caught()
    command.kill()
    house.furnish()
    house.pass_time(QUIET_TIME)
    code, said = house.command("sync", "--day", str(day)).ended()
    assert code == 0, said
