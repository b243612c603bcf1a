"""One system for all tests of this folder, since its start takes longer than most of them."""

from collections.abc import Iterator

import pytest

from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House
from shopify_xero_pipeline_tests.campaigns.dagster_runs.judge import Judge, judged


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    try:
        house.start_all()
        yield house
    finally:
        house.stop()


@pytest.fixture(scope="package")
def judge(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with judged(house, tmp_path_factory.mktemp("undisturbed")) as judge:
        yield judge
