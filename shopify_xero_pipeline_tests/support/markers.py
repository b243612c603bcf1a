"""Markers planted in every secret and personal field, and the search for them in files and logs."""

import base64
import json
import logging
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, ShopSource, Version

PERSONAL = "qzxw"
SECRET = "jvkq"
PLANTED = {
    "firstName": "First", "lastName": "Last", "displayName": "Shown", "emailAddress": "mail", "phoneNumber": "phone",
    "phone": "phone", "address1": "street", "address2": "floor", "city": "city", "zip": "zip", "province": "region",
    "email": "mail", "note": "note", "name": "name",
}  # fmt: skip


def marked(value: Any, place: str = "") -> Any:
    """Return a node with a marker in each personal text; e-mail addresses and names stay valid."""
    if isinstance(value, list):
        return [marked(element, place) for element in value]
    if not isinstance(value, dict):
        return value
    fields = {}
    for name, inner in value.items():
        personal = name in PLANTED and (name != "name" or "address1" in value or place == "company")
        if personal and isinstance(inner, str) and inner:
            word = f"{PERSONAL}{PLANTED[name]}"
            fields[name] = f"{word}.{inner}" if "@" in inner else f"{inner} {word}"
        else:
            fields[name] = marked(inner, name)
    return fields


def with_notes(node: Node) -> Node:
    """Return a node with markers in notes and gift messages too, which the sandbox leaves empty."""
    message = [{"key": "gift message", "value": f"{PERSONAL}gift"}]
    return {**marked(node), "note": f"{PERSONAL}note", "customAttributes": message, "tags": [f"{PERSONAL}tag"]}


class MarkedShop:
    """A shop with a marker in every personal field of every customer and order (`ShopSource`)."""

    def __init__(self, source: ShopSource) -> None:
        self._source = source
        self._marked: dict[int, tuple[Node, Node]] = {}

    def shop(self) -> Node:
        return self._source.shop()

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        histories = self._source.versions(kind, until)
        if kind == "products":
            return histories
        return {
            gid: [Version(version.at, self._of(version.node)) for version in history]
            for gid, history in histories.items()
        }

    def _of(self, node: Node) -> Node:
        if id(node) not in self._marked:
            self._marked[id(node)] = (node, with_notes(node) if node else node)
        return self._marked[id(node)][1]


class Overhearing(httpx.BaseTransport):
    """A transport that forwards calls and records each issued token; `crash_at` (method, path) raises once instead."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self.tokens: set[str] = set()
        self.urls: list[str] = []
        self.crash_at: tuple[str, str] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        if self.crash_at and self.crash_at == (request.method, request.url.path):
            self.crash_at = None
            raise RuntimeError("the machine stopped in the middle")
        response = self._inner.handle_request(request)
        response.read()
        if b"_token" in response.content:
            answer = json.loads(response.content)
            self.tokens |= {str(answer[name]) for name in ("access_token", "refresh_token") if answer.get(name)}
        return response


class Captured(logging.Handler):
    """A log handler that collects messages, formatted with their exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += logging.Formatter().format(record) + "\n"


def found_in(text: bytes, wanted: Iterable[str]) -> set[str]:
    """Return the markers in a text: as they are, in any case, or base64-encoded as a part of something."""
    lower = text.lower()
    return {
        marker
        for marker in wanted
        if marker.lower().encode() in lower or any(part in text for part in _encoded(marker))
    }


def searched(folder: Path, wanted: Iterable[str]) -> dict[str, set[str]]:
    """Return the markers by file below a folder; SQLite databases are searched by value, compressed values unpacked."""
    wanted = list(wanted)
    matches = {str(path.relative_to(folder)): _in_file(path, wanted) for path in folder.rglob("*") if path.is_file()}
    return {name: markers for name, markers in matches.items() if markers}


def _in_file(path: Path, wanted: Sequence[str]) -> set[str]:
    content = path.read_bytes()
    markers = found_in(content, wanted) | found_in(_unpacked(content), wanted)
    if content.startswith(b"SQLite format 3"):
        for value in _values(path):
            markers |= found_in(value, wanted) | found_in(_unpacked(value), wanted)
    return markers


def _values(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield from (
                    value if isinstance(value, bytes) else str(value).encode() for value in row if value is not None
                )


def _unpacked(content: bytes) -> bytes:
    try:
        return zlib.decompress(content)
    except zlib.error:
        return b""


@cache
def _encoded(text: str) -> Sequence[bytes]:
    """Return the base64 forms of a text at each of its three possible offsets in a group of three bytes."""
    encoded = [base64.b64encode(b"\0" * before + text.encode()).rstrip(b"=") for before in range(3)]
    return [form[start:-1] for form, start in zip(encoded, (0, 2, 3), strict=True)]
