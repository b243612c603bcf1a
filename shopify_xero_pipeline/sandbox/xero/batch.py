"""The processing of a batch in Xero: unwrapping the body, writing record by record, and both forms of the response.

Source: B10 to B13. Each kind of record provides its `Shape` and a function that writes one record or raises `Rejected`.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Refused, Rejected, Reply, json_reply, nothing_sent, unreadable
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext, Call
from shopify_xero_pipeline.sandbox.xero.wire import Json, decode, encode, ms_date

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MISSPELT = "Ensure the element name has the correct case and that there are no duplicate elements of the same name."
_OBJECTS = {"Contact", "Invoice", "CreditNote", "Account", "SalesDetails", "PurchaseDetails"}
_LISTS = {"LineItems", "Addresses", "Phones", "ContactPersons", "Tracking"}
_MAX_BODY = 3_500_000  # bytes


@dataclass(frozen=True)
class Shape:
    """The wire format of a kind of record.

    Attributes:
        collection: name of the list in requests and responses.
        noun: name of one record in ErrorNumber 17.
        id_field: name of its id.
        flag: the field that marks errors; empty if the kind has none.
        known: the accepted names, nested ones too; the same name in other case is refused.
        echo: completes a refused record with the fields that Xero returns.
        most: maximum number of records in a call; None for no limit.
    """

    collection: str
    noun: str
    id_field: str
    flag: str
    known: frozenset[str]
    echo: Callable[[Json], Json]
    most: int | None = None
    by_lower: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_lower", {name.lower(): name for name in self.known})


@dataclass(frozen=True)
class SavedRecord:
    """A saved record in the form of the response, with Xero's warnings."""

    answer: Json
    warnings: tuple[str, ...] = ()


def read_elements(call: Call, shape: Shape) -> list[Json]:
    """Return the records of a request, which is a collection or a bare object.

    Raises:
        Refused: too large, not JSON, empty, a misspelt name, or an invalid GUID.
    """
    elements = _unwrap(read_body(call, shape.noun), shape)
    if not elements:
        raise nothing_sent(shape.noun)
    if shape.most and len(elements) > shape.most:
        raise unreadable(f"A request can carry {shape.most} elements at most.")
    for element in elements:
        _check_names(element, shape)
        check_guids(element)
    return elements


def read_body(call: Call, noun: str) -> Any:
    """Return the JSON of a request.

    Raises:
        Refused: 413 above 3.5 MB, ErrorNumber 17 for an empty body, 14 for a body that is not JSON.
    """
    if len(call.body) > _MAX_BODY:
        raise Refused(Reply(413, b"Request Entity Too Large", "text/html; charset=utf-8"))
    if not call.body.strip():
        raise nothing_sent(noun)
    try:
        return decode(call.body)
    except ValueError as error:
        raise unreadable(f"JSON request body could not be read, Error {error}") from None


def answer_batch(
    context: ApiContext,
    call: Call,
    shape: Shape,
    elements: list[Json],
    write: Callable[[Json], SavedRecord],
    *,
    single: bool = False,
) -> Reply:
    """Write each record on its own and in order, and return the reply; valid records are saved in any case.

    Args:
        context: the books, clock and options.
        call: the call, with its `summarizeErrors`.
        shape: the wire format of the records.
        elements: the records of the request.
        write: saves one record, or raises `Rejected`.
        single: the endpoint has no `summarizeErrors`, so any error is a 400.
    """
    summarize = single or call.summarize_errors
    answers: list[Json] = []
    failures: list[Json] = []
    for element in elements:
        try:
            _refuse_selected(call, element)
            written = write(element)
        except Rejected as rejected:
            failures.append(_failed_element(shape, element, rejected, summarize=summarize))
            answers.append(failures[-1])
        else:
            answers.append(_saved_element(written, summarize=summarize))
    if summarize and failures:
        return json_reply(validation_exception(failures), 400)
    if context.options.shuffle_responses:
        random.Random(context.options.shuffle_seed).shuffle(answers)
    return json_reply(envelope(context) | {shape.collection: answers})


def _refuse_selected(call: Call, element: Json) -> None:
    """Refuse a record that a fault selects.

    Raises:
        Rejected: a fault selects it.
    """
    if call.refusal is not None and call.refusal[0] in encode(element).decode():
        raise Rejected(call.refusal[1])


def validation_exception(elements: list[Json]) -> Json:
    """Return ErrorNumber 10 with the failed elements only."""
    words = "A validation exception occurred"
    return {"ErrorNumber": 10, "Type": "ValidationException", "Message": words, "Elements": elements}


def envelope(context: ApiContext) -> Json:
    """Return the envelope of every response."""
    return {
        "Id": context.books.new_id(),
        "Status": "OK",
        "ProviderName": context.options.provider_name,
        "DateTimeUTC": ms_date(context.now(), offset=""),
    }


def check_guids(sent: object) -> None:
    """Refuse the request if any id in it is not a GUID (B5).

    Raises:
        Refused: ErrorNumber 14 for an invalid GUID.
    """
    if isinstance(sent, list):
        for element in sent:
            check_guids(element)
    elif isinstance(sent, dict):
        for name, value in sent.items():
            if name.endswith("ID") and isinstance(value, str) and value and not is_guid(value):
                raise unreadable("Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).")
            check_guids(value)


def is_guid(text: str) -> bool:
    """Return whether a text has the form of a GUID."""
    return bool(_GUID.fullmatch(text))


def _unwrap(body: Any, shape: Shape) -> list[Json]:
    content = body.get(shape.collection, body) if isinstance(body, dict) else body
    elements = [content] if isinstance(content, dict) and content else content or []
    if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
        raise unreadable("Object reference not set to an instance of an object.")
    return elements


def _check_names(sent: object, shape: Shape) -> None:
    """Refuse an accepted name in other case; unknown names are ignored (docs/contracts/xero.md §8)."""
    if isinstance(sent, list):
        for element in sent:
            _check_names(element, shape)
    elif isinstance(sent, dict):
        for name, value in sent.items():
            if name not in shape.known and name.lower() in shape.by_lower:
                raise unreadable(f"The element '{name}' was not recognised. {_MISSPELT}")
            _check_form(name, value)
            _check_names(value, shape)


def _check_form(name: str, value: object) -> None:
    """Refuse a text in place of an object or of a list of objects."""
    if value is None:
        return
    objects = isinstance(value, list) and all(isinstance(element, dict) for element in value)
    if (name in _OBJECTS and not isinstance(value, dict)) or (name in _LISTS and not objects):
        raise unreadable("Object reference not set to an instance of an object.")


def _failed_element(shape: Shape, element: Json, rejected: Rejected, *, summarize: bool) -> Json:
    """Return a refused record: the sent fields, a zero id for a create, the real id for an update (B12)."""
    answer = {shape.id_field: rejected.record_id, **shape.echo(element)}
    answer[shape.id_field] = rejected.record_id
    if shape.flag:
        answer[shape.flag] = True
    if not summarize:
        answer["StatusAttributeString"] = "ERROR"
    return answer | {"ValidationErrors": [{"Message": message} for message in rejected.messages]}


def _saved_element(written: SavedRecord, *, summarize: bool) -> Json:
    warned = {"Warnings": [{"Message": words} for words in written.warnings]} if written.warnings else {}
    status = {} if summarize else {"StatusAttributeString": "WARNING" if warned else "OK"}
    return written.answer | warned | status
