"""What tests of several rooms share."""

import gc
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import hypothesis
import pytest

from shopify_xero_pipeline_tests.support.postgres import Server, programs, running
from shopify_xero_pipeline_tests.support.world import World

SANDBOX = Path(__file__).parent / "sandbox"

# Other programs share the machine: a time decides about no test.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the sandbox's own tests run unmeasured: every other test goes through it, and tracing doubles their time."""
    for item in items:
        if SANDBOX in item.path.parents:
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


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A state store and a loader in front of the sandbox's Xero."""
    return World(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A Postgres server, started for the first test that asks for it."""
    binaries = programs()
    if binaries is None:
        pytest.skip("Postgres is not installed: there is no initdb on the path or below /usr/lib/postgresql")
    with running(binaries) as server:
        yield server
