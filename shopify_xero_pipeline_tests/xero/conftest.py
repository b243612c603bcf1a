from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.xero.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
