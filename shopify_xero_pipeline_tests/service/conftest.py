"""A service on an SQLite store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.service.sending import House, house, sqlite


@pytest.fixture
def served(tmp_path: Path) -> Iterator[House]:
    with house(sqlite(tmp_path)) as made:
        yield made
