"""The command `python -m …campaigns.recording`, which writes the digests or the texts of the recording again."""

import json
import tempfile
from pathlib import Path

import click

from shopify_xero_pipeline_tests.campaigns.recording.record import hashes, record

RECORDED = Path(__file__).with_name("recorded.json")


@click.command()
@click.option("--texts", type=click.Path(path_type=Path, file_okay=False), help="Write the texts into this folder.")
@click.option("--write", is_flag=True, help="Write their digests into the repository as the expected ones.")
def main(texts: Path | None, write: bool) -> None:
    """Record five generated days."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = record(Path(folder))
    if texts is not None:
        texts.mkdir(parents=True, exist_ok=True)
        for name, text in recorded.items():
            (texts / f"{name.replace(' ', '_')}.txt").write_text(text + "\n")
    if write:
        RECORDED.write_text(json.dumps(hashes(recorded), indent=1) + "\n")
    click.echo(f"{len(recorded)} texts recorded")


if __name__ == "__main__":
    main()
