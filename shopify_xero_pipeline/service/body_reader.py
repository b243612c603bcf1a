"""What strangers send, read with little trust: headers that may stand once, bodies that are short and come soon.

Refusing belongs here, before anything is believed, kept or computed; who sent a body is `signatures.py`'s to tell.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

LENGTH = 16


class RefusedRequestError(Exception):
    """A request is not taken in. `status` is told, the words are for people; nothing of the request is repeated."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """How much of whom: sizes in bytes, times in seconds.

    Attributes:
        body: the longest body.
        bodies: what all bodies that are being read may take together.
        reading: in which a body must have come whole.
        storing: in which a delivery must be on the disk, so that its sender has an answer within a second.
        headers: in which a request's headers must have come whole.
        unread: in which a reader must take of what waits for it, so that less than 64 KB wait.
        header_bytes: the most that all headers of a request may take.
        connections: how many there may be at once.
    """

    body: int = 1_000_000
    bodies: int = 16_000_000
    reading: float = 3.0
    storing: float = 0.8
    headers: float = 5.0
    unread: float = 5.0
    header_bytes: int = 16_384
    connections: int = 500


def single_header(headers: Headers, name: str, default: str | None = None) -> str:
    """Return the value of a header that may stand only once.

    Raises:
        Refusal: it stands twice, or not at all where there is no default.
    """
    found = headers.getlist(name)
    if len(found) == 1:
        return found[0]
    if found or default is None:
        raise RefusedRequestError(400, f"the header {name} must stand in a request once")
    return default


def check_headers(headers: Headers, longest: int) -> None:
    """Look at what is said of a body before any of it is read.

    Raises:
        Refusal: it is no JSON, is too long, or its length is said in two ways.
    """
    kind = single_header(headers, "content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedRequestError(415, "the body must be application/json")
    length = single_header(headers, "content-length", "")
    if length and "transfer-encoding" in headers:
        raise RefusedRequestError(400, "the length of the body is said in two ways")
    if length and not (length.isascii() and length.isdigit() and len(length) <= LENGTH):
        raise RefusedRequestError(400, "the length of the body is no number")
    if length and int(length) > longest:
        raise RefusedRequestError(413, f"the body is longer than {longest} bytes")


@dataclass
class BodyBuffer:
    """The bodies that are being read, which share the memory there is for them."""

    limits: Limits
    held: int = field(default=0, init=False)

    async def read(self, stream: AsyncIterator[bytes]) -> bytes:
        """Return a whole body.

        Raises:
            Refusal: it is too long, does not come in time, is broken off, or others take all the room.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.reading):
                async for part in stream:
                    self._make_room(len(body) + len(part), len(part))
                    body += part
        except TimeoutError:
            raise RefusedRequestError(408, f"the body did not come within {self.limits.reading:g} seconds") from None
        except ClientDisconnect:
            raise RefusedRequestError(400, "the body was broken off") from None
        finally:
            self.held -= len(body)
        return bytes(body)

    def _make_room(self, length: int, more: int) -> None:
        if length > self.limits.body:
            raise RefusedRequestError(413, f"the body is longer than {self.limits.body} bytes")
        if self.held + more > self.limits.bodies:
            raise RefusedRequestError(503, "too many requests at once")
        self.held += more
