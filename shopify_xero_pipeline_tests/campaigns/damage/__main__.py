"""The command `python -m …campaigns.damage`: many cases of damage, counted; `--publish` writes them to the page."""

import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

import click

from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.loading.safe_mode import SafeMode
from shopify_xero_pipeline.state.send_watermark import SendWatermark
from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.damage.campaign import Outcome, harm_of, suffer, table_of
from shopify_xero_pipeline_tests.campaigns.damage.life import Life, lived

HEAD = (
    "damage", "cases", "told", "safe mode", "nothing changed", "only what Xero is asked again", "missed",
    "duplicates", "lost",
)  # fmt: skip
RESTORED = ("old copy restored", "store deleted", "store and witness deleted", "old copy restored, no witness")


@click.command()
@click.option("--cases", default=200, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the first case; `--seed 25 --cases 1` repeats one.")
@click.option("--publish", is_flag=True, help="Write the section of docs/reliability.md.")
def main(cases: int, seed: int, publish: bool) -> None:
    """Damage a state store in use, and load."""
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        life = lived(Path(folder) / "life")
        outcomes = _all(life, range(seed, seed + cases), Path(folder), control=False)
        controls = [number for number in range(seed, seed + cases) if harm_of(number) in RESTORED]
        without = _all(life, controls, Path(folder) / "control", control=True)
    for outcome in (outcome for outcome in outcomes if outcome.problems):
        click.echo(f"seed {outcome.seed}, {outcome.harm}: {'; '.join(outcome.problems)}")
    text = _section(outcomes, without, time.monotonic() - started)
    click.echo(text)
    if publish:
        reliability.write_section("state-damage", text)
    sys.exit(1 if any(outcome.problems for outcome in outcomes) else 0)


def _all(life: Life, seeds: Sequence[int], folder: Path, *, control: bool) -> list[Outcome]:
    with multiprocessing.Pool(os.cpu_count()) as pool:
        return pool.map(partial(_play, life, folder, control), seeds, chunksize=4)


def _play(life: Life, folder: Path, control: bool, seed: int) -> Outcome:
    logging.disable(logging.CRITICAL)
    if not control:
        return suffer(life, seed, folder / str(seed))
    with (
        patch.object(SafeMode, "reason", lambda _: ""),
        patch.object(SendWatermark, "record_send", lambda *_: None),
        patch.object(Loader, "_adopt_existing", lambda *_: set()),
    ):
        return suffer(life, seed, folder / str(seed))


def _section(outcomes: Sequence[Outcome], without: Sequence[Outcome], seconds: float) -> str:
    cases, bad = len(outcomes), sum(bool(outcome.problems) for outcome in outcomes)
    return f"""## Damage to the state store

A state store in use (requests without a response, lost responses, a process that crashed during a request) is damaged
in {cases:,} ways. Then records are loaded again, 150 to 3,600 s later. Nothing may be written before the damage is
reported or safe mode has read all of Xero back. After `rebuild` or safe mode each record must be in Xero once. A
flipped bit in free space, or one that redundant data corrects, changes nothing. A whole page that a disk returns in an
earlier version has valid checksums: it is missed if it contradicts no other page, and the books are still exact.

The columns: *told* means that the damage was reported, *missed* that it was not.

{reliability.table(HEAD, table_of(outcomes))}

Cases in which one of the promises was broken: {bad}. Without safe mode the same {len(without):,} lost, emptied or
restored stores make {sum(outcome.duplicates for outcome in without):,} duplicates. The run took {seconds:.0f} s.
{reliability.measured()}
"""


if __name__ == "__main__":
    main()
