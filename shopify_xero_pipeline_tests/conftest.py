"""What tests of several rooms share."""

from collections.abc import Iterator

import dagster as dg
import pytest

from shopify_xero_pipeline_tests.postgres import Server, programs, running


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
