"""Thousands of deliveries over real sockets, in any order: what is genuine, repeated, replayed, forged, huge or broken.

What is sent and whether it went as it should belong here; the server, in a process of its own or not, is the caller's.
"""

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from shopify_xero_pipeline.service.command import XERO
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.service.sending import Delivery, event, from_shopify, from_xero

HUGE = 10_000_000
CLIENTS = 4
CHUNK = 65_536
ATTEMPTS = 5
SHARES = {
    "genuine": 60,
    "sent again": 15,
    "replayed under another name": 5,
    "dated days ago": 5,
    "forged": 10,
    "malformed": 4,
    "10 MB": 1,
}
TAKEN, REFUSED = frozenset({200}), frozenset({0, 400, 401, 413, 415})
EXPECTED = {kind: TAKEN for kind in SHARES} | dict.fromkeys(("forged", "malformed", "10 MB"), REFUSED)
Named = tuple[str, str, str]


@dataclass(frozen=True)
class Sent:
    """A delivery to be sent: of which kind, and which hints it brings if it is genuine."""

    kind: str
    delivery: Delivery
    brings: frozenset[Named] = frozenset()
    chunked: bool = False


@dataclass
class Outcome:
    """What came of it. `took`: seconds from the first byte sent to the answer, without bodies of 10 MB."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    accepted: set[Named] = field(default_factory=set)
    later: int = 0

    def wrong(self) -> dict[tuple[str, int], int]:
        """Answers that no delivery of their kind may get."""
        return {found: count for found, count in self.statuses.items() if found[1] not in EXPECTED[found[0]]}

    def quantile(self, share: float) -> float:
        """Milliseconds, by nearest rank."""
        ranked = sorted(self.took)
        return 1_000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def deliveries(count: int, now: datetime, seed: int, first: int = 0) -> list[Sent]:
    """Return so many deliveries in an order of their own; what is repeated may come before what it repeats.

    Records are numbered from `first` on.
    """
    rng = random.Random(seed)
    sizes = {kind: max(1, count * share // 100) for kind, share in SHARES.items()}
    genuine = [_genuine(number, now, rng) for number in range(first, first + sizes["genuine"])]
    of_shopify = [one for one in genuine if one.delivery.path != XERO]
    made = [*genuine]
    made += [replace(rng.choice(genuine), kind="sent again") for _ in range(sizes["sent again"])]
    made += [_renamed(rng.choice(of_shopify), number) for number in range(sizes["replayed under another name"])]
    made += [_old(number, now) for number in range(sizes["dated days ago"])]
    made += [_forged(rng.choice(genuine), rng, number, now) for number in range(sizes["forged"])]
    made += [_malformed(rng, number, now) for number in range(sizes["malformed"])]
    huge = [_huge(now, chunked=chunked) for chunked in (False, True)]
    made += [huge[number % 2] for number in range(sizes["10 MB"])]
    rng.shuffle(made)
    return made


def judge(outcome: Outcome, sent: Iterable[Sent], kept: Sequence[WebhookHint]) -> list[str]:
    """Return what is not as it should be: a delivery that was accepted and lost, or kept and not genuine, or twice."""
    stored = Counter((one.source, one.record, one.record_id) for one in kept)
    genuine = frozenset[Named]().union(*(one.brings for one in sent))
    problems = [f"{count} {kind} answered with {status}" for (kind, status), count in outcome.wrong().items()]
    problems += [f"lost: {one}" for one in sorted(outcome.accepted - stored.keys())]
    problems += [f"never sent: {one}" for one in sorted(stored.keys() - genuine)]
    return problems + [f"kept {times} times: {one}" for one, times in stored.items() if times > 1]


async def send_all(address: str, sent: Sequence[Sent], clients: int = CLIENTS) -> Outcome:
    """Send everything by several clients at once; what is asked to come again comes again."""
    outcome, left = Outcome(), iter(sent)

    async def client() -> None:
        connection = _Connection(address)
        for one in left:
            if one.kind == "10 MB":
                outcome.statuses[one.kind, await asyncio.to_thread(_push, address, one)] += 1
            else:
                await _send(connection, one, outcome)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return outcome


async def _send(connection: "_Connection", one: Sent, outcome: Outcome) -> None:
    for _ in range(ATTEMPTS):
        began = time.perf_counter()
        status = await connection.post(one)
        outcome.took.append(time.perf_counter() - began)
        if status != 503:
            break
        outcome.later += 1
    outcome.statuses[one.kind, status] += 1
    if status == 200:
        outcome.accepted |= one.brings


class _Connection:
    """A client's connection, made again when the other side has ended it. Writes and reads as plainly as can be."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname, parts.port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    async def post(self, one: Sent) -> int:
        """Return the status of the answer, 0 if the connection was ended instead; an idle one may have been before."""
        fresh = self._open is None
        try:
            return await self._exchange(one)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            if fresh:
                return 0
        try:
            return await self._exchange(one)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return 0

    async def _exchange(self, one: Sent) -> int:
        if self._open is None:
            self._open = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._open
        writer.write(_bytes(one))
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        if b"connection: close" in answer.lower():
            await self.close()
        return int(answer.split(b" ", 2)[1])


def _bytes(one: Sent) -> bytes:
    body = one.delivery.body
    framing = "transfer-encoding: chunked" if one.chunked else f"content-length: {len(body)}"
    lines = [f"POST {one.delivery.path} HTTP/1.1", "host: here", framing]
    lines += [f"{name}: {value}" for name, value in one.delivery.headers.items()]
    parts = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)] if one.chunked else []
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode() + (chunks if one.chunked else body)


def _push(address: str, one: Sent) -> int:
    """Send a huge body from a thread of its own, so that it costs the others nothing; return what is answered."""
    parts = urlsplit(address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)) as connection:
        with suppress(OSError):  # it is not read to its end
            connection.sendall(_bytes(one))
        try:
            return int(connection.recv(65_536).split(b" ", 2)[1])
        except (OSError, IndexError):
            return 0


# -- what is sent ------------------------------------------------------------------------------------------------------


def _genuine(number: int, now: datetime, rng: random.Random) -> Sent:
    """Every genuine delivery names records of its own, so that what was kept tells which ones were taken in."""
    at, name = now - timedelta(seconds=rng.randrange(3_600)), str(number)
    if number % 4 == 3:
        several = range(number * 10, number * 10 + rng.randint(1, 5))
        events = [event(one, at=at) for one in several]
        brings = frozenset(("xero", "invoice", one["resourceId"]) for one in events)
        return Sent("genuine", from_xero(*events), brings)
    padding = "x" * rng.choice((100, 2_000, 20_000))
    topic, record, content = (
        ("orders/updated", "order", {"id": number + 1, "note": padding}),
        ("refunds/create", "order", {"id": 1, "order_id": number + 1, "note": padding}),
        ("customers/update", "customer", {"id": number + 1, "note": padding}),
    )[number % 4]
    brings = frozenset({("shopify", record, str(number + 1))})
    return Sent("genuine", from_shopify(topic, content, name, at=at), brings)


def _renamed(one: Sent, number: int) -> Sent:
    """What was seen on its way, under another name; it brings what it brought, and nothing twice."""
    other = one.delivery.bearing(x_shopify_webhook_id=f"w-{number}", x_shopify_event_id=f"e-{number}")
    return Sent("replayed under another name", other, one.brings)


def _old(number: int, now: datetime) -> Sent:
    """By a clock that is not ours: how old a delivery seems says nothing."""
    content, at = {"id": 10_000_000 + number}, now - timedelta(days=3)
    brings = frozenset({("shopify", "order", str(content["id"]))})
    return Sent("dated days ago", from_shopify("orders/paid", content, f"{number}", at=at), brings)


def _forged(one: Sent, rng: random.Random, number: int, now: datetime) -> Sent:
    name, other = one.delivery.headers, f"{20_000_000 + number}"
    signed = "x-xero-signature" if one.delivery.path == XERO else "x-shopify-hmac-sha256"
    return Sent(
        "forged",
        rng.choice(
            (
                replace(one.delivery, body=one.delivery.body.replace(b"1", b"2", 1) + b" "),
                from_shopify("orders/paid", {"id": int(other)}, other, at=now, secret="guess"),
                from_xero(event(int(other), at=now), key="guess"),
                one.delivery.bearing(**{signed: None}),
                one.delivery.bearing(**{signed: name[signed].swapcase()}),
            )
        ),
    )


def _malformed(rng: random.Random, number: int, now: datetime) -> Sent:
    other = f"{30_000_000 + number}"
    return Sent(
        "malformed",
        rng.choice(
            (
                from_shopify("orders/paid", b'{"id": ' + b"[" * 50_000, other, at=now),
                from_shopify("orders/paid", {"id": other}, other, at=now),
                from_shopify("orders/paid", {"id": int(other)}, other, at=now).bearing(content_type="text/html"),
                from_shopify("orders/paid", {"id": int(other)}, other, at=now).bearing(x_shopify_topic="orders paid"),
            )
        ),
    )


def _huge(now: datetime, *, chunked: bool) -> Sent:
    delivery = from_shopify("orders/paid", b'{"id": 40000001, "note": "' + b"x" * HUGE + b'"}', at=now)
    return Sent("10 MB", delivery, chunked=chunked)
