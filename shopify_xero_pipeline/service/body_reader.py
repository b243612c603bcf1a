"""Validation of untrusted requests: single headers, and bodies with limits on size and time.

This module only refuses requests before anything of them is parsed or stored; `signatures.py` verifies the sender.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

MAX_LENGTH_DIGITS = 16  # of a Content-Length; keeps int() cheap


class RefusedRequestError(Exception):
    """A request is refused with the HTTP status `status`; the text is the reason and quotes nothing of the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """Limits on requests and connections: sizes in bytes, times in seconds.

    Attributes:
        body: maximum size of a body.
        bodies: maximum total size of the bodies that are being read.
        reading: time limit for a whole body.
        storing: time limit for storing a delivery; its sender gets a response within a second.
        headers: time limit for the headers of a request.
        unread: time limit for a client that does not read its response; at most 64 KB wait for it.
        header_bytes: maximum total size of a request's headers.
        connections: maximum number of connections.
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
    """Return the value of a header that may occur only once.

    Args:
        headers: the headers of a request.
        name: the header's name.
        default: the value of an absent header; None if the header is required.

    Raises:
        RefusedRequestError: it occurs more than once, or is absent and required.
    """
    values = headers.getlist(name)
    if len(values) == 1:
        return values[0]
    if values or default is None:
        raise RefusedRequestError(400, f"the header {name} must occur once")
    return default


def check_headers(headers: Headers, longest: int) -> None:
    """Check the headers that describe a body, before the body is read.

    Args:
        headers: the headers of a request.
        longest: maximum size of a body in bytes.

    Raises:
        RefusedRequestError: the body is not JSON or too long, or its length is ambiguous.
    """
    media_type = single_header(headers, "content-type").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RefusedRequestError(415, "the body must be application/json")
    length = single_header(headers, "content-length", "")
    if length and "transfer-encoding" in headers:
        raise RefusedRequestError(400, "the length of the body is given twice")
    if length and not (length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS):
        raise RefusedRequestError(400, "the length of the body is not a number")
    if length and int(length) > longest:
        raise RefusedRequestError(413, f"the body is longer than {longest} bytes")


@dataclass
class BodyBuffer:
    """The memory shared by all bodies that are being read."""

    limits: Limits
    held: int = field(default=0, init=False)

    async def read(self, stream: AsyncIterator[bytes]) -> bytes:
        """Return a whole body.

        Args:
            stream: the parts of the body.

        Raises:
            RefusedRequestError: the body is too long, late or incomplete, or other bodies occupy the memory.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.reading):
                async for part in stream:
                    self._reserve(len(body) + len(part), len(part))
                    body += part
        except TimeoutError:
            raise RefusedRequestError(408, f"the body took longer than {self.limits.reading:g} seconds") from None
        except ClientDisconnect:
            raise RefusedRequestError(400, "the body is incomplete") from None
        finally:
            self.held -= len(body)
        return bytes(body)

    def _reserve(self, length: int, more: int) -> None:
        if length > self.limits.body:
            raise RefusedRequestError(413, f"the body is longer than {self.limits.body} bytes")
        if self.held + more > self.limits.bodies:
            raise RefusedRequestError(503, "too many requests at once")
        self.held += more
