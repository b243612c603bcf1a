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
from shopify_xero_pipeline.xero.client import DEADLINE, Answer, XeroClient
from shopify_xero_pipeline.xero.errors import DayBudgetSpent, TooLate, XeroError, XeroUnavailableError
from shopify_xero_pipeline.xero.rate_limiter import LONGEST_WAIT, retry_after

REPLAY_HORIZON = timedelta(seconds=120)
"""R: no byte of a request leaves later than this after its first one."""

QUIESCENCE = timedelta(seconds=600)
"""Q: what is not known is read back no earlier than this after the first byte."""

LONGEST_QUIET = QUIESCENCE + timedelta(minutes=1)
"""When that is over is noted by our clock as well, never later than this: Xero's time is known to some seconds."""

NOT_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
UNREADABLE_BODY = (14, 17)
NOT_ACCEPTED = (405, 412, 413, 415)


class Fate(Enum):
    """What is known of a request. Only ANSWERED and UNKNOWN may have changed anything in Xero."""

    ANSWERED = auto()
    UNKNOWN = auto()
    BUSY = auto()
    SPENT = auto()
    DENIED = auto()
    UNREACHABLE = auto()
    UNACCEPTABLE = auto()
    MISUSED_KEY = auto()


@dataclass(frozen=True)
class Reply:
    """How a request ended, in words for people; `again`: the same bytes may be sent once more under the same key."""

    fate: Fate
    reason: str
    answer: Answer | None = None
    again: bool = False


class Delivery:
    """Sends batches. The only place from which a write leaves."""

    def __init__(self, client: XeroClient, journal: Journal, clock: Clock) -> None:
        self._client = client
        self._journal = journal
        self._clock = clock

    def send(self, batch: Batch) -> Reply:
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
        self._journal.witness.sent(batch)
        while True:
            reply = self._attempt(batch, began)
            if reply.fate is Fate.ANSWERED:
                return reply
            maybe_executed |= reply.fate is Fate.UNKNOWN
            pause = self._client.pause(reply.answer, attempt)
            again = reply.again and (self._client.may_retry or reply.fate is Fate.BUSY)
            if not again or not self._in_window(began, pause):
                break
            events.note(
                "batch_sent_again", entity_type=batch.kind, batch=batch.id, reason=reply.reason, pause=round(pause)
            )
            self._journal.keep(batch, timedelta(seconds=pause))
            self._clock.sleep(pause)
            attempt += 1
        if maybe_executed and reply.fate is not Fate.MISUSED_KEY:
            return Reply(Fate.UNKNOWN, reply.reason, reply.answer)
        return reply

    def _in_window(self, began: float, pause: float) -> bool:
        """Tell whether a batch may be sent once more after a pause, with time for its answer."""
        spent = self._clock.elapsed() - began + pause + DEADLINE.total_seconds()
        return spent <= REPLAY_HORIZON.total_seconds()

    def _attempt(self, batch: Batch, began: float) -> Reply:
        def guard() -> None:
            # Both clocks must agree: the seconds may stand still while a virtual machine does, the time of day may not.
            now, first = self._clock.now(), batch.first_sent_at
            late = self._clock.elapsed() - began > REPLAY_HORIZON.total_seconds()
            if late or first is None or not first <= now <= first + REPLAY_HORIZON:
                raise TooLate(f"batch {batch.id} may not be sent any more")

        try:
            answer = self._client.write(batch.method, batch.path, batch.body, key=batch.idempotency_key, guard=guard)
        except TooLate:
            return Reply(Fate.BUSY, "the time in which it could safely be sent is over")
        except DayBudgetSpent as error:
            return Reply(Fate.SPENT, str(error))
        except XeroUnavailableError as error:
            return Reply(Fate.UNREACHABLE, str(error))
        except XeroError as error:
            return Reply(Fate.DENIED, str(error))
        except NOT_CONNECTED:
            return Reply(Fate.UNREACHABLE, "Xero cannot be reached; check the network", again=True)
        except httpx.RequestError as error:
            return Reply(Fate.UNKNOWN, f"no whole answer came ({type(error).__name__})", again=True)
        return _read(answer, batch)


def _read(answer: Answer, batch: Batch) -> Reply:
    """Say what an answer means for the request as a whole."""
    status = answer.status
    if status == 200:
        return _read_success(answer)
    if status == 429:
        spent = answer.headers.get("x-rate-limit-problem") == "day" or (retry_after(answer.headers) or 0) > LONGEST_WAIT
        fate = Fate.SPENT if spent else Fate.BUSY
        return Reply(fate, "Xero's limit of calls is reached", answer, again=not spent)
    if status in (401, 403):
        return Reply(Fate.DENIED, f"Xero does not let this connection write (status {status})", answer)
    if batch.method == "DELETE" and status in (400, 404):
        return Reply(Fate.ANSWERED, refusals.words(_readable(answer)), answer)
    if status in (400, 404, *NOT_ACCEPTED):
        return _read_refusal(answer, batch)
    # A 500 is remembered under the key and says nothing of what was saved; the gateway's errors are not remembered.
    return Reply(Fate.UNKNOWN, f"Xero answered {status}", answer, again=status in (502, 503, 504))


def _read_success(answer: Answer) -> Reply:
    try:
        answer.parsed()
    except ValueError:
        return Reply(Fate.UNKNOWN, "the answer could not be read", answer, again=True)
    return Reply(Fate.ANSWERED, "", answer)


def _readable(answer: Answer) -> dict[str, Any]:
    try:
        return answer.parsed()
    except ValueError:
        return {}


def _read_refusal(answer: Answer, batch: Batch) -> Reply:
    found = _readable(answer)
    message = refusals.words(found)
    if answer.status == 404 and batch.method == "PUT" and batch.path.count("/") == 1:
        return Reply(Fate.UNREACHABLE, "Xero does not know the path (404)", answer)
    if answer.status != 400 or found.get("ErrorNumber") in UNREADABLE_BODY:
        return Reply(Fate.UNACCEPTABLE, message or f"Xero answered {answer.status}", answer)
    if "used with a different request" in str(found):
        return Reply(Fate.MISUSED_KEY, "an Idempotency-Key was used for two requests; please report this", answer)
    return Reply(Fate.UNKNOWN, f"Xero refused the whole request: {message or 'no reason given'}", answer)
