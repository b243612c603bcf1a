"""A campaign of hours can be taken up again, and never mixes figures of two codes."""

from collections import Counter
from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.campaigns.protocol import keeping
from shopify_xero_pipeline_tests.campaigns.protocol.campaign import Tally
from shopify_xero_pipeline_tests.campaigns.protocol.keeping import OtherCodeError, keep, kept


def test_a_kept_campaign_is_taken_up_with_all_that_was_counted(tmp_path: Path) -> None:
    file = tmp_path / "campaign.json"
    assert kept(file, 1) == (Tally(), 0.0)
    half = Tally({3, 4}, 150, 211, 31.5, Counter({"calls": 900}), [("played again", ["duplicate: two payments"])])
    keep(file, half, 1, 16.2)
    assert kept(file, 1) == (half, 16.2)


def test_a_campaign_of_other_code_or_another_stride_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "campaign.json"
    keep(file, Tally({3}), 1, 1.0)
    with pytest.raises(OtherCodeError, match="another code or another stride"):
        kept(file, 8)
    monkeypatch.setattr(keeping, "code", lambda: "changed")
    with pytest.raises(OtherCodeError):
        kept(file, 1)
