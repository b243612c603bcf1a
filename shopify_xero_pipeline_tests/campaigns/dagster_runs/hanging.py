"""The product's code location with a run that hangs once, in the way that the file HANG names."""

import os
import re
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from shopify_xero_pipeline.pipeline.day_extractor import DayExtractor
from shopify_xero_pipeline_tests.campaigns.dagster_runs.location import defs

__all__ = ["defs"]

read_customers = DayExtractor.read_customers


def hanging(self: DayExtractor, days: Sequence[date]) -> Any:
    file = Path(os.environ["HANG"])
    if file.exists():
        way = file.read_text()
        file.unlink()
        if way == "waits":
            time.sleep(3_600)
        re.match("(a+)+$", "a" * 60 + "b")  # takes years and never releases the interpreter to another thread
    return read_customers(self, days)


DayExtractor.read_customers = hanging  # type: ignore[method-assign]
