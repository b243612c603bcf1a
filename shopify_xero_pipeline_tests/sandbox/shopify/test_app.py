"""Both APIs on one port: routes, faults, control, clock, and state that survives a restart."""

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.clock import ManualClock, SystemClock
from shopify_xero_pipeline.sandbox import app as sandbox_app
from shopify_xero_pipeline.sandbox.app import (
    OffsetClock,
    Sandbox,
    StateFileError,
    build_sandbox,
    last_saved,
    serve,
    serving,
)
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline_tests.sandbox.shopify.shop import GRAPHQL, START, stocked

GRANT = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
CONTACT = {"Contacts": [{"Name": "Aroha Ngata", "ContactNumber": "7"}]}
SHOP = {"query": "{ shop { name } }"}


def built(state_file: Path | None = None, **more: Any) -> Sandbox:
    return build_sandbox(clock=ManualClock(START), source=stocked(), state_file=state_file, **more)


def client(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(transport=InProcessTransport(sandbox.asgi), base_url="http://127.0.0.1:8765")


def signed_in(http: httpx.Client) -> httpx.Client:
    """Return the client with a token of Xero's custom connection."""
    scopes = "accounting.contacts accounting.settings"
    grant = {"grant_type": "client_credentials", "scope": scopes}
    token = http.post("/connect/token", data=grant, auth=("sandbox", "sandbox")).json()["access_token"]
    http.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json"})
    return http


def keep_contact(http: httpx.Client) -> None:
    assert http.put("/api.xro/2.0/Contacts", json=CONTACT).status_code == 200


def contacts(http: httpx.Client) -> list[str]:
    return [contact["Name"] for contact in http.get("/api.xro/2.0/Contacts").json()["Contacts"]]


def test_both_apis_answer_at_their_real_paths() -> None:
    http = signed_in(client(built()))
    token = http.post("/admin/oauth/access_token", data=GRANT).json()["access_token"]
    shop = http.post(GRAPHQL, json=SHOP, headers={"X-Shopify-Access-Token": token})
    assert shop.json()["data"] == {"shop": {"name": "Sandbox"}}
    assert http.get("/connections").status_code == 200
    assert http.get("/api.xro/2.0/Organisation").json()["Organisations"][0]["Name"] == "Demo Company (NZ)"
    assert http.get("/elsewhere").status_code == 404


def test_options_reach_the_shop() -> None:
    http = client(built(shopify_options=ShopifyOptions(static_token="other")))
    assert http.post(GRAPHQL, json=SHOP, headers={"X-Shopify-Access-Token": "sandbox"}).status_code == 401
    assert http.post(GRAPHQL, json=SHOP, headers={"X-Shopify-Access-Token": "other"}).status_code == 200


def test_a_fault_hits_either_api_and_never_the_control() -> None:
    sandbox = built()
    http = client(sandbox)
    sandbox.faults.add(Fault(kind=FaultKind.ANSWER, status=503, times=None))
    headers = {"X-Shopify-Access-Token": "sandbox"}
    assert http.post(GRAPHQL, json=SHOP, headers=headers).status_code == 503
    assert http.get("/connections").status_code == 503
    assert http.get("/_sandbox").json()["faults_fired"] == 2


def test_faults_are_switched_over_http() -> None:
    http = client(built())
    rule = {"kind": "html", "path": "/graphql.json"}
    assert http.post("/_sandbox/faults/", json=rule).json()[0]["kind"] == "html"
    answer = http.post(GRAPHQL, json=SHOP, headers={"X-Shopify-Access-Token": "sandbox"})
    assert answer.headers["content-type"].startswith("text/html")
    assert http.delete("/_sandbox/faults/").json() == []


def test_the_control_tells_what_the_sandbox_holds() -> None:
    assert client(built()).get("/_sandbox").json() == {
        "now": "2026-09-21T00:00:00+00:00",
        "orders": 1,
        "customers": 1,
        "products": 1,
        "faults_fired": 0,
    }


def test_a_clock_that_stands_still_is_moved_over_http() -> None:
    http = client(built())
    assert http.post("/_sandbox/clock", json={"seconds": 30}).json() == {"now": "2026-09-21T00:00:30+00:00"}
    moved = http.post("/_sandbox/clock", json={"to": "2026-09-22T00:00:00+12:00"}).json()
    assert moved == {"now": "2026-09-21T12:00:00+00:00"}
    for wrong in ({"to": "2026-09-01T00:00:00Z"}, {"to": 3}, {}):
        assert http.post("/_sandbox/clock", json=wrong).status_code == 400
    assert http.get("/_sandbox/clock").json() == moved


def test_a_clock_that_runs_is_not_moved() -> None:
    http = client(build_sandbox(clock=SystemClock(), source=stocked()))
    refused = http.post("/_sandbox/clock", json={"seconds": 1})
    assert refused.status_code == 400
    assert "runs by itself" in refused.json()["error"]


def test_an_offset_clock_starts_anywhere_and_keeps_the_machine_s_pace() -> None:
    machine = ManualClock(datetime(2026, 11, 20, tzinfo=UTC))
    clock = OffsetClock(START, machine)
    assert clock.now() == START
    clock.sleep(2)
    assert clock.now() == START + timedelta(seconds=2)
    assert machine.now() == datetime(2026, 11, 20, 0, 0, 2, tzinfo=UTC)
    assert abs(OffsetClock(START).now() - START) < timedelta(minutes=1)


def test_what_xero_keeps_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "new" / "state.json"
    assert last_saved(file) is None
    first = built(file)
    keep_contact(signed_in(client(first)))
    assert first.unsaved
    assert client(first).post("/_sandbox/save").json() == {"saved": True}
    assert not first.unsaved
    assert contacts(signed_in(client(built(file)))) == ["Aroha Ngata"]
    assert last_saved(file) == START
    assert [path.name for path in file.parent.iterdir()] == ["state.json"]


def test_reading_leaves_nothing_to_save_and_without_a_file_nothing_is_written() -> None:
    sandbox = built()
    assert client(sandbox).get("/api.xro/2.0/Contacts").status_code == 401
    assert not sandbox.unsaved
    sandbox.save()


@pytest.mark.parametrize("text", ["{", "{}", json.dumps({"saved_at": "2026-09-21T00:00:00Z", "xero": {"odd": 1}})])
def test_a_broken_state_file_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with pytest.raises(StateFileError, match=r"state\.json is not a state file of the sandbox .* delete it"):
        built(file)


def test_it_is_served_over_http_and_saved_when_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    with serving(built(file)) as address:
        assert address.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=address) as http:
            keep_contact(signed_in(http))
    assert contacts(signed_in(client(built(file)))) == ["Aroha Ngata"]


def test_it_is_saved_soon_after_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_app, "_SAVE_INTERVAL_SECONDS", 0.001)
    file = tmp_path / "state.json"
    sandbox = built(file)
    saved = threading.Event()
    save = sandbox.save

    def noted() -> None:
        save()
        saved.set()

    monkeypatch.setattr(sandbox, "save", noted)
    with serving(sandbox) as address, httpx.Client(base_url=address) as http:
        keep_contact(signed_in(http))
        assert saved.wait(10)
        assert file.exists()


def test_serve_tells_its_address_and_runs_until_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(sandbox_app._Server, "run", lambda self, sockets: told.append(f"ran on {len(sockets)}"))
    serve(built(), 0, ready=told.append)
    serve(built(), 0)
    assert told[0].startswith("http://127.0.0.1:")
    assert told[1:] == ["ran on 1", "ran on 1"]


def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 cannot be bound"), serving(built(), port):
            pass
