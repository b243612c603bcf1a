"""The results of five generated days equal the recording; an intended change writes the recording again."""

import json

import pytest

from shopify_xero_pipeline_tests.campaigns.recording.__main__ import RECORDED
from shopify_xero_pipeline_tests.campaigns.recording.record import hashes, record

pytestmark = pytest.mark.campaign
AGAIN = "compare the texts of both versions (`python -m shopify_xero_pipeline_tests.campaigns.recording --texts DIR`)"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return record(tmp_path_factory.mktemp("recording"))


def test_five_days_come_to_the_recorded_change_sets_requests_tables_and_statements(texts: dict[str, str]) -> None:
    recorded, current = json.loads(RECORDED.read_text()), hashes(texts)
    assert [name for name in {**recorded, **current} if recorded.get(name) != current.get(name)] == [], AGAIN


def test_a_recording_holds_every_request_and_another_amount_in_one_makes_another_recording(
    texts: dict[str, str],
) -> None:
    name = next(
        name for name, text in texts.items() if name.startswith("request") and '"InvoiceNumber":"SH-1001"' in text
    )
    assert texts[name].startswith("PUT /Invoices")
    other = {**texts, name: texts[name].replace('"UnitAmount":3.33', '"UnitAmount":3.34')}
    assert [key for key in texts if hashes(texts)[key] != hashes(other)[key]] == [name]
