"""What webhooks made worth a look: nothing is let go that came while the others were looked through."""

from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.pipeline import webhook_hints
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

NOW = datetime(2026, 9, 22, tzinfo=UTC)


def hint(name: str, record: str, source: str = "xero") -> WebhookHint:
    return WebhookHint(
        id=name, source=source, topic="any", record=record, record_id=name, delivery=name, received_at=NOW
    )


def test_a_hint_that_comes_while_others_are_looked_through_is_looked_at_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(StateStore(f"sqlite:///{tmp_path}/state.db", ManualClock(NOW))) as store:
        store.hints.add([hint("stranger", "invoice"), hint("customer", "customer", "shopify")])
        owners = store.ids_by_xero_id

        def meanwhile(kind: str, xero_ids: Collection[str]) -> dict[str, str]:
            store.hints.add([hint("late", "invoice")])
            return owners(kind, xero_ids)

        monkeypatch.setattr(store, "ids_by_xero_id", meanwhile)
        assert webhook_hints.triage_xero_hints(store) == []
        assert [one.id for one in store.hints.open()] == ["late"]


def test_where_nobody_said_anything_nothing_is_asked_of_mapping_and_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(StateStore(f"sqlite:///{tmp_path}/state.db", ManualClock(NOW))) as store:
        monkeypatch.setattr(store, "mirror_swept_at", lambda _: pytest.fail("nothing was to be asked"))
        assert webhook_hints.changed_in_xero(store, store.hints.open("xero")) == []
