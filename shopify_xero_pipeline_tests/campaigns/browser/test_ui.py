"""Tests of the README's statements about the Dagster UI in a browser, and a short test that the UI is complete."""

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from shopify_xero_pipeline_tests.campaigns.browser import story
from shopify_xero_pipeline_tests.campaigns.browser.window import chromium

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed: there is no chromium on the path"),
]


def test_the_ui_is_whole_shows_texts_as_they_are_and_does_nothing_for_a_foreign_page(tmp_path: Path) -> None:
    with story.opened(tmp_path, tmp_path / "album") as (house, look):
        story.sees_the_lineage(look)
        story.sees_the_sensors(look)
        story.shows_texts_of_others(look, house)
        story.withstands_a_foreign_page(look, house)


@pytest.mark.long
def test_with_nothing_but_the_ui_days_are_synced_planned_refused_mended_and_watched(tmp_path: Path) -> None:
    album = tmp_path / "album"
    with story.opened(tmp_path, album) as (house, look):
        story.play(house, look)
    assert {picture.stem for picture in album.iterdir()} == story.PICTURES
