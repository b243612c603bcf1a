"""Several processes that sync the same days at once and coordinate only through the state store."""

import shutil
from datetime import timedelta

import pytest

from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House
from shopify_xero_pipeline_tests.campaigns.dagster_runs.judge import Judge
from shopify_xero_pipeline_tests.campaigns.dagster_runs.sandbox import OPENED
from shopify_xero_pipeline_tests.campaigns.dagster_runs.scenarios import QUIET_TIME

pytestmark = [pytest.mark.campaign, pytest.mark.long]
FIRST, LAST = OPENED + timedelta(days=4), OPENED + timedelta(days=5)


def test_two_commands_and_a_run_of_the_daemon_on_the_same_days_write_each_record_once(
    house: House, judge: Judge
) -> None:
    days = ("sync", "--from", str(FIRST), "--to", str(LAST))
    with house.dagster() as dagster:
        run = dagster.launch([FIRST, LAST])
        commands = [house.command(*days, DAGSTER_HOME=home_of_its_own(house, name)) for name in ("one", "two")]
        for code, output in [command.ended() for command in commands]:
            assert "Traceback" not in output
            assert "database is locked" not in output
            assert code == 0 or "not in Xero yet" in output or "Another load" in output
        assert dagster.ended(run) in ("SUCCESS", "FAILURE")
    house.pass_time(QUIET_TIME)
    code, output = house.command(*days).ended()
    assert code == 0, output
    assert judge.sees_each_record_once(FIRST, LAST)


def home_of_its_own(house: House, name: str) -> str:
    """Return a DAGSTER_HOME without the runs of others, as on another host."""
    home = house.folder / name
    home.mkdir()
    shutil.copy(house.home / "dagster.yaml", home)
    return str(home)
