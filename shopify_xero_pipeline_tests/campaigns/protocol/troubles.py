"""The fault matrix: what can happen to a call, drawn by seed, and how an answer is spoilt.

Only the drawing and the spoiling belong here; the travelling is in `line.py`. A character is drawn once for a run: how
often calls are met by trouble, which kinds there are, how late a request may arrive, how far lists lag behind. The
contract that R and Q are made for holds in every run: a request is delivered at most 230 s late, a list lags at most
300 s, and both together stay below what Q leaves after R.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from shopify_xero_pipeline_tests.campaigns.protocol.organisation import Answer, Call

LATEST = 230
LAGS = (0, 0, 0, 60, 150, 300)
LATE_AND_LAG = 470
DAY_LIMITS = (3600, 20_000)
NUMBERED = ("/Contacts", "/Items", "/Invoices")
"""Where Xero itself refuses the same record a second time."""

ZERO_GUID = "00000000-0000-0000-0000-000000000000"


class Trouble(StrEnum):
    """What happens to one call."""

    UNREACHABLE = "no connection"
    LOST = "request lost"
    ANSWER_LOST = "executed, answer lost"
    ANSWER_SLOW = "executed, answer after the deadline"
    LATE = "delivered 5-230 s late"
    ERROR_BEFORE = "500 before the commit, cached"
    ERROR_AFTER = "500 after the commit, cached"
    GATEWAY = "502, 503 or 504, not executed"
    GATEWAY_AFTER = "502, 503 or 504, executed"
    MINUTE_LIMIT = "429 minute, Retry-After"
    MINUTE_LIMIT_SILENT = "429 minute, no Retry-After"
    CONCURRENT_LIMIT = "429 concurrency"
    HOUR_LIMIT = "429, Retry-After an hour"
    DAY_LIMIT = "429 day"
    EXPIRED = "401"
    DENIED = "403"
    HTML = "200 with HTML, not executed"
    HTML_AFTER = "200 with HTML, executed"
    MALFORMED = "malformed JSON"
    TRUNCATED = "truncated JSON"
    WARNINGS = "warnings"
    NO_ID = "OK without an id"
    SHUFFLED = "elements reordered"
    SHORT = "an element missing"
    EXTRA = "an element too many"
    TWICE = "executed twice without its key, the second answer"


WRITES = tuple(Trouble)
READS = (
    Trouble.LOST,
    Trouble.ANSWER_SLOW,
    Trouble.UNREACHABLE,
    Trouble.ERROR_BEFORE,
    Trouble.GATEWAY,
    Trouble.MINUTE_LIMIT,
    Trouble.MINUTE_LIMIT_SILENT,
    Trouble.CONCURRENT_LIMIT,
    Trouble.HOUR_LIMIT,
    Trouble.EXPIRED,
    Trouble.DENIED,
    Trouble.HTML,
    Trouble.MALFORMED,
    Trouble.TRUNCATED,
)
TOKENS = (Trouble.LOST, Trouble.ANSWER_LOST, Trouble.GATEWAY, Trouble.MINUTE_LIMIT, Trouble.HTML, Trouble.UNREACHABLE)
RARE = {Trouble.DENIED, Trouble.DAY_LIMIT, Trouble.HOUR_LIMIT}


@dataclass(frozen=True)
class Character:
    """What a run's network is like, whether its hosts' clocks are foreign, and how often one is set at a point."""

    rate: float
    kinds: frozenset[Trouble]
    latest: int
    lag: int
    foreign: bool = False
    setting_rate: float = 0.0


def character(rng: random.Random) -> Character:
    """Draw a run's character: in one of six nothing goes wrong but the crashes, in others one kind or many do.

    In three of four its hosts' clocks differ from Xero's and from each other; in most of these they are set on the way.
    """
    rate = rng.choice((0.0, 0.1, 0.2, 0.3, 0.5, 0.8))
    many = rng.random() < 0.6
    kinds = rng.sample(WRITES, rng.randint(8, len(WRITES)) if many else rng.randint(1, 3))
    lag = rng.choice(LAGS)
    foreign = rng.random() < 0.75
    setting_rate = rng.choice((0.0, 0.002, 0.02, 0.1)) if foreign else 0.0
    return Character(rate, frozenset(kinds), min(LATEST, LATE_AND_LAG - lag), lag, foreign, setting_rate)


class Troubles:
    """Draws what happens to each call, until the run is told to be quiet."""

    def __init__(self, own: Character, rng: random.Random) -> None:
        self.own = own
        self.rng = rng
        self.quiet = False

    def draw(self, call: Call) -> Trouble | None:
        """Return what happens to a call; None if nothing does."""
        if self.quiet or self.rng.random() >= self.own.rate:
            return None
        known = TOKENS if call.is_token else WRITES if call.is_write else READS
        found = [one for one in known if one in self.own.kinds]
        if not found or (call.is_token and self.rng.random() < 0.5):
            return None
        drawn = self.rng.choice(found)
        if drawn is Trouble.TWICE and not call.path.endswith(NUMBERED):
            return None
        return None if drawn in RARE and self.rng.random() < 0.7 else drawn

    def lateness(self) -> float:
        """Return by how many seconds a request is late."""
        return self.rng.uniform(5, self.own.latest) if self.own.latest > 5 else 5


def refusal(trouble: Trouble, rng: random.Random) -> Answer | None:
    """Return the answer that stands in for Xero's own, where nothing was executed."""
    if trouble in _LIMITS:
        problem, wait = _LIMITS[trouble]
        headers = [(b"x-rate-limit-problem", problem.encode())]
        seconds = rng.randint(1, 60) if wait == 0 else rng.choice(DAY_LIMITS) if wait == 1 else wait
        return Answer(429, headers + ([(b"retry-after", str(seconds).encode())] if wait is not None else []), b"")
    if trouble in (Trouble.GATEWAY, Trouble.GATEWAY_AFTER):
        return Answer(rng.choice((502, 503, 504)), [(b"content-type", b"text/plain")], b"upstream")
    if trouble in (Trouble.HTML, Trouble.HTML_AFTER):
        return Answer(200, [(b"content-type", b"text/html")], b"<html><body>Please wait.</body></html>")
    if trouble is Trouble.EXPIRED:
        return Answer(401, [(b"content-type", b"application/json")], b'{"Detail":"TokenExpired: token expired"}')
    if trouble is Trouble.DENIED:
        return Answer(403, [(b"content-type", b"application/json")], b'{"Detail":"AuthorizationUnsuccessful"}')
    return None


def spoilt(trouble: Trouble, answer: Answer, rng: random.Random) -> Answer:
    """Return Xero's own answer as it arrives."""
    if trouble is Trouble.MALFORMED:
        return Answer(answer.status, answer.headers, answer.body.replace(b":", b"", 1) + b"}")
    if trouble is Trouble.TRUNCATED:
        return Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])
    change = _CHANGES.get(trouble)
    return _changed(answer, change, rng) if change and answer.status == 200 else answer


_LIMITS: dict[Trouble, tuple[str, int | None]] = {
    Trouble.MINUTE_LIMIT: ("minute", 0),
    Trouble.MINUTE_LIMIT_SILENT: ("minute", None),
    Trouble.CONCURRENT_LIMIT: ("concurrent", None),
    Trouble.HOUR_LIMIT: ("minute", 3600),
    Trouble.DAY_LIMIT: ("day", 1),
}
Elements = list[dict[str, Any]]


def _changed(answer: Answer, change: Callable[[str, Elements, random.Random], None], rng: random.Random) -> Answer:
    content = json.loads(answer.body, parse_float=Decimal) if answer.body else None
    for name, elements in content.items() if isinstance(content, dict) else ():
        if isinstance(elements, list) and elements:
            change(name, elements, rng)
    headers = [(name, text) for name, text in answer.headers if name.lower() != b"content-length"]
    return Answer(answer.status, headers, msgspec.json.Encoder(decimal_format="number").encode(content))


def _warn(_name: str, elements: Elements, rng: random.Random) -> None:
    for one in elements:
        if one.get("StatusAttributeString") == "OK":
            one |= {"StatusAttributeString": "WARNING", "Warnings": [{"Message": "The account is not usual here."}]}


def _take_ids(name: str, elements: Elements, rng: random.Random) -> None:
    own = name.removesuffix("s") + "ID"
    for one in rng.sample(elements, rng.randint(1, len(elements))):
        if own in one:
            one[own] = rng.choice((ZERO_GUID, None))


def _shuffle(_name: str, elements: Elements, rng: random.Random) -> None:
    rng.shuffle(elements)


def _drop(_name: str, elements: Elements, rng: random.Random) -> None:
    elements.pop(rng.randrange(len(elements)))


def _add(name: str, elements: Elements, rng: random.Random) -> None:
    """Add somebody else's record: the same but for its id and key."""
    strange = dict(rng.choice(elements))
    own = name.removesuffix("s") + "ID"
    strange |= {own: f"{rng.getrandbits(32):08x}-0000-4000-8000-000000000000"}
    for key in ("ContactNumber", "Code", "InvoiceNumber", "CreditNoteNumber", "Reference"):
        if strange.get(key):
            strange[key] = "somebody else's"
    if name == "Allocations":
        strange["Invoice"] = {"InvoiceID": "11111111-0000-4000-8000-000000000000"}
    elements.insert(rng.randint(0, len(elements)), strange)


_CHANGES: dict[Trouble, Callable[[str, Elements, random.Random], None]] = {
    Trouble.WARNINGS: _warn,
    Trouble.NO_ID: _take_ids,
    Trouble.SHUFFLED: _shuffle,
    Trouble.SHORT: _drop,
    Trouble.EXTRA: _add,
}
