"""Tests that Xero has the same content however a history is synced: at once or gradually, forwards or backwards."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline.sandbox.nodes import ShopSource
from shopify_xero_pipeline_tests.campaigns.proof import histories
from shopify_xero_pipeline_tests.campaigns.proof.histories import Outcome, Way, carried, differences
from shopify_xero_pipeline_tests.campaigns.proof.scale import SCALE, generated, modelled
from shopify_xero_pipeline_tests.campaigns.proof.synced import MODEL_BOOKS, Changed
from shopify_xero_pipeline_tests.campaigns.proof.trade import Trade

pytestmark = pytest.mark.campaign

WAYS = [histories.version_by_version, histories.backwards, histories.twice]


class SyncedTrade:
    """A trade and the outcome of one sync at its end, computed once for all ways."""

    def __init__(self, folder: Path, source: ShopSource, trade: Trade, changed: tuple[Changed, ...] = ()) -> None:
        self._source, self.trade, self._changed = source, trade, changed
        self.at_once = self.carried(folder, histories.in_one_go)

    def carried(self, folder: Path, way: Way) -> Outcome:
        return carried(folder, self._source, self.trade, way, self._changed)

    def differences(self, other: Outcome) -> list[str]:
        return list(differences(self.trade, self.at_once, other))


@pytest.fixture(scope="module")
def some_days(tmp_path_factory: pytest.TempPathFactory) -> SyncedTrade:
    return SyncedTrade(tmp_path_factory.mktemp("some days"), *generated(4 * SCALE, horizon=20))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SyncedTrade:
    return SyncedTrade(tmp_path_factory.mktemp("model"), *modelled(40 * SCALE), changed=(*MODEL_BOOKS,))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_orders_of_some_days_come_to_the_same(tmp_path: Path, some_days: SyncedTrade, way: Way) -> None:
    other = some_days.carried(tmp_path, way)
    assert (some_days.at_once.problems, other.problems) == ([], [])
    assert some_days.differences(other) == []
    assert len(other.content.documents) > 45


@pytest.mark.parametrize(
    ("way", "days", "horizon", "syncs"),
    [
        pytest.param(histories.event_by_event, 1, 2, 15, marks=pytest.mark.long),
        pytest.param(histories.night_by_night, 2, 6, 8, marks=pytest.mark.long),
    ],
    ids=["event_by_event", "night_by_night"],
)
def test_days_told_as_they_happen_come_to_the_same(
    tmp_path: Path, way: Way, days: int, horizon: int, syncs: int
) -> None:
    trade = SyncedTrade(tmp_path / "at once", *generated(days * SCALE, horizon))
    other = trade.carried(tmp_path / "as it happens", way)
    assert (other.problems, trade.differences(other)) == ([], [])
    assert other.syncs >= syncs


def test_any_history_of_the_model_comes_to_the_same_change_by_change(tmp_path: Path, model: SyncedTrade) -> None:
    other = model.carried(tmp_path, histories.version_by_version)
    assert (model.at_once.problems, other.problems) == ([], [])
    assert model.differences(other) == []
    assert other.syncs > 5


def changed(outcome: Outcome, part: str, **facts: object) -> Outcome:
    """Return an outcome with changed facts in the first record of a part."""
    records = getattr(outcome.content, part)
    first = next(iter(records))
    content = replace(outcome.content, **{part: {**records, first: {**records[first], **facts}}})
    return replace(outcome, content=content)


def test_a_record_that_differs_or_is_missing_would_be_noticed(some_days: SyncedTrade) -> None:
    assert some_days.differences(some_days.at_once) == []
    for part, facts in (
        ("documents", {"total": Decimal("0.01")}),
        ("documents", {"lines": []}),
        ("payments", {"account": "090"}),
        ("allocations", {"amount": Decimal("0.01")}),
    ):
        assert some_days.differences(changed(some_days.at_once, part, **facts)) != []
    for part in ("documents", "payments", "allocations"):
        records = dict(getattr(some_days.at_once.content, part))
        records.popitem()
        assert (
            some_days.differences(
                replace(some_days.at_once, content=replace(some_days.at_once.content, **{part: records}))
            )
            != []
        )
