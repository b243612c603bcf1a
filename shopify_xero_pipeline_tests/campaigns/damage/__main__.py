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
from shopify_xero_pipeline_tests.campaigns.damage.campaign import Outcome, harm_of, hidden_table_of, suffer, table_of
from shopify_xero_pipeline_tests.campaigns.damage.life import Life, lived

HEAD = (
    "damage", "cases", "told", "safe mode", "nothing changed", "only what Xero is asked again", "missed",
    "duplicates", "lost",
)  # fmt: skip
HIDDEN_HEAD = ("damage", "cases", "told by the load", "told at night", "not told", "duplicates", "lost")
CONTROL, HIDDEN = "control", "hidden"
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
        outcomes = _all(life, range(seed, seed + cases), Path(folder))
        hidden = _all(life, range(seed, seed + cases), Path(folder) / HIDDEN, mode=HIDDEN)
        controls = [number for number in range(seed, seed + cases) if harm_of(number) in RESTORED]
        without = _all(life, controls, Path(folder) / CONTROL, mode=CONTROL)
    for outcome in (outcome for outcome in (*outcomes, *hidden) if outcome.problems):
        click.echo(f"seed {outcome.seed}, {outcome.harm}: {'; '.join(outcome.problems)}")
    text = _section(outcomes, hidden, without, time.monotonic() - started)
    click.echo(text)
    if publish:
        reliability.write_section("state-damage", text)
    sys.exit(1 if any(outcome.problems for outcome in (*outcomes, *hidden)) else 0)


def _all(life: Life, seeds: Sequence[int], folder: Path, *, mode: str = "") -> list[Outcome]:
    folder.mkdir(exist_ok=True)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        return pool.map(partial(_play, life, folder, mode), seeds, chunksize=4)


def _play(life: Life, folder: Path, mode: str, seed: int) -> Outcome:
    logging.disable(logging.CRITICAL)
    if mode != CONTROL:
        return suffer(life, seed, folder / str(seed), hidden=mode == HIDDEN)
    with (
        patch.object(SafeMode, "reason", lambda _: ""),
        patch.object(SendWatermark, "record_send", lambda *_: None),
        patch.object(Loader, "_adopt_existing", lambda *_: set()),
    ):
        return suffer(life, seed, folder / str(seed))


def _section(outcomes: Sequence[Outcome], hidden: Sequence[Outcome], without: Sequence[Outcome], seconds: float) -> str:
    cases, bad = len(outcomes), sum(bool(outcome.problems) for outcome in (*outcomes, *hidden))
    return f"""## Damage to the state store

A state store in use (requests without a response, lost responses, a process that crashed during a request) is damaged
in {cases:,} ways. Then records are loaded again, 150 to 3,600 s later. Nothing may be written before the damage is
reported or safe mode has read all of Xero back. After `rebuild` or safe mode each record must be in Xero once. A
flipped bit in free space, or one that redundant data corrects, changes nothing. A whole page that a disk returns in an
earlier version has valid checksums: it is missed if it contradicts no other page, and the books are still exact.

The columns: *told* means that the damage was reported, *missed* that it was not.

{reliability.table(HEAD, table_of(outcomes))}

The same damage with a mark of the file that fits, as a failing disk makes it: the load verifies the rows that it uses,
and the night the others. A load may then write before the damage is told; the books must still be exact.

{reliability.table(HIDDEN_HEAD, hidden_table_of(hidden))}

Cases in which one of the promises was broken: {bad}. Without safe mode the same {len(without):,} lost, emptied or
restored stores make {sum(outcome.duplicates for outcome in without):,} duplicates. The run took {seconds:.0f} s.
{reliability.measured()}
"""


if __name__ == "__main__":
    main()
