"""The stored cursor of the change detection."""

import json

from shopify_xero_pipeline.pipeline.change_detection import ChangeCursor

STORED = {
    "greatest": "2026-09-21T10:00:00Z",
    "seen_at": "2026-09-21T10:00:05Z",
    "since": "2026-09-21T09:55:00Z",
    "after": "page-2",
    "told": {"1001": "2026-09-21T10:00:00Z"},
    "settled": ["7001"],
    "heard": ["hint-1"],
    "turn": "1001",
    "rebuilding": False,
}


def test_a_stored_cursor_is_read_and_written_under_its_keys() -> None:
    cursor = ChangeCursor.model_validate_json(json.dumps(STORED))
    assert (cursor.page_cursor, cursor.reported_hints, cursor.last_polled_order) == ("page-2", {"hint-1"}, "1001")
    assert json.loads(cursor.model_dump_json(by_alias=True)) == STORED
