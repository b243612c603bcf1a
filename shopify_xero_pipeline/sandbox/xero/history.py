"""Notes in the history of a record: GET and PUT `/{Resource}/{id}/History`; they do not affect money.

Source: docs/contracts/xero.md §6.6.
"""

from shopify_xero_pipeline.sandbox.xero.answers import Rejected, Reply, json_reply, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext, Call
from shopify_xero_pipeline.sandbox.xero.batch import SavedRecord, Shape, answer_batch, envelope, read_elements
from shopify_xero_pipeline.sandbox.xero.wire import Json, ms_date

_LONGEST = 2500  # characters
_SHAPE = Shape("HistoryRecords", "HistoryRecord", "HistoryRecordID", "", frozenset({"Details"}), dict)


def answer_history(context: ApiContext, call: Call, kind: str, key: str) -> Reply:
    """List the notes of a record, or add notes.

    Args:
        context: the books, clock and options.
        call: the call.
        kind: the resource in the path.
        key: the record's id in the path.

    Raises:
        Refused: 404 for an unknown record.
    """
    record_id = key.lower()
    collections = (context.books.contacts, context.books.items, context.books.documents, context.books.payments)
    if not any(record_id in records for records in collections):
        raise not_found()
    if call.method == "GET":
        return json_reply(envelope(context) | {"HistoryRecords": context.books.history.get(record_id, [])})

    def write(sent: Json) -> SavedRecord:
        details = str(sent.get("Details") or "")
        if kind.lower() == "payments":
            raise Rejected("The document with the supplied id was not found for this endpoint.")
        if not details or len(details) > _LONGEST:
            raise Rejected(f"Details must be 1 to {_LONGEST} characters long.")
        now = context.now()
        note = {"DateUTCString": f"{now:%Y-%m-%dT%H:%M:%S}", "DateUTC": ms_date(now), "Details": details}
        context.books.history.setdefault(record_id, []).append({"Changes": "Note", "User": "System Generated", **note})
        return SavedRecord(note | {"ValidationErrors": []})

    return answer_batch(context, call, _SHAPE, read_elements(call, _SHAPE), write)
