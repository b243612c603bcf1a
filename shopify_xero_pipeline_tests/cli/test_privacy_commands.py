"""Privacy requests on the command line: listed until a person has seen to them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.cli.test_cli import NOW, invoke, on_stage
from shopify_xero_pipeline_tests.support.stage import Stage, staged


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, NOW) as stage, on_stage(stage, monkeypatch):
        yield stage


def ask(stage: Stage, number: int, topic: str) -> None:
    hint = WebhookHint(
        id=f"{number}" * 64, source="shopify", topic=topic, record="customer", record_id=f"70{number}",
        delivery=f"{number}", orders="11 12", received_at=NOW,
    )  # fmt: skip
    stage.sync_service.connections.store.hints.add([hint])


def test_without_requests_there_is_nothing_to_do(stage: Stage) -> None:
    done = invoke("requests")
    assert (done.exit_code, done.stdout) == (0, "no open privacy requests\n")
    assert "requests about" not in invoke("status").stdout


def test_requests_are_listed_with_what_to_do_until_they_are_done(stage: Stage) -> None:
    ask(stage, 1, "customers/redact")
    ask(stage, 2, "customers/data_request")
    listed = invoke("requests", "--json", "-")
    assert listed.exit_code == 1
    assert [one["record_id"] for one in json.loads(listed.stdout)["requests"]] == ["701", "702"]
    assert "shopify-xero redact --customer 701" in listed.stderr
    assert "customer 702, orders 11 12" in listed.stderr
    assert "22 Oct 2026" in listed.stderr
    assert "customers/data_request" in invoke("status").stdout

    assert invoke("requests", "--done", "22222222").exit_code == 1
    redacted = invoke("redact", "--customer", "701")
    assert redacted.exit_code == 0, redacted.output
    assert invoke("requests").exit_code == 0


@pytest.mark.parametrize("named", ["3", "x"])
def test_what_names_no_open_request_is_refused(stage: Stage, named: str) -> None:
    ask(stage, 1, "customers/redact")
    refused = invoke("requests", "--done", named)
    assert refused.exit_code == 2
    assert "--done takes the id of one open request" in refused.stderr
