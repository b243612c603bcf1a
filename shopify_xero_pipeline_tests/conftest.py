"""What tests of several rooms share."""

import gc
from collections.abc import Iterator

import dagster as dg
import pytest

from shopify_xero_pipeline_tests.postgres import Server, programs, running


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the sandbox's own tests run unmeasured: every other test goes through it, and tracing doubles their time."""
    for item in items:
        if any(part.startswith("sandbox_") for part in item.path.parts):
            item.add_marker("campaign")


def pytest_collection_finish() -> None:
    """Let what was imported alone from here on: looking through it again and again was a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A Postgres server, started for the first test that asks for it."""
    binaries = programs()
    if binaries is None:
        pytest.skip("Postgres is not installed: there is no initdb on the path or below /usr/lib/postgresql")
    with running(binaries) as server:
        yield server
