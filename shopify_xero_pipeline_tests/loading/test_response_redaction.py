"""Xero's words are shown without the customers they name; everything else of them stays."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.loading.batch_sender import DeliveryResult, DeliveryStatus
from shopify_xero_pipeline.loading.refusals import mask
from shopify_xero_pipeline.loading.response_redaction import redact_response
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroResponse

KNOWN = ("Jane Doe", "Jane", "Doe", "1 Queen Street", "Li", "X", "", " ")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The contact name Jane Doe is taken", "The contact name … is taken"),
        ("JANE DOE of 1 queen street", "… of …"),
        ("Doe, Jane: account 601 is archived", "…, …: account 601 is archived"),
        ("The limit of Li is reached", "The limit of … is reached"),
        ("Janet may stay, X too", "Janet may stay, X too"),
        ("sent to someone.else@example.co.nz.", "sent to …"),
        ("or by +64 21 555 001!", "or by …!"),
        ("Invoice SH-1001 of 2026-09-21 is not 12.50", "Invoice SH-1001 of 2026-09-21 is not 12.50"),
    ],
)
def test_whole_words_of_a_customer_are_hidden_and_nothing_else(said: str, shown: str) -> None:
    assert mask(said, KNOWN) == shown


@pytest.mark.parametrize("body", [b"", b"<html>Message</html>", b'{"Contacts":[{"Name":"Jane"}]}', b'{"Message":'])
def test_an_answer_without_words_or_that_cannot_be_read_is_passed_on_as_it_is(body: bytes, tmp_path: Path) -> None:
    answer = XeroResponse(200, {}, body)
    with closing(StateStore(f"sqlite:///{tmp_path}/state.db", ManualClock(datetime(2026, 9, 21, tzinfo=UTC)))) as store:
        assert redact_response(DeliveryResult(DeliveryStatus.ANSWERED, "", answer), [], store).answer == answer
        assert redact_response(DeliveryResult(DeliveryStatus.UNKNOWN, "no answer"), [], store).reason == "no answer"
