"""The system of the Dagster tests with a webserver and automation, at a given minute of a given day."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import httpx

from shopify_xero_pipeline_tests.campaigns.dagster_runs.clock import START
from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House

PROGRAMS = "shopify_xero_pipeline_tests.campaigns.browser"


class OpenHouse(House):
    """A system with a UI.

    Attributes:
        page: the address of the UI.
    """

    code, daemon = f"{PROGRAMS}.location", f"{PROGRAMS}.daemon"

    def __init__(self, folder: Path, now: datetime) -> None:
        super().__init__(folder)
        self.pass_time((now - START).total_seconds())
        self.page = f"http://127.0.0.1:{_free_port()}"

    def start_all(self) -> None:
        """Start all processes, and wait until the UI responds."""
        super().start_all()
        _, _, port = self.page.rpartition(":")
        self._start("webserver", "-m", f"{PROGRAMS}.webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", port)
        self.until(self._answers, "the webserver to answer")

    def clock_offset(self) -> float:
        """Return the seconds by which the shared clock is ahead of the machine's."""
        return (self.now() - datetime.now(UTC)).total_seconds()

    def ask(self, query: str) -> str:
        """Return the response of the UI's GraphQL to a program."""
        return httpx.post(f"{self.page}/graphql", json={"query": query}, trust_env=False).raise_for_status().text

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.page}/server_info", trust_env=False).is_success
        except httpx.TransportError:
            return False

    @property
    def environ(self) -> dict[str, str]:
        return super().environ | {"AUTOMATION": "on"}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
