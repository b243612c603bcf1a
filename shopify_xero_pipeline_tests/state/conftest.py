"""A new state store for each test, on SQLite and again on Postgres."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.support.postgres import Server


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/state.db"
    server: Server = request.getfixturevalue("postgres")
    return server.new_schema()


@pytest.fixture
def store(url: str, clock: ManualClock) -> Iterator[StateStore]:
    with closing(StateStore(url, clock)) as store:
        yield store
