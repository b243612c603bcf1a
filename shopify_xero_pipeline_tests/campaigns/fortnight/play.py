"""The fortnight: what happens when, and who was told of what. What has to be true in the end stands in the test.

A shop trades for two weeks; automation is on. Its orders are edited, refunded, cancelled and paid later as the
generated shop has it. On the way both APIs are out for some hours, the machine is off for a night, a token expires, an
answer is lost after it was booked, and a record is refused until somebody mends the cause a day later.
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
    """A shop that stands still after its last day."""

    closes = at(LAST + timedelta(days=1), 0)

    def versions(self, kind: Any, until: datetime) -> Any:
        """Every version up to an instant, and none after the shop has closed."""
        return super().versions(kind, min(until, self.closes))

    def orders(self) -> dict[str, Node]:
        """Return all orders as they are in the end, by the digits of their ids."""
        found = self.versions("orders", self.closes)
        return {gid.rpartition("/")[2]: some[-1].node for gid, some in found.items()}


@dataclass
class Recorder:
    """A channel that keeps what it is told, in its order: `+` and a cause that rises, `-` and one that is over."""

    name: str = "recorder"
    told: list[str] = field(default_factory=list)

    def send(self, message: Message) -> None:
        """Take a message."""
        self.told.append(f"{'-' if message.is_resolved else '+'} {message.alert.key}")


@dataclass
class Play:
    """The stage, the daemon, and who is told."""

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
        """Let the daemon work until then."""
        self.daemon.work(at(day, hour), EVERY)

    def off_until(self, day: date, hour: int) -> None:
        """Let time pass with the machine off."""
        self.stage.clock.move_to(at(day, hour))

    def fault(self, kind: FaultKind, **rule: Any) -> None:
        """Let something go wrong from now on."""
        self.stage.sandbox.faults.add(Fault(kind=kind, **rule))

    def mended(self) -> None:
        """Let nothing go wrong any more."""
        self.stage.sandbox.faults.clear()


def play(one: Play) -> None:
    """Play the fortnight, and some hours after it in which everything comes to rest."""
    one.until(date(2026, 9, 24), 10)
    one.fault(FaultKind.UNREACHABLE, path="/admin/", times=None)
    one.until(date(2026, 9, 24), 13)
    one.mended()

    one.until(date(2026, 9, 26), 14)
    one.fault(FaultKind.UNREACHABLE, path="/api.xro/", times=None)
    one.until(date(2026, 9, 26), 17)
    one.mended()

    one.until(date(2026, 9, 28), 22)  # clocks were put forward on the 27th
    one.off_until(date(2026, 9, 29), 9)

    one.until(date(2026, 9, 30), 12)
    one.fault(FaultKind.TOKEN_EXPIRED, path="/api.xro/")
    one.fault(FaultKind.DROP_AFTER, method="PUT", path="/Invoices")

    one.until(date(2026, 10, 1), 9)
    refused = next(node for node in one.shop.orders().values() if placed_on(node, date(2026, 10, 1)))
    one.fault(FaultKind.REFUSED, path="/Invoices", body=f"SH-{refused['name'].lstrip('#')}", times=None, answer=LIMIT)
    one.until(date(2026, 10, 2), 10)
    one.mended()

    one.until(LAST + timedelta(days=1), 7)


def placed_on(node: Node, day: date) -> bool:
    """Tell whether an order was placed on a day, in the afternoon."""
    placed = datetime.fromisoformat(node["processedAt"])
    return at(day, 12) <= placed < at(day + timedelta(days=1), 0)


@contextmanager
def playing(folder: Path) -> Iterator[Play]:
    """Give a stage on which nothing has happened yet."""
    recorder = Recorder()
    (folder / "house").mkdir()
    with (
        staged(folder / "house", at(FIRST, 0), ClosingShop(1, opened=FIRST)) as stage,
        at_work(stage, [recorder], folder / "dagster") as daemon,
    ):
        yield Play(stage, daemon, recorder)
