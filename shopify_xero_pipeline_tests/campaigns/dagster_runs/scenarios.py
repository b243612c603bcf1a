"""Interruptions of a run in the middle of a load, and the start of the next run. Each uses its own days.

Each scenario ends when Dagster has nothing more to do; `judge.py` compares the books.
"""

import os
import signal
from datetime import date, timedelta

from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House

QUIET_TIME = 20 * 60
"""Seconds; longer than the quiet time of a batch, and than the pause after a refused connection."""


def cancel(house: House, day: date, path: str, kind: str) -> None:
    """Terminate a run in the UI while one of its writes hangs."""
    with house.dagster() as dagster:
        house.spoil(path, kind=kind)
        run = dagster.launch([day])
        house.caught()
        assert dagster.terminate(run) == "TerminateRunSuccess"
        assert dagster.ended(run) == "CANCELED"
    house.pass_time(QUIET_TIME)


def cancelled(house: House, day: date, path: str, kind: str) -> None:
    """Cancel a run and run its day again."""
    cancel(house, day, path, kind)
    with house.dagster() as dagster:
        assert dagster.ended(dagster.launch([day])) == "SUCCESS"


def killed(house: House, day: date, path: str, kind: str) -> set[str]:
    """Kill the process of a run, which the daemon retries; return the steps of the retry."""
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
    """Kill code server, daemon and the run while another run waits for the pool; start both again."""
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
    """Kill the daemon while one run hangs and one waits; the first continues, the second after the daemon's restart."""
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
    """Refuse the connection in the middle of a run; re-execute the run from its failed step."""
    with house.dagster() as dagster:
        house.spoil(path, kind="answer", status=403)
        run = dagster.launch([day])
        assert dagster.ended(run) == "FAILURE"
        assert dagster.children(run) == []
        house.pass_time(QUIET_TIME)
        assert dagster.ended(dagster.retry(run)) == "SUCCESS"


def instance_lost(house: House, day: date, path: str, kind: str) -> None:
    """Kill a command and delete Dagster's home; run the command again. This scenario must be the last one."""
    house.kill("daemon", "code")
    house.spoil(path, kind=kind)
    command = house.command("sync", "--day", str(day))
    house.caught()
    command.kill()
    house.furnish()
    house.pass_time(QUIET_TIME)
    code, output = house.command("sync", "--day", str(day)).ended()
    assert code == 0, output
