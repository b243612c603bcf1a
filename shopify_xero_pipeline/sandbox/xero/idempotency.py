"""The memory behind `Idempotency-Key`: six minutes, replayed word for word, errors and 500s included (B8)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.answers import Reply, numbered

LIFE = timedelta(minutes=6)
LONGEST = 128
_METHODS = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class _Remembered:
    request: str
    reply: Reply
    until: datetime


class Idempotency:
    """Answers of writes by (app, key). Calls are handled one after another, so a concurrent repeat finds the answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[tuple[str, str], _Remembered] = {}
        self.replays = 0

    def once(
        self, client_id: str, key: str | None, method: str, url: str, body: bytes, act: Callable[[], Reply]
    ) -> Reply:
        """Return the remembered answer of this very request, or act and remember.

        Args:
            client_id: the app; keys of different apps have nothing to do with each other.
            key: the header, None if it was not sent.
            method: of the request; keys of GET and DELETE are ignored.
            url: with its query.
            body: as it came.
            act: does the work; what it answers is remembered whatever it is.

        Raises:
            Refused: 400 for a key that is empty, too long or was used with another request.
        """
        if key is None or method not in _METHODS:
            return act()
        _check(key)
        request = hashlib.sha256(b"\n".join((method.encode(), url.encode(), body))).hexdigest()
        known = self._answers.get((client_id, key))
        if known is None or self._clock.now() >= known.until:
            began = self._clock.now()
            self._answers = {each: one for each, one in self._answers.items() if began < one.until}
            reply = act()
            self._answers[client_id, key] = _Remembered(request, reply, began + LIFE)
            return reply
        if known.request != request:
            raise numbered(10, "ValidationException", f"Idempotency Key: {key} is used with a different request.")
        self.replays += 1
        return known.reply


def _check(key: str) -> None:
    if not key:
        raise numbered(10, "ValidationException", "Idempotency Key: the key is empty.")
    if len(key) > LONGEST:
        words = f"Idempotency Key: {key} is {len(key)} characters long. The maximum length is {LONGEST} characters."
        raise numbered(10, "ValidationException", words)
