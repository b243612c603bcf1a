"""Sending one journalled batch: mark it sent, send it, again while that is safe, and say what is known in the end.

A request may be repeated with the same key and bytes only while Xero certainly remembers the key; what is not known
then is never guessed, but read back later (`readback.py`). The three times were measured with faults that deliver
requests minutes late: R plus the latest delivery must stay below the key's life of 360 s, and Q above R plus that
delivery and the lag of reads.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading import refusals
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.journal import Journal
from shopify_xero_pipeline.state.records import Batch
from shopify_xero_pipeline.xero.client import DEADLINE_SECONDS, XeroClient, XeroResponse
from shopify_xero_pipeline.xero.errors import (
    DailyQuotaExceededError,
    ReplayWindowExpiredError,
    XeroError,
    XeroUnavailableError,
)
from shopify_xero_pipeline.xero.rate_limiter import MAX_WAIT_SECONDS, retry_after

REPLAY_HORIZON = timedelta(seconds=120)
"""R: no byte of a request leaves later than this after its first one."""

QUIESCENCE = timedelta(seconds=600)
"""Q: what is not known is read back no earlier than this after the first byte."""

MAX_QUIET_SECONDS = QUIESCENCE + timedelta(minutes=1)
"""When that is over is noted by our clock as well, never later than this: Xero's time is known to some seconds."""

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
UNREADABLE_BODY = (14, 17)
NOT_ACCEPTED = (405, 412, 413, 415)


class DeliveryStatus(Enum):
    """What is known of a request. Only ANSWERED and UNKNOWN may have changed anything in Xero."""

    ANSWERED = auto()
    UNKNOWN = auto()
    RATE_LIMITED = auto()
    QUOTA_EXHAUSTED = auto()
    DENIED = auto()
    UNREACHABLE = auto()
    REJECTED = auto()
    IDEMPOTENCY_CONFLICT = auto()


@dataclass(frozen=True)
class DeliveryResult:
    """How a request ended, in words for people; `again`: the same bytes may be sent once more under the same key."""

    status: DeliveryStatus
    reason: str
    answer: XeroResponse | None = None
    retry_after: bool = False


class BatchSender:
    """Sends batches. The only place from which a write leaves."""

    def __init__(self, client: XeroClient, journal: Journal, clock: Clock) -> None:
        self._client = client
        self._journal = journal
        self._clock = clock

    def send(self, batch: Batch) -> DeliveryResult:
        """Send a batch until it is answered or may not be sent any more.

        Only the process that marked it sends it, for as long as its own count of seconds says that Xero still remembers
        the key: no other process can know how long ago that was.

        Raises:
            FenceLostError: another process has taken the batch over.
            StoreReplacedError: another store took the place of this one; nothing was sent.
            StoreUnwritableError: what is about to be sent cannot be written down; nothing was sent.
        """
        began, attempt, maybe_executed = self._clock.elapsed(), 0, False
        sent_at = self._client.time.latest
        quiet_at = sent_at + QUIESCENCE if sent_at is not None else None
        batch = self._journal.mark_sent(batch, xero_sent_at=sent_at, xero_quiet_at=quiet_at)
        self._journal.send_watermark.record_send(batch)
        while True:
            reply = self._attempt(batch, began)
            if reply.status is DeliveryStatus.ANSWERED:
                return reply
            maybe_executed |= reply.status is DeliveryStatus.UNKNOWN
            pause = self._client.pause(reply.answer, attempt)
            again = reply.retry_after and (self._client.may_retry or reply.status is DeliveryStatus.RATE_LIMITED)
            if not again or not self._in_window(began, pause):
                break
            events.log_event(
                "batch_sent_again", entity_type=batch.kind, batch=batch.id, reason=reply.reason, pause=round(pause)
            )
            self._journal.renew_lease(batch, timedelta(seconds=pause))
            self._clock.sleep(pause)
            attempt += 1
        if maybe_executed and reply.status is not DeliveryStatus.IDEMPOTENCY_CONFLICT:
            return DeliveryResult(DeliveryStatus.UNKNOWN, reply.reason, reply.answer)
        return reply

    def _in_window(self, began: float, pause: float) -> bool:
        """Tell whether a batch may be sent once more after a pause, with time for its answer."""
        spent = self._clock.elapsed() - began + pause + DEADLINE_SECONDS.total_seconds()
        return spent <= REPLAY_HORIZON.total_seconds()

    def _attempt(self, batch: Batch, began: float) -> DeliveryResult:
        def guard() -> None:
            # Both clocks must agree: the seconds may stand still while a virtual machine does, the time of day may not.
            now, first = self._clock.now(), batch.first_sent_at
            late = self._clock.elapsed() - began > REPLAY_HORIZON.total_seconds()
            if late or first is None or not first <= now <= first + REPLAY_HORIZON:
                raise ReplayWindowExpiredError(f"batch {batch.id} may not be sent any more")

        try:
            answer = self._client.write(batch.method, batch.path, batch.body, key=batch.idempotency_key, guard=guard)
        except ReplayWindowExpiredError:
            return DeliveryResult(DeliveryStatus.RATE_LIMITED, "the time in which it could safely be sent is over")
        except DailyQuotaExceededError as error:
            return DeliveryResult(DeliveryStatus.QUOTA_EXHAUSTED, str(error))
        except XeroUnavailableError as error:
            return DeliveryResult(DeliveryStatus.UNREACHABLE, str(error))
        except XeroError as error:
            return DeliveryResult(DeliveryStatus.DENIED, str(error))
        except NOT_CONNECTED:
            return DeliveryResult(
                DeliveryStatus.UNREACHABLE, "Xero cannot be reached; check the network", retry_after=True
            )
        except httpx.RequestError as error:
            return DeliveryResult(
                DeliveryStatus.UNKNOWN, f"no whole answer came ({type(error).__name__})", retry_after=True
            )
        return _read(answer, batch)


def _read(answer: XeroResponse, batch: Batch) -> DeliveryResult:
    """Say what an answer means for the request as a whole."""
    status = answer.status
    if status == 200:
        return _read_success(answer)
    if status == 429:
        spent = (
            answer.headers.get("x-rate-limit-problem") == "day" or (retry_after(answer.headers) or 0) > MAX_WAIT_SECONDS
        )
        fate = DeliveryStatus.QUOTA_EXHAUSTED if spent else DeliveryStatus.RATE_LIMITED
        return DeliveryResult(fate, "Xero's limit of calls is reached", answer, retry_after=not spent)
    if status in (401, 403):
        return DeliveryResult(
            DeliveryStatus.DENIED, f"Xero does not let this connection write (status {status})", answer
        )
    if batch.method == "DELETE" and status in (400, 404):
        return DeliveryResult(DeliveryStatus.ANSWERED, refusals.error_messages(_readable(answer)), answer)
    if status in (400, 404, *NOT_ACCEPTED):
        return _read_refusal(answer, batch)
    # A 500 is remembered under the key and says nothing of what was saved; the gateway's errors are not remembered.
    return DeliveryResult(
        DeliveryStatus.UNKNOWN, f"Xero answered {status}", answer, retry_after=status in (502, 503, 504)
    )


def _read_success(answer: XeroResponse) -> DeliveryResult:
    try:
        answer.parsed()
    except ValueError:
        return DeliveryResult(DeliveryStatus.UNKNOWN, "the answer could not be read", answer, retry_after=True)
    return DeliveryResult(DeliveryStatus.ANSWERED, "", answer)


def _readable(answer: XeroResponse) -> dict[str, Any]:
    try:
        return answer.parsed()
    except ValueError:
        return {}


def _read_refusal(answer: XeroResponse, batch: Batch) -> DeliveryResult:
    found = _readable(answer)
    message = refusals.error_messages(found)
    if answer.status == 404 and batch.method == "PUT" and batch.path.count("/") == 1:
        return DeliveryResult(DeliveryStatus.UNREACHABLE, "Xero does not know the path (404)", answer)
    if answer.status != 400 or found.get("ErrorNumber") in UNREADABLE_BODY:
        return DeliveryResult(DeliveryStatus.REJECTED, message or f"Xero answered {answer.status}", answer)
    if "used with a different request" in str(found):
        return DeliveryResult(
            DeliveryStatus.IDEMPOTENCY_CONFLICT,
            "an Idempotency-Key was used for two requests; please report this",
            answer,
        )
    return DeliveryResult(
        DeliveryStatus.UNKNOWN, f"Xero refused the whole request: {message or 'no reason given'}", answer
    )
