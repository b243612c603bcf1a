"""Thousands of deliveries over real sockets in random order: genuine, repeated, replayed, forged, huge or malformed.

This module contains the deliveries and the comparison of the result; the caller provides the server.
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

HUGE = 10_000_000  # bytes
CLIENTS = 4
CHUNK = 65_536  # bytes
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
    """A delivery to send, with its kind and the hints that it brings if it is genuine."""

    kind: str
    delivery: Delivery
    brings: frozenset[Named] = frozenset()
    chunked: bool = False


@dataclass
class Outcome:
    """The result. `took` has seconds from the first byte sent to the response, without bodies of 10 MB."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    accepted: set[Named] = field(default_factory=set)
    later: int = 0

    def wrong(self) -> dict[tuple[str, int], int]:
        """Return the responses that no delivery of their kind may get, with their counts."""
        return {key: count for key, count in self.statuses.items() if key[1] not in EXPECTED[key[0]]}

    def quantile(self, share: float) -> float:
        """Return a quantile in milliseconds, by nearest rank."""
        ranked = sorted(self.took)
        return 1_000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def deliveries(count: int, now: datetime, seed: int, first: int = 0) -> list[Sent]:
    """Return deliveries in random order; a repeated delivery may precede the one it repeats.

    Args:
        count: the approximate number of deliveries.
        now: the instant of the deliveries.
        seed: the seed of content and order.
        first: the first number of a record.
    """
    rng = random.Random(seed)
    sizes = {kind: max(1, count * share // 100) for kind, share in SHARES.items()}
    genuine = [_genuine(number, now, rng) for number in range(first, first + sizes["genuine"])]
    of_shopify = [delivery for delivery in genuine if delivery.delivery.path != XERO]
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


def judge(outcome: Outcome, sent: Iterable[Sent], hints: Sequence[WebhookHint]) -> list[str]:
    """Return the problems: deliveries accepted and lost, and hints stored without a genuine delivery or twice."""
    stored = Counter((hint.source, hint.record, hint.record_id) for hint in hints)
    genuine = frozenset[Named]().union(*(delivery.brings for delivery in sent))
    problems = [f"{count} {kind} answered with {status}" for (kind, status), count in outcome.wrong().items()]
    problems += [f"lost: {name}" for name in sorted(outcome.accepted - stored.keys())]
    problems += [f"never sent: {name}" for name in sorted(stored.keys() - genuine)]
    return problems + [f"kept {times} times: {name}" for name, times in stored.items() if times > 1]


async def send_all(address: str, sent: Sequence[Sent], clients: int = CLIENTS) -> Outcome:
    """Send all deliveries over several connections at once; a 503 is retried up to `ATTEMPTS` times.

    Args:
        address: the address of the server.
        sent: the deliveries.
        clients: the number of connections.
    """
    outcome, queue = Outcome(), iter(sent)

    async def client() -> None:
        connection = _Connection(address)
        for delivery in queue:
            if delivery.kind == "10 MB":
                outcome.statuses[delivery.kind, await asyncio.to_thread(_push, address, delivery)] += 1
            else:
                await _send(connection, delivery, outcome)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return outcome


async def _send(connection: "_Connection", sent: Sent, outcome: Outcome) -> None:
    for _ in range(ATTEMPTS):
        began = time.perf_counter()
        status = await connection.post(sent)
        outcome.took.append(time.perf_counter() - began)
        if status != 503:
            break
        outcome.later += 1
    outcome.statuses[sent.kind, status] += 1
    if status == 200:
        outcome.accepted |= sent.brings


class _Connection:
    """A client's connection, opened again after the server closed it, with minimal reads and writes."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname, parts.port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    async def post(self, sent: Sent) -> int:
        """Return the status of the response, 0 for a closed connection; an idle connection may be closed already."""
        fresh = self._open is None
        try:
            return await self._exchange(sent)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            if fresh:
                return 0
        try:
            return await self._exchange(sent)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return 0

    async def _exchange(self, sent: Sent) -> int:
        if self._open is None:
            self._open = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._open
        writer.write(_bytes(sent))
        await writer.drain()
        answer = await reader.readuntil(b"\r\n\r\n")
        if b"connection: close" in answer.lower():
            await self.close()
        return int(answer.split(b" ", 2)[1])


def _bytes(sent: Sent) -> bytes:
    body = sent.delivery.body
    framing = "transfer-encoding: chunked" if sent.chunked else f"content-length: {len(body)}"
    lines = [f"POST {sent.delivery.path} HTTP/1.1", "host: here", framing]
    lines += [f"{name}: {value}" for name, value in sent.delivery.headers.items()]
    parts = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)] if sent.chunked else []
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    return "\r\n".join([*lines, "", ""]).encode() + (chunks if sent.chunked else body)


def _push(address: str, sent: Sent) -> int:
    """Send a huge body from its own thread, so that it does not delay the others; return the status."""
    parts = urlsplit(address)
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60)) as connection:
        with suppress(OSError):  # the server does not read the whole body
            connection.sendall(_bytes(sent))
        try:
            return int(connection.recv(65_536).split(b" ", 2)[1])
        except (OSError, IndexError):
            return 0


# -- deliveries --------------------------------------------------------------------------------------------------------


def _genuine(number: int, now: datetime, rng: random.Random) -> Sent:
    """Return a genuine delivery with records of its own, so that a stored hint identifies its delivery."""
    at, name = now - timedelta(seconds=rng.randrange(3_600)), str(number)
    if number % 4 == 3:
        resources = range(number * 10, number * 10 + rng.randint(1, 5))
        events = [event(resource, at=at) for resource in resources]
        brings = frozenset(("xero", "invoice", entry["resourceId"]) for entry in events)
        return Sent("genuine", from_xero(*events), brings)
    padding = "x" * rng.choice((100, 2_000, 20_000))
    topic, record, content = (
        ("orders/updated", "order", {"id": number + 1, "note": padding}),
        ("refunds/create", "order", {"id": 1, "order_id": number + 1, "note": padding}),
        ("customers/update", "customer", {"id": number + 1, "note": padding}),
    )[number % 4]
    brings = frozenset({("shopify", record, str(number + 1))})
    return Sent("genuine", from_shopify(topic, content, name, at=at), brings)


def _renamed(sent: Sent, number: int) -> Sent:
    """Return a replayed delivery under another name; it brings the same hints, and none twice."""
    other = sent.delivery.bearing(x_shopify_webhook_id=f"w-{number}", x_shopify_event_id=f"e-{number}")
    return Sent("replayed under another name", other, sent.brings)


def _old(number: int, now: datetime) -> Sent:
    """Return a delivery dated by another clock; the age of a delivery must not matter."""
    content, at = {"id": 10_000_000 + number}, now - timedelta(days=3)
    brings = frozenset({("shopify", "order", str(content["id"]))})
    return Sent("dated days ago", from_shopify("orders/paid", content, f"{number}", at=at), brings)


def _forged(sent: Sent, rng: random.Random, number: int, now: datetime) -> Sent:
    name, other = sent.delivery.headers, f"{20_000_000 + number}"
    signed = "x-xero-signature" if sent.delivery.path == XERO else "x-shopify-hmac-sha256"
    return Sent(
        "forged",
        rng.choice(
            (
                replace(sent.delivery, body=sent.delivery.body.replace(b"1", b"2", 1) + b" "),
                from_shopify("orders/paid", {"id": int(other)}, other, at=now, secret="guess"),
                from_xero(event(int(other), at=now), key="guess"),
                sent.delivery.bearing(**{signed: None}),
                sent.delivery.bearing(**{signed: name[signed].swapcase()}),
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
