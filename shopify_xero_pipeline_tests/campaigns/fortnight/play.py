"""The events of a fortnight, and the alerts sent meanwhile; the expected result is in the test.

A shop trades for two weeks with automation on. Its orders are edited, refunded, cancelled and paid later, as generated.
Both APIs are unreachable for some hours, the machine is off for a night, a token expires, a response is lost after its
posting, and a record is refused until a person removes the cause a day later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from shopify_xero_pipeline.alerts.channels import Message
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.campaigns.fortnight.daemon import Daemon, at_work
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged

FIRST, LAST = date(2026, 9, 21), date(2026, 10, 4)
EVERY = timedelta(minutes=20)
LIMIT = "You have reached the limit of invoices you can approve"


class ClosingShop(GeneratedShop):
    """A shop without changes after its last day."""

    closes = at(LAST + timedelta(days=1), 0)

    def versions(self, kind: Any, until: datetime) -> Any:
        """Return all versions up to an instant, and none after the shop's closing."""
        return super().versions(kind, min(until, self.closes))

    def orders(self) -> dict[str, Node]:
        """Return all orders at the end, by the digits of their ids."""
        histories = self.versions("orders", self.closes)
        return {gid.rpartition("/")[2]: history[-1].node for gid, history in histories.items()}


@dataclass
class Recorder:
    """A channel that records its messages in order: `+` and the key of a new alert, `-` and that of a resolved one."""

    name: str = "recorder"
    sent: list[str] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Record a message."""
        self.sent.append(f"{'-' if message.is_resolved else '+'} {message.alert.key}")


@dataclass
class Play:
    """The stage, the daemon and the recorder of alerts."""

    stage: Stage
    daemon: Daemon
    recorder: Recorder

    @property
    def shop(self) -> ClosingShop:
        """The shop."""
        source = self.stage.sandbox.source
        assert isinstance(source, ClosingShop)
        return source

    def until(self, day: date, hour: int) -> None:
        """Let the daemon work until an hour of a day."""
        self.daemon.work(at(day, hour), EVERY)

    def off_until(self, day: date, hour: int) -> None:
        """Let time pass with the machine off."""
        self.stage.clock.move_to(at(day, hour))

    def fault(self, kind: FaultKind, **rule: Any) -> None:
        """Add a fault."""
        self.stage.sandbox.faults.add(Fault(kind=kind, **rule))

    def remove_faults(self) -> None:
        """Remove all faults."""
        self.stage.sandbox.faults.clear()


def play(fortnight: Play) -> None:
    """Play the fortnight, and some hours after it."""
    fortnight.until(date(2026, 9, 24), 10)
    fortnight.fault(FaultKind.UNREACHABLE, path="/admin/", times=None)
    fortnight.until(date(2026, 9, 24), 13)
    fortnight.remove_faults()

    fortnight.until(date(2026, 9, 26), 14)
    fortnight.fault(FaultKind.UNREACHABLE, path="/api.xro/", times=None)
    fortnight.until(date(2026, 9, 26), 17)
    fortnight.remove_faults()

    fortnight.until(date(2026, 9, 28), 22)  # daylight saving began on the 27th
    fortnight.off_until(date(2026, 9, 29), 9)

    fortnight.until(date(2026, 9, 30), 12)
    fortnight.fault(FaultKind.TOKEN_EXPIRED, path="/api.xro/")
    fortnight.fault(FaultKind.DROP_AFTER, method="PUT", path="/Invoices")

    fortnight.until(date(2026, 10, 1), 9)
    refused = next(node for node in fortnight.shop.orders().values() if placed_on(node, date(2026, 10, 1)))
    number = f"SH-{refused['name'].lstrip('#')}"
    fortnight.fault(FaultKind.REFUSED, path="/Invoices", body=number, times=None, answer=LIMIT)
    fortnight.until(date(2026, 10, 2), 10)
    fortnight.remove_faults()

    fortnight.until(LAST + timedelta(days=1), 7)


def placed_on(node: Node, day: date) -> bool:
    """Return whether an order was placed on a day, in the afternoon."""
    placed = datetime.fromisoformat(node["processedAt"])
    return at(day, 12) <= placed < at(day + timedelta(days=1), 0)


@contextmanager
def playing(folder: Path) -> Iterator[Play]:
    """Yield a stage before the first event."""
    recorder = Recorder()
    (folder / "house").mkdir()
    with (
        staged(folder / "house", at(FIRST, 0), ClosingShop(1, opened=FIRST)) as stage,
        at_work(stage, [recorder], folder / "dagster") as daemon,
    ):
        yield Play(stage, daemon, recorder)
