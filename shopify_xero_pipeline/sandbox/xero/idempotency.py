"""The cache behind `Idempotency-Key`: replies replayed unchanged for six minutes, errors and 500s included (B8)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.answers import Reply, numbered

LIFE = timedelta(minutes=6)
LONGEST = 128  # characters of a key
_METHODS = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class _CachedReply:
    request: str
    reply: Reply
    until: datetime


class Idempotency:
    """Cached replies of writes by (app, key). Calls run one after another, so a concurrent repeat gets the reply."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[tuple[str, str], _CachedReply] = {}
        self.replays = 0

    def once(
        self, client_id: str, key: str | None, method: str, url: str, body: bytes, act: Callable[[], Reply]
    ) -> Reply:
        """Return the cached reply of the same request, or act and cache the reply.

        Args:
            client_id: the app; keys of different apps are independent.
            key: the header; None if it was not sent.
            method: the request's method; keys of GET and DELETE are ignored.
            url: the URL with its query.
            body: the request's body.
            act: executes the request; any reply is cached.

        Raises:
            Refused: 400 for a key that is empty, too long or used with another request.
        """
        if key is None or method not in _METHODS:
            return act()
        _check_key(key)
        request = hashlib.sha256(b"\n".join((method.encode(), url.encode(), body))).hexdigest()
        known = self._answers.get((client_id, key))
        if known is None or self._clock.now() >= known.until:
            began = self._clock.now()
            self._answers = {key: answer for key, answer in self._answers.items() if began < answer.until}
            reply = act()
            self._answers[client_id, key] = _CachedReply(request, reply, began + LIFE)
            return reply
        if known.request != request:
            raise numbered(10, "ValidationException", f"Idempotency Key: {key} is used with a different request.")
        self.replays += 1
        return known.reply


def _check_key(key: str) -> None:
    if not key:
        raise numbered(10, "ValidationException", "Idempotency Key: the key is empty.")
    if len(key) > LONGEST:
        words = f"Idempotency Key: {key} is {len(key)} characters long. The maximum length is {LONGEST} characters."
        raise numbered(10, "ValidationException", words)
