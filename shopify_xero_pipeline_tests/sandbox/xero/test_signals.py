"""The sandbox as a process of its own: whatever ends it politely, the last write is in its state file."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.campaign

GRANT = {"grant_type": "client_credentials", "scope": "accounting.contacts"}
CONTACTS = "/api.xro/2.0/Contacts"


@contextmanager
def running(state: Path, ended_by: signal.Signals) -> Iterator[httpx.Client]:
    """Run a sandbox on a state file and talk to it; a signal ends it, at once after the last answer."""
    words = ["sandbox", "--port", "0", "--state", str(state)]
    command = [sys.executable, "-u", "-m", "shopify_xero_pipeline.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_hear_interrupts) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[4]
        with httpx.Client(base_url=address, trust_env=False) as client:
            answer = client.post("/connect/token", auth=("sandbox", "sandbox"), data=GRANT).json()
            client.headers = {"Authorization": f"Bearer {answer['access_token']}", "Accept": "application/json"}
            yield client
            process.send_signal(ended_by)
        assert process.wait(30) == 0


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have us started with it ignored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_last_write_before_a_signal_is_kept(tmp_path: Path, number: signal.Signals) -> None:
    state = tmp_path / "xero.json"
    with running(state, number) as client:
        client.put(CONTACTS, json={"Contacts": [{"Name": "Last Write"}]}).raise_for_status()
    with running(state, signal.SIGTERM) as client:
        found = client.get(CONTACTS).raise_for_status().json()["Contacts"]
    assert [contact["Name"] for contact in found] == ["Last Write"]
