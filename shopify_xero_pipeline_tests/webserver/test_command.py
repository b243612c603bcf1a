"""The real webserver of Dagster, as a process of its own behind the guard: the guard is there, and the UI goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

pytestmark = pytest.mark.campaign

MUTATION = "mutation{setNuxSeen}"
SUBSCRIPTION = "subscription{locationStateChangeEvents{event{message}}}"
PATIENCE = 120


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-h", "127.0.0.1", "-p", str(port), "--empty-workspace"]
    command = [sys.executable, "-m", "shopify_xero_pipeline.cli", "webserver", *words]
    environ = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_HOSTS": "ui.example"}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, env=environ, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/server_info", process, home / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def post(address: str, query: str, **headers: str) -> httpx.Response:
    return httpx.post(f"http://{address}/graphql", json={"query": query}, headers=headers, trust_env=False)


def test_the_mutation_of_a_foreign_page_is_refused_in_every_form_and_the_uis_own_is_carried_out(address: str) -> None:
    url, evil = f"http://{address}/graphql", {"origin": "https://evil.example"}
    assert httpx.get(url, params={"query": MUTATION}, headers=evil, trust_env=False).status_code == 405
    assert httpx.post(url, params={"query": MUTATION}, headers=evil, trust_env=False).status_code == 403
    assert httpx.post(url, params={"query": MUTATION}, trust_env=False).status_code == 415
    assert post(address, MUTATION, origin="https://evil.example").status_code == 403
    report = f"http://{address}/report_asset_materialization/xero/invoices"
    assert httpx.post(report, params={"partition": "2026-10-01"}, trust_env=False).status_code == 415
    assert post(address, MUTATION, origin=f"http://{address}").json() == {"data": {"setNuxSeen": True}}


def test_a_foreign_host_sees_nothing_and_one_that_is_set_sees_the_ui(address: str) -> None:
    def get(host: str) -> int:
        return httpx.get(f"http://{address}/", headers={"host": host}, trust_env=False).status_code

    assert (get("evil.example"), get("ui.example"), get(address)) == (400, 200, 200)


def test_subscriptions_go_on_for_the_uis_own_pages_alone(address: str) -> None:
    url, protocol = f"ws://{address}/graphql", [Subprotocol("graphql-ws")]
    with connect(url, origin=Origin(f"http://{address}"), subprotocols=protocol, proxy=None) as talk:
        talk.send(json.dumps({"type": "connection_init"}))
        assert json.loads(talk.recv(10)) == {"type": "connection_ack"}
        talk.send(json.dumps({"type": "start", "id": "1", "payload": {"query": SUBSCRIPTION, "variables": {}}}))
        talk.send(json.dumps({"type": "stop", "id": "1"}))
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, origin=Origin("https://evil.example"), subprotocols=protocol, proxy=None)


def test_nothing_is_changed_by_a_mutation_that_a_websocket_calls_a_subscription(address: str) -> None:
    protocol = [Subprotocol("graphql-ws")]
    with connect(f"ws://{address}/graphql", subprotocols=protocol, proxy=None) as talk:
        talk.send(json.dumps({"type": "start", "id": "1", "payload": {"query": MUTATION, "variables": {}}}))
        answer = json.loads(talk.recv(10))
    assert answer["type"] == "error"
    assert "setNuxSeen" in answer["payload"]["message"]
