"""Tests of the garbage collector's threshold."""

import subprocess
import sys
from pathlib import Path

STATEMENTS = """
import gc
from shopify_xero_pipeline.definitions import defs
before = gc.get_threshold()
defs()
print(before[0], *gc.get_threshold(), gc.isenabled())
"""


def test_a_process_that_loads_the_code_location_collects_less_often(tmp_path: Path) -> None:
    environment = {
        "BOOKS_FILE": str(Path("books.yaml").resolve()),
        "DAGSTER_HOME": str(tmp_path),
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-c", STATEMENTS]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert run.stdout.split() == ["700", "20000", "10", "10", "True"], run.stderr
