"""The tests tested: each rule of the protocol taken away makes a second payment where the protocol itself makes one.

Part payments are what Xero does not guard, neither by a number nor by the amount outstanding.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.xero import delivery, readback, writer
from shopify_xero_pipeline.xero.delivery import Fate, Reply
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.xero.world import SimulatedCrash, World, contact, invoice, payment

Bug = Callable[[pytest.MonkeyPatch], None]
BILL = invoice()
PART = payment(BILL, "50.00")


def later(world: World) -> None:
    for seconds in (60, 700, 700):
        world.wait(seconds)
        world.restart()
        world.load(PART)


def executed_and_answered(fault: FaultKind, times: int | None) -> Callable[[World], None]:
    def run(world: World) -> None:
        world.fault(fault, path="/Payments", method="PUT", times=times)
        world.load(PART)
        world.faults.clear()
        later(world)

    return run


def executed_before_the_process_died(world: World) -> None:
    sound = world.transport

    class Dies(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            sound.handle_request(request)
            if request.method == "PUT":
                raise SimulatedCrash
            return sound.handle_request(request)

    world.transport = Dies()
    world.restart()
    with pytest.raises(SimulatedCrash):
        world.load(PART)
    world.transport = sound
    world.wait(400)
    later(world)


def executed_three_minutes_late(world: World) -> None:
    sound, underway = world.transport, []

    class Late(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method != "PUT":
                return sound.handle_request(request)
            underway.append(request)
            raise SimulatedCrash

    world.transport = Late()
    world.restart()
    with pytest.raises(SimulatedCrash):
        world.load(PART)
    world.transport = sound
    world.wait(150)
    world.restart()
    world.load(PART)
    world.wait(30)
    sound.handle_request(underway[0])
    later(world)


def status_means_not_executed(status: int) -> Bug:
    def plant(patch: pytest.MonkeyPatch) -> None:
        sound = delivery._read

        def read(answer: object, batch: object) -> Reply:
            reply = sound(answer, batch)  # type: ignore[arg-type]
            return Reply(Fate.UNREACHABLE, "") if answer.status == status else reply  # type: ignore[attr-defined]

        patch.setattr(delivery, "_read", read)

    return plant


def no_answer_means_not_executed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "NOT_CONNECTED", (httpx.RequestError,))


def no_look_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(readback.ReadBack, "_mirrored", lambda _self, _kind, writes, _sent_at: [[] for _ in writes])


def no_quiet_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(readback, "QUIESCENCE", timedelta(0))
    patch.setattr(writer, "QUIESCENCE", timedelta(0))


def replayed_whenever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "REPLAY_HORIZON", timedelta(days=1))


SENT_AGAIN = executed_and_answered(FaultKind.SERVER_ERROR_AFTER_COMMIT, 1)
PLANTED: list[tuple[Bug, Callable[[World], None]]] = [
    (status_means_not_executed(500), SENT_AGAIN),
    (status_means_not_executed(503), executed_and_answered(FaultKind.ANSWER_AFTER_COMMIT, 1)),
    (no_answer_means_not_executed, executed_and_answered(FaultKind.DROP_AFTER, None)),
    (no_look_up, SENT_AGAIN),
    (no_quiet_time, executed_three_minutes_late),
    (replayed_whenever, executed_before_the_process_died),
]


@pytest.mark.parametrize(("bug", "run"), PLANTED)
def test_a_rule_taken_away_makes_a_second_payment_and_the_protocol_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Bug, run: Callable[[World], None]
) -> None:
    made = []
    for name in ("sound", "broken"):
        home = tmp_path / name
        home.mkdir()
        world = World(home)
        world.load(contact(), BILL)
        if name == "broken":
            bug(monkeypatch)
        run(world)
        made.append(len(world.live(Kind.PAYMENT)))

    assert made == [1, 2]
