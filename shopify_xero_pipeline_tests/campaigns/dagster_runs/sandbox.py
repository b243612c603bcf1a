"""The sandbox in its own process, on the shared clock, without limits, since several runs share a minute of Xero."""

import sys
from datetime import date
from pathlib import Path

from shopify_xero_pipeline.sandbox.app import build_sandbox, serve
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline_tests.campaigns.dagster_runs.clock import SharedClock

OPENED = date(2026, 9, 21)


def shop() -> GeneratedShop:
    return GeneratedShop(1, opened=OPENED)


def main(state_file: Path) -> None:
    options = XeroOptions(minute_limit=100_000, day_limit=1_000_000)
    sandbox = build_sandbox(clock=SharedClock(), source=shop(), xero_options=options, state_file=state_file)
    serve(sandbox, 0, ready=lambda address: print(address, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
