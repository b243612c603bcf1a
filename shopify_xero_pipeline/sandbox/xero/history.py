"""Notes in the history of a record: PUT and GET `/{Resource}/{id}/History`. They never gate money.

Source: docs/contracts/xero.md §6.6.
"""

from shopify_xero_pipeline.sandbox.xero.answers import Rejected, Reply, json_reply, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import Call, Desk
from shopify_xero_pipeline.sandbox.xero.batch import Shape, Written, answer_batch, envelope, read_elements
from shopify_xero_pipeline.sandbox.xero.wire import Json, ms_date

_LONGEST = 2500
_SHAPE = Shape("HistoryRecords", "HistoryRecord", "HistoryRecordID", "", frozenset({"Details"}), dict)


def answer_history(desk: Desk, call: Call, kind: str, key: str) -> Reply:
    """List the notes of a record, or add some.

    Raises:
        Refused: 404 for an unknown record.
    """
    record_id = key.lower()
    holders = (desk.books.contacts, desk.books.items, desk.books.documents, desk.books.payments)
    if not any(record_id in holder for holder in holders):
        raise not_found()
    if call.method == "GET":
        return json_reply(envelope(desk) | {"HistoryRecords": desk.books.history.get(record_id, [])})

    def write(sent: Json) -> Written:
        details = str(sent.get("Details") or "")
        if kind.lower() == "payments":
            raise Rejected("The document with the supplied id was not found for this endpoint.")
        if not details or len(details) > _LONGEST:
            raise Rejected(f"Details must be 1 to {_LONGEST} characters long.")
        now = desk.now()
        note = {"DateUTCString": f"{now:%Y-%m-%dT%H:%M:%S}", "DateUTC": ms_date(now), "Details": details}
        desk.books.history.setdefault(record_id, []).append({"Changes": "Note", "User": "System Generated", **note})
        return Written(note | {"ValidationErrors": []})

    return answer_batch(desk, call, _SHAPE, read_elements(call, _SHAPE), write)
