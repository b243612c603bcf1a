"""Download of a large file, which is received in parts, continued after an interruption, and never whole in memory.

This module only receives. The address and the meaning of the file belong to the room that downloads it. It sends no
credentials and follows no redirects.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.exchange import Exchange, in_exchange
from shopify_xero_pipeline.http.transport import CONNECT_SECONDS, MAX_HEADER_BYTES, NetworkTransport
from shopify_xero_pipeline.http.unpacking import ACCEPTED, decompress_parts

PIECE_BYTES = 8_000_000
"""Bytes that must arrive within the time limit; each piece has a time limit of its own."""


class Downloader:
    """Receiver of files.

    Args:
        clock: measures the exchanges.
        seconds: time limit of the response's headers, and of each further piece.
        transport: replaces the network, for tests and the in-process sandbox.
    """

    def __init__(self, clock: Clock, seconds: float, *, transport: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._seconds = seconds
        self._transport = transport or NetworkTransport()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def append(self, url: str, file: Path) -> int:
        """Append the rest of a remote file to a local one and return the status of the response.

        Only a status of 200, 206 or 416 changes or confirms the local file; 416 means that nothing is missing.

        Args:
            url: the address of the remote file, which must not change between the calls.
            file: the local file, which holds the beginning of the remote one.

        Raises:
            httpx.ConnectError: no connection was made.
            httpx.ConnectTimeout: no connection was made in time.
            httpx.RequestError: the response is incomplete; what arrived of it is in the file.
        """
        size = file.stat().st_size
        with in_exchange(Exchange(self._clock, self._seconds, MAX_HEADER_BYTES)):
            response = self._transport.handle_request(self._request(url, size))
        try:
            if response.status_code in (200, 206):
                self._receive(response, file, skipped=0 if response.status_code == 206 else size)
        finally:
            response.close()
        return response.status_code

    def _request(self, url: str, size: int) -> httpx.Request:
        # A compressed body cannot be continued at a byte of the file.
        ranged = {"Range": f"bytes={size}-", "Accept-Encoding": "identity"} if size else {"Accept-Encoding": ACCEPTED}
        connect = min(self._seconds, CONNECT_SECONDS)
        timeouts = httpx.Timeout(self._seconds, connect=connect).as_dict()
        headers = {"User-Agent": "shopify-xero-pipeline", **ranged}
        return httpx.Request("GET", url, headers=headers, extensions={"timeout": timeouts})

    def _receive(self, response: httpx.Response, file: Path, skipped: int) -> None:
        """Append the body without its first bytes, which a server without support for ranges sends again."""
        parts = decompress_parts(self._pieces(response), response.headers.get("content-encoding", ""))
        with file.open("ab") as output:
            for part in parts:
                output.write(part[skipped:])
                skipped = max(0, skipped - len(part))

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        """Yield the parts of a body as they arrive, with a new exchange after each piece."""
        assert isinstance(response.stream, httpx.SyncByteStream)
        parts = iter(response.stream)
        while True:
            exchange, received = Exchange(self._clock, self._seconds, 2 * PIECE_BYTES), 0
            while received < PIECE_BYTES:
                with in_exchange(exchange):
                    part = next(parts, None)
                if part is None:
                    return
                exchange.check_time()
                yield part
                received += len(part)
