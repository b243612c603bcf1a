"""Tests that a hanging run ends and the next one starts, with the daemon running or not."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import yaml

from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import MODULES, House
from shopify_xero_pipeline_tests.campaigns.dagster_runs.sandbox import OPENED

pytestmark = [pytest.mark.campaign, pytest.mark.long]
LONGEST_RUN = 40
"""Seconds; the process interrupts its run after half of them, and exits after three quarters."""


class HangingHouse(House):
    """A system whose runs hang on request and have a shorter timeout than the product's."""

    code = f"{MODULES}.hanging"

    def furnish(self) -> None:
        super().furnish()
        file = self.home / "dagster.yaml"
        settings = yaml.safe_load(file.read_text())
        settings["run_monitoring"]["max_runtime_seconds"] = LONGEST_RUN
        file.write_text(yaml.safe_dump(settings))

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "HANG": str(self.folder / "hang")}

    def hang(self, way: str) -> None:
        """Let the next run hang."""
        (self.folder / "hang").write_text(way)


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HangingHouse]:
    house = HangingHouse(tmp_path_factory.mktemp("hanging"))
    try:
        house.start_all()
        yield house
    finally:
        house.stop()


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("waits", "Execution was interrupted unexpectedly. No user initiated termination request was found"),
        ("computes", ""),
    ],
)
def test_a_run_that_hangs_fails_and_the_waiting_one_comes_on(house: HangingHouse, way: str, message: str) -> None:
    with house.dagster() as dagster:
        house.hang(way)
        run = dagster.launch([OPENED])
        house.until(lambda: not (house.folder / "hang").exists(), "the run to hang")
        waiting = dagster.launch([OPENED + timedelta(days=1)])
        house.until(lambda: dagster.status(waiting) == "QUEUED", "the second run to wait")
        assert dagster.ended(run) == "FAILURE"
        assert dagster.ended(waiting) == "SUCCESS"
        assert any(message in (record.message or "") for record in dagster.instance.all_logs(run))
        house.until(lambda: bool(dagster.children(run)), "the daemon to retry the run")
        (again,) = dagster.children(run)
        assert dagster.ended(again) == "SUCCESS"


def test_a_run_that_hangs_ends_without_a_daemon(house: HangingHouse) -> None:
    with house.dagster() as dagster:
        house.hang("waits")
        run = dagster.launch([OPENED])
        house.until(lambda: not (house.folder / "hang").exists(), "the run to hang")
        house.kill("daemon")
        assert dagster.ended(run) == "FAILURE"
