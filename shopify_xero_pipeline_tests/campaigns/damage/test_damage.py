"""Tests that damage to the state store is detected before anything is sent, and that the books are exact at the end."""

from pathlib import Path

import pytest

from shopify_xero_pipeline.loading.safe_mode import SafeMode
from shopify_xero_pipeline_tests.campaigns.damage.campaign import Outcome, suffer
from shopify_xero_pipeline_tests.campaigns.damage.harm import HARMS
from shopify_xero_pipeline_tests.campaigns.damage.life import Life, lived

pytestmark = [pytest.mark.campaign, pytest.mark.long]
ONE_OF_EACH = (0, 8, 9, 10, 12, 14, 15, 16, 18, 19, 20)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return lived(tmp_path_factory.mktemp("damage") / "life")


def test_every_kind_of_damage_is_noticed_before_anything_is_sent_and_mended(life: Life, tmp_path: Path) -> None:
    outcomes = [suffer(life, seed, tmp_path / str(seed)) for seed in ONE_OF_EACH]
    assert {outcome.harm for outcome in outcomes} == {*HARMS}
    assert [outcome for outcome in outcomes if outcome.problems] == []
    assert {outcome.detected for outcome in outcomes} >= {"told", "safe mode"}


def test_damage_that_the_mark_of_the_file_does_not_show_leaves_the_books_exact(life: Life, tmp_path: Path) -> None:
    outcomes = [suffer(life, seed, tmp_path / str(seed), hidden=True) for seed in ONE_OF_EACH]
    assert [outcome for outcome in outcomes if outcome.problems] == []
    assert {outcome.detected for outcome in outcomes} >= {"told", "safe mode"}


def test_without_safe_mode_a_restored_copy_would_post_again(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SafeMode, "reason", lambda _: "")
    monkeypatch.setattr("shopify_xero_pipeline.state.send_watermark.SendWatermark.record_send", lambda *_: None)
    monkeypatch.setattr("shopify_xero_pipeline.loading.loader.Loader._adopt_existing", lambda *_: set())
    outcome: Outcome = suffer(life, 16, tmp_path / "control")
    assert outcome.harm == "old copy restored"
    assert outcome.duplicates > 0
