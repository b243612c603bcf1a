"""A thin campaign of deliveries; the whole one is `python -m shopify_xero_pipeline_tests.service`."""

import asyncio
from collections import Counter
from pathlib import Path

from shopify_xero_pipeline.service.body_reader import Limits
from shopify_xero_pipeline.service.server import serving
from shopify_xero_pipeline_tests.campaigns.webhooks import campaign
from shopify_xero_pipeline_tests.service.sending import NOW, house, sqlite

PATIENT = Limits(reading=60, storing=60, headers=60)


def test_of_many_deliveries_none_is_lost_none_is_forged_and_none_kept_twice(tmp_path: Path) -> None:
    sent = campaign.deliveries(300, NOW, seed=1)
    assert Counter(one.kind for one in sent) == {
        "genuine": 180, "sent again": 45, "replayed under another name": 15, "dated days ago": 15, "forged": 30,
        "malformed": 12, "10 MB": 3,
    }  # fmt: skip
    with house(sqlite(tmp_path), limits=PATIENT) as made:
        with serving(made.app, PATIENT) as address:
            outcome = asyncio.run(campaign.send_all(address, sent))
        kept = made.hints.open()
    assert campaign.judge(outcome, sent, kept) == []
    assert sum(count for (kind, _), count in outcome.statuses.items() if kind == "genuine") == 180
    assert {(one.source, one.record, one.record_id) for one in kept} == outcome.accepted
    assert len(outcome.accepted) > 180


def test_the_judge_sees_what_is_lost_forged_or_kept_twice(tmp_path: Path) -> None:
    sent = campaign.deliveries(100, NOW, seed=1)
    with house(sqlite(tmp_path)) as made:
        outcome = campaign.Outcome()
        for one in (one for one in sent if one.kind == "genuine"):
            status = made.send(one.delivery)
            outcome.statuses[one.kind, status] += 1
            outcome.accepted |= one.brings
        kept = made.hints.open()
    assert campaign.judge(outcome, sent, kept) == []
    assert [said.partition(":")[0] for said in campaign.judge(outcome, sent, kept[1:])] == ["lost"]
    forged = kept[0].model_copy(update={"record_id": "40000001"})
    assert [said.partition(":")[0] for said in campaign.judge(outcome, sent, [*kept, forged])] == ["never sent"]
    assert [said.partition(":")[0] for said in campaign.judge(outcome, sent, [*kept, kept[0]])] == ["kept 2 times"]
    outcome.statuses["forged", 200] += 1
    assert campaign.judge(outcome, sent, kept) == ["1 forged answered with 200"]
