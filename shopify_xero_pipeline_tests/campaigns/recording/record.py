"""The recording: five generated days synced one by one, and their results as texts by name.

The recording contains change-sets, request bodies in the order of their sending, the tables of the state store after
each day, the comparison of each day and the statements of the months. Random ids are numbered in the order of their
appearance in a text; checksums are left out.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import select

from shopify_xero_pipeline.state.row_checksums import CHECKSUM_COLUMN
from shopify_xero_pipeline.state.tables import metadata
from shopify_xero_pipeline.xero.client import XeroClient, XeroResponse
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, plans

DAYS = tuple(FIRST + timedelta(days=number) for number in range(5))
RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
BY_CHANCE = frozenset({"meta", "owner", CHECKSUM_COLUMN})
"""The table and columns that contain only random names, processes and checksums."""


def record(folder: Path) -> dict[str, str]:
    """Sync five days one by one in a folder, and return all texts by name."""
    texts: dict[str, str] = {}
    with _record_requests() as requests, staged(folder, at(DAYS[0] + timedelta(days=1), 3)) as stage:
        for day in DAYS:
            stage.clock.move_to(at(day + timedelta(days=1), 3))
            texts |= dict(_day(stage, day))
        texts |= requests
        for month in sorted({day.replace(day=1) for day in DAYS}):
            texts[f"month {month:%Y-%m}"] = stage.sync_service.reconciliations.month_statement(month).model_dump_json(
                indent=1
            )
    return {name: _without_random_ids(text) for name, text in texts.items()}


def hashes(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each text."""
    return {name: sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()}


def _day(stage: Stage, day: date) -> Iterator[tuple[str, str]]:
    sync_service = stage.sync_service
    for change_sets in plans(sync_service, [day]):
        for change_set in change_sets:
            yield f"{day} change-set {change_set.kind}", change_set.model_dump_json(indent=1)
        sync_service.loader.load(change_sets, "a run")
    (compared,) = sync_service.reconciler.reconcile(sync_service.extractor.read_orders([day]))
    yield f"{day} comparison", compared.model_dump_json(indent=1)
    for table in metadata.sorted_tables:
        if table.name not in BY_CHANCE:
            columns = [column for column in table.columns if column.name not in BY_CHANCE]
            with sync_service.connections.store._engine.begin() as connection:
                rows = connection.execute(select(*columns).order_by(*table.primary_key)).mappings().all()
            yield f"{day} table {table.name}", _lines(dict(row) for row in rows)


@contextmanager
def _record_requests() -> Iterator[dict[str, str]]:
    """Collect requests when they are sent, since the store clears their bodies once they are settled."""
    texts: dict[str, str] = {}
    write = XeroClient.write

    def record_write(client: XeroClient, method: str, path: str, body: bytes, **options: Any) -> XeroResponse:
        texts[f"request {len(texts) + 1:04d}"] = f"{method} {path}\n{body.decode()}"
        return write(client, method, path, body, **options)

    with patch.object(XeroClient, "write", record_write):
        yield texts


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(json.dumps({name: _text(value) for name, value in row.items()}) for row in rows)


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value.decode() if isinstance(value, bytes) else str(value)
    return json.dumps(_in_order(json.loads(text))) if text.startswith("{") and '"currencies"' in text else text


def _in_order(value: object) -> object:
    """Return an organisation's settings with sorted sets of codes."""
    if isinstance(value, dict):
        return {name: _in_order(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return (
            sorted(value) if all(isinstance(inner, str) for inner in value) else [_in_order(inner) for inner in value]
        )
    return value


def _without_random_ids(text: str) -> str:
    numbers: dict[str, str] = {}
    return RANDOM_ID.sub(lambda match: numbers.setdefault(match[0], f"id-{len(numbers) + 1}"), text)
