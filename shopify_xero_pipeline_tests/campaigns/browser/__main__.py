"""The command `python -m …campaigns.browser`: all steps in the UI; `--publish` stores the screenshots of the README."""

import sys
import tempfile
from pathlib import Path

from shopify_xero_pipeline_tests.campaigns.browser import story
from shopify_xero_pipeline_tests.campaigns.browser.window import chromium
from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import ROOT

ALBUM = ROOT / "docs" / "screenshots"


def main(words: list[str]) -> int:
    """Play all steps; return an exit code."""
    if chromium() is None:
        print("Chromium is not installed: there is no chromium on the path", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        album = ALBUM if "--publish" in words else Path(folder) / "album"
        with story.opened(Path(folder), album) as (house, look):
            story.play(house, look)
        for picture in sorted(album.iterdir()):
            print(f"{picture.name}: {picture.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
