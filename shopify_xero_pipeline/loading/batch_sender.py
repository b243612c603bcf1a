"""The delivery of one journalled batch, with repeats within the replay horizon.

The sender repeats a request with the same idempotency key and bytes only while Xero certainly stores the key. After
that, an unknown outcome is never guessed but read back (`readback.py`). The three times were measured with faults that
deliver requests minutes late: R plus the latest delivery must stay below the key's life of 360 s
(docs/contracts/xero.md §4), and Q above R plus that delivery and the lag of reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading import refusals
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.api_calls import Call
from shopify_xero_pipeline.state.journal import Journal
from shopify_xero_pipeline.state.records import Batch
from shopify_xero_pipeline.xero.client import EXCHANGE_TIME_LIMIT, XeroClient, XeroResponse
from shopify_xero_pipeline.xero.errors import (
    DailyQuotaExceededError,
    ReplayWindowExpiredError,
    XeroError,
    XeroUnavailableError,
)
from shopify_xero_pipeline.xero.rate_limiter import is_daily_limit

REPLAY_HORIZON = timedelta(seconds=120)
"""R: no byte of a request is sent later than this after its first byte."""

QUIESCENCE = timedelta(seconds=600)
"""Q, the quiet time: a request with an unknown outcome is read back no earlier than this after it was sent."""

MAX_QUIET_TIME = QUIESCENCE + timedelta(minutes=1)
"""Upper bound of the quiet time by our clock: Xero's time is known to within some seconds."""

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
UNREADABLE_BODY_ERRORS = (14, 17)
"""`ErrorNumber` of a body in which Xero reads no record (docs/contracts/xero_messages.md §7): nothing was executed."""

NOT_EXECUTED_STATUSES = (405, 412, 413, 415)
"""HTTP statuses with which Xero refuses a request as a whole: nothing was executed."""


class DeliveryStatus(Enum):
    """The status of a delivery. Xero can have executed the request only if it is ANSWERED or UNKNOWN."""

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
    """The result of a delivery.

    Attributes:
        status: what is known of the request.
        reason: a text for people; empty after a usable response.
        answer: the response, if one arrived.
        retry_after: the same bytes may be sent again under the same key after a pause.
    """

    status: DeliveryStatus
    reason: str
    answer: XeroResponse | None = None
    retry_after: bool = False


class BatchSender:
    """Sends batches; no other class sends a write."""

    def __init__(self, client: XeroClient, journal: Journal, clock: Clock) -> None:
        self._client = client
        self._journal = journal
        self._clock = clock

    def send(self, batch: Batch, slot: Call) -> DeliveryResult:
        """Send a batch, repeating it until a response arrives or the replay horizon ends.

        Only the process that marked a batch SENT sends it, and measures the replay horizon by its own elapsed seconds,
        which no other process knows.

        Args:
            batch: a batch in state INTENT.
            slot: the slot of the first attempt, from `XeroClient.ready`.

        Raises:
            FenceLostError: another process has taken over the batch.
            StoreReplacedError: another store is in the place of this one; nothing was sent.
            StoreBusyError: another process locks the store; nothing was sent.
            StoreUnwritableError: the store cannot record the batch as sent; nothing was sent.
        """
        started, failures, maybe_executed = self._clock.elapsed(), 0, False
        sent_at = self._client.time.latest
        quiet_at = sent_at + QUIESCENCE if sent_at is not None else None
        # The SENT mark and the send watermark must be on disk before the first byte leaves.
        batch = self._journal.send_watermark.record_send(
            lambda: self._journal.mark_sent(batch, xero_sent_at=sent_at, xero_quiet_at=quiet_at)
        )
        while True:
            reply = self._attempt(batch, started, failures + 1, slot if failures == 0 else None)
            if reply.status is DeliveryStatus.ANSWERED:
                return reply
            maybe_executed |= reply.status is DeliveryStatus.UNKNOWN
            pause = self._client.pause(reply.answer, failures)
            may_repeat = reply.retry_after and (self._client.may_retry or reply.status is DeliveryStatus.RATE_LIMITED)
            if not may_repeat or not self._is_in_window(started, pause):
                break
            events.log_event(
                "batch_sent_again", entity_type=batch.kind, batch=batch.id, reason=reply.reason, pause=round(pause)
            )
            self._journal.renew_lease(batch, timedelta(seconds=pause))
            self._clock.sleep(pause)
            failures += 1
        if maybe_executed and reply.status is not DeliveryStatus.IDEMPOTENCY_CONFLICT:
            return DeliveryResult(DeliveryStatus.UNKNOWN, reply.reason, reply.answer)
        return reply

    def _is_in_window(self, started: float, pause: float) -> bool:
        """Return whether another exchange after a pause ends within the replay horizon."""
        seconds = self._clock.elapsed() - started + pause + EXCHANGE_TIME_LIMIT.total_seconds()
        return seconds <= REPLAY_HORIZON.total_seconds()

    def _attempt(self, batch: Batch, started: float, attempt: int, slot: Call | None) -> DeliveryResult:
        def guard() -> None:
            # Either clock stops the send: elapsed seconds may stand still in a paused virtual machine, and the wall
            # clock may be set.
            now, sent_at = self._clock.now(), batch.first_sent_at
            is_late = self._clock.elapsed() - started > REPLAY_HORIZON.total_seconds()
            if is_late or sent_at is None or not sent_at <= now <= sent_at + REPLAY_HORIZON:
                raise ReplayWindowExpiredError(f"the replay horizon of batch {batch.id} has ended")

        try:
            answer = self._client.write(
                batch.method, batch.path, batch.body, key=batch.idempotency_key, guard=guard, attempt=attempt, slot=slot
            )
        except ReplayWindowExpiredError:
            return DeliveryResult(DeliveryStatus.RATE_LIMITED, "the replay horizon has ended")
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
                DeliveryStatus.UNKNOWN, f"no complete response arrived ({type(error).__name__})", retry_after=True
            )
        return _classify_response(answer, batch)


def _classify_response(answer: XeroResponse, batch: Batch) -> DeliveryResult:
    """Return the result of a delivery from the response to the whole request."""
    status, body = answer.status, _parse_body(answer)
    if status == 200:
        if body is None:
            return DeliveryResult(DeliveryStatus.UNKNOWN, "the response is not JSON", answer, retry_after=True)
        return DeliveryResult(DeliveryStatus.ANSWERED, "", answer)
    if status == 429:
        is_daily = is_daily_limit(answer.headers)
        limit = DeliveryStatus.QUOTA_EXHAUSTED if is_daily else DeliveryStatus.RATE_LIMITED
        return DeliveryResult(limit, "Xero's rate limit is reached", answer, retry_after=not is_daily)
    if status in (401, 403):
        return DeliveryResult(
            DeliveryStatus.DENIED, f"Xero does not allow this connection to write (status {status})", answer
        )
    if batch.method == "DELETE" and status in (400, 404):
        return DeliveryResult(DeliveryStatus.ANSWERED, refusals.error_messages(body or {}), answer)
    if status in (400, 404, *NOT_EXECUTED_STATUSES):
        return _classify_refusal(answer, body or {}, batch)
    # Xero stores a 500 under the key, whatever it saved, so a repeat gives the same 500; gateway errors are not stored.
    return DeliveryResult(
        DeliveryStatus.UNKNOWN, f"Xero responded with status {status}", answer, retry_after=status in (502, 503, 504)
    )


def _parse_body(answer: XeroResponse) -> dict[str, Any] | None:
    try:
        return answer.parsed()
    except ValueError:
        return None


def _classify_refusal(answer: XeroResponse, body: Mapping[str, Any], batch: Batch) -> DeliveryResult:
    message = refusals.error_messages(body)
    if answer.status == 404 and batch.method == "PUT" and batch.path.count("/") == 1:
        return DeliveryResult(DeliveryStatus.UNREACHABLE, "Xero does not have this path (404)", answer)
    if answer.status != 400 or body.get("ErrorNumber") in UNREADABLE_BODY_ERRORS:
        return DeliveryResult(DeliveryStatus.REJECTED, message or f"Xero responded with status {answer.status}", answer)
    if "used with a different request" in str(body):
        reason = "an idempotency key was used for two requests; please report this"
        return DeliveryResult(DeliveryStatus.IDEMPOTENCY_CONFLICT, reason, answer)
    reason = f"Xero refused the whole request: {message or 'no reason given'}"
    return DeliveryResult(DeliveryStatus.UNKNOWN, reason, answer)
