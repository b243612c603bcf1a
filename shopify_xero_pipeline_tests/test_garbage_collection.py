"""Tests of the garbage collector's threshold."""

import subprocess
import sys

import pytest

STATEMENTS = """
import gc, sys
import {module}
print(*gc.get_threshold(), gc.isenabled())
"""


@pytest.mark.parametrize("module", ["shopify_xero_pipeline.settings", "shopify_xero_pipeline.defs.run_storage"])
def test_every_process_that_imports_the_package_collects_less_often(module: str) -> None:
    command = [sys.executable, "-c", STATEMENTS.format(module=module)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["20000", "10", "10", "True"], run.stderr
