"""The line between one process and Xero: it loses, delays, doubles back and spoils, and holds what is still under way.

A request that is under way is carried out at its own instant, whether or not its sender still waits or lives. Which
trouble meets a call is drawn in `troubles.py`; what must hold when a write leaves is in `watch.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import httpx

from shopify_xero_pipeline_tests.campaigns.protocol.organisation import Answer, Call
from shopify_xero_pipeline_tests.campaigns.protocol.troubles import Trouble, refusal, spoilt
from shopify_xero_pipeline_tests.campaigns.protocol.watch import NOT_EXECUTED, Sent

if TYPE_CHECKING:
    from shopify_xero_pipeline_tests.campaigns.protocol.scene import Process, Scene

DEADLINE = 30
NEVER_ARRIVES = 0.2
EXECUTED_FIRST = (Trouble.GATEWAY_AFTER, Trouble.HTML_AFTER)
SPOILT = (
    Trouble.MALFORMED,
    Trouble.TRUNCATED,
    Trouble.WARNINGS,
    Trouble.NO_ID,
    Trouble.SHUFFLED,
    Trouble.SHORT,
    Trouble.EXTRA,
)


class Line(httpx.BaseTransport):
    """The transport of one process."""

    def __init__(self, scene: Scene, process: Process) -> None:
        self._scene = scene
        self._process = process
        self._rng = scene.troubles.rng

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request to Xero, or not, and its answer back, or not."""
        call = Call.of(request)
        self._scene.tally["calls"] += 1
        if not call.is_token:
            self._process.point("call: before")
        if call.is_write:
            self._scene.may_suspend(self._process)
            self._process.lives()
        if trace := request.extensions.get("trace"):
            trace("http11.send_request_headers.started", {})
        answer = self._write(call) if call.is_write else self._read(call)
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)

    def _write(self, call: Call) -> Answer:
        sent = self._scene.watch.leaves(call, self._scene.timeline.now())
        doubt = sent is not None and sent.doubtful
        if sent is not None:
            sent.doubtful = True
            sent.times += 1
        self._process.point("call: in flight", lambda: self._goes_on(call))
        try:
            answer = self._travel(call)
        except httpx.ConnectError:
            _know(sent, doubtful=doubt)
            raise
        if answer.status == 200 and _is_readable(answer) and sent is not None:
            sent.answered = True
        elif answer.status in NOT_EXECUTED:
            _know(sent, doubtful=doubt)
        return answer

    def _read(self, call: Call) -> Answer:
        return self._travel(call)

    def _goes_on(self, call: Call) -> None:
        """The sender dies; the request is lost, or arrives all the same."""
        if self._rng.random() >= NEVER_ARRIVES:
            late = self._rng.choice((0.0, self._scene.troubles.lateness()))
            self._scene.timeline.after(late, lambda: self._execute(call))

    def _travel(self, call: Call) -> Answer:
        trouble = self._scene.troubles.draw(call)
        if trouble is not None:
            self._scene.tally[f"fault {trouble}"] += 1
        self._under_way(call)
        lost = self._lost(call, trouble)
        if lost is not None:
            raise lost
        if trouble in (Trouble.ERROR_BEFORE, Trouble.ERROR_AFTER):
            return self._execute(call, "before" if trouble is Trouble.ERROR_BEFORE else "after")
        if trouble in EXECUTED_FIRST:
            self._execute(call)
        if trouble is Trouble.TWICE and call.method == "PUT":
            call = self._repeated(call)
        other = refusal(trouble, self._rng) if trouble else None
        answer = other or self._execute(call)
        if call.is_write and (other is None or trouble in EXECUTED_FIRST):
            self._process.point("call: executed")
        return spoilt(trouble, answer, self._rng) if trouble in SPOILT else answer

    def _under_way(self, call: Call) -> None:
        """Let the request travel; should its process die meanwhile, it is lost, or arrives all the same."""
        travelling, goes_on = self._process.travelling, partial(self._goes_on, call)
        if call.is_write:
            self._scene.tally["side by side"] += bool(travelling)
            travelling.append(goes_on)
        self._process.rest(self._rng.uniform(0.05, 1.5))
        if call.is_write:
            travelling.remove(goes_on)

    def _repeated(self, call: Call) -> Call:
        """Execute a call, and return it as something before Xero repeats it: without its key."""
        self._execute(call)
        headers = tuple(one for one in call.headers if one[0] != b"idempotency-key")
        return replace(call, headers=headers)

    def _lost(self, call: Call, trouble: Trouble | None) -> httpx.TransportError | None:
        """Return the error a sender sees to whom no answer comes; what is under way then stays under way."""
        if trouble is Trouble.UNREACHABLE:
            return httpx.ConnectError("no connection")
        if trouble is Trouble.LATE:
            self._scene.timeline.after(self._scene.troubles.lateness(), lambda: self._execute(call))
        elif trouble in (Trouble.ANSWER_LOST, Trouble.ANSWER_SLOW):
            self._execute(call)
            if call.is_write:
                self._process.point("call: executed")
        elif trouble is not Trouble.LOST:
            return None
        if trouble is Trouble.ANSWER_LOST or (trouble is Trouble.LOST and self._rng.random() < 0.5):
            return httpx.ReadError("reset")
        self._process.rest(DEADLINE)
        return httpx.ReadTimeout("no answer in time")

    def _execute(self, call: Call, server_error: str = "") -> Answer:
        return self._scene.organisation.answer(call, server_error)


def _know(sent: Sent | None, *, doubtful: bool) -> None:
    if sent is not None:
        sent.doubtful = doubtful


def _is_readable(answer: Answer) -> bool:
    try:
        return isinstance(json.loads(answer.body), dict)
    except ValueError:
        return False
