"""A short campaign of deliveries; the whole one is `python -m shopify_xero_pipeline_tests.campaigns.webhooks`."""

import asyncio
from collections import Counter
from pathlib import Path

from shopify_xero_pipeline.service.body_reader import Limits
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.campaigns.webhooks import campaign
from shopify_xero_pipeline_tests.service.sending import NOW, house, serving, sqlite

PATIENT = Limits(reading=60, storing=60, headers=60)


def test_of_many_deliveries_none_is_lost_none_is_forged_and_none_kept_twice(tmp_path: Path) -> None:
    sent = campaign.deliveries(300, NOW, seed=1)
    assert Counter(delivery.kind for delivery in sent) == {
        "genuine": 180, "sent again": 45, "replayed under another name": 15, "dated days ago": 15, "forged": 30,
        "malformed": 12, "10 MB": 3,
    }  # fmt: skip
    with house(sqlite(tmp_path), limits=PATIENT) as service:
        with serving(service.app, PATIENT) as address:
            outcome = asyncio.run(campaign.send_all(address, sent))
        hints = service.hints.open()
    assert campaign.judge(outcome, sent, hints) == []
    assert sum(count for (kind, _), count in outcome.statuses.items() if kind == "genuine") == 180
    assert {(hint.source, hint.record, hint.record_id) for hint in hints} == outcome.accepted
    assert len(outcome.accepted) > 180


def test_the_judge_sees_what_is_lost_forged_or_kept_twice(tmp_path: Path) -> None:
    sent = campaign.deliveries(100, NOW, seed=1)
    with house(sqlite(tmp_path)) as service:
        outcome = campaign.Outcome()
        for delivery in (delivery for delivery in sent if delivery.kind == "genuine"):
            status = service.send(delivery.delivery)
            outcome.statuses[delivery.kind, status] += 1
            outcome.accepted |= delivery.brings
        hints = service.hints.open()

    def problems(*stored: WebhookHint) -> list[str]:
        return [problem.partition(":")[0] for problem in campaign.judge(outcome, sent, stored)]

    assert problems(*hints) == []
    assert problems(*hints[1:]) == ["lost"]
    forged = hints[0].model_copy(update={"record_id": "40000001"})
    assert problems(*hints, forged) == ["never sent"]
    assert problems(*hints, hints[0]) == ["kept 2 times"]
    outcome.statuses["forged", 200] += 1
    assert campaign.judge(outcome, sent, hints) == ["1 forged answered with 200"]
