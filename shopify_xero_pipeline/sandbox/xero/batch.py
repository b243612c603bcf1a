"""How Xero takes a batch: unwrapping the body, one record after another, and the two ways of answering (B10 to B13).

Which records there are and what makes one valid is not known here; each kind brings its `Shape` and a function that
writes one record or raises `Rejected`.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Refused, Rejected, Reply, json_reply, nothing_sent, unreadable
from shopify_xero_pipeline.sandbox.xero.api_context import Call, Desk
from shopify_xero_pipeline.sandbox.xero.wire import Json, decode, encode, ms_date

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MISSPELT = "Ensure the element name has the correct case and that there are no duplicate elements of the same name."
_OBJECTS = {"Contact", "Invoice", "CreditNote", "Account", "SalesDetails", "PurchaseDetails"}
_LISTS = {"LineItems", "Addresses", "Phones", "ContactPersons", "Tracking"}
_MAX_BODY = 3_500_000


@dataclass(frozen=True)
class Shape:
    """What a kind of record looks like on the wire.

    Attributes:
        collection: name of the list in requests and answers.
        noun: what ErrorNumber 17 calls one.
        id_field: name of its id.
        flag: the field that says whether it has errors; empty if it has none.
        known: the names a client may send, nested ones too; the same name in other letters is refused.
        echo: adds to what was sent the fields that a refused record comes back with.
        most: how many a call may carry; None for no limit.
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
class Written:
    """One record that was saved, as it is answered, with what Xero warns of."""

    answer: Json
    warnings: tuple[str, ...] = ()


def read_elements(call: Call, shape: Shape) -> list[Json]:
    """Return the records of a request: a collection or a bare object.

    Raises:
        Refused: too big, not JSON, nothing in it, a misspelt name, a bad GUID.
    """
    elements = _unwrapped(read_body(call, shape.noun), shape)
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
        Refused: 413 above 3.5 MB, ErrorNumber 17 if it is empty, 14 if it is not JSON.
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
    desk: Desk,
    call: Call,
    shape: Shape,
    elements: list[Json],
    write: Callable[[Json], Written],
    *,
    single: bool = False,
) -> Reply:
    """Write each record by itself, in order, and answer; the valid ones are kept whatever becomes of the others.

    Args:
        desk: what the rules work with.
        call: names `summarizeErrors`.
        shape: of these records.
        elements: as they were sent.
        write: saves one, or raises `Rejected`.
        single: the endpoint does not know `summarizeErrors`, so any error is a 400.
    """
    summarize = single or call.summarize_errors
    answers: list[Json] = []
    failed: list[Json] = []
    for element in elements:
        try:
            _refuse_marked(call, element)
            written = write(element)
        except Rejected as rejected:
            failed.append(_failed(shape, element, rejected, summarize=summarize))
            answers.append(failed[-1])
        else:
            answers.append(_saved(written, summarize=summarize))
    if summarize and failed:
        return json_reply(validation_exception(failed), 400)
    if desk.options.shuffle_responses:
        random.Random(desk.options.shuffle_seed).shuffle(answers)
    return json_reply(envelope(desk) | {shape.collection: answers})


def _refuse_marked(call: Call, element: Json) -> None:
    """Refuse a record that a fault has marked.

    Raises:
        Rejected: it is marked.
    """
    if call.refusal is not None and call.refusal[0] in encode(element).decode():
        raise Rejected(call.refusal[1])


def validation_exception(elements: list[Json]) -> Json:
    """Return ErrorNumber 10 with the elements that failed, and only those."""
    words = "A validation exception occurred"
    return {"ErrorNumber": 10, "Type": "ValidationException", "Message": words, "Elements": elements}


def envelope(desk: Desk) -> Json:
    """Return the head of every answer."""
    return {
        "Id": desk.books.new_id(),
        "Status": "OK",
        "ProviderName": desk.options.provider_name,
        "DateTimeUTC": ms_date(desk.now(), offset=""),
    }


def check_guids(sent: object) -> None:
    """Refuse the request if an id anywhere in it is not a GUID (B5)."""
    if isinstance(sent, list):
        for one in sent:
            check_guids(one)
    elif isinstance(sent, dict):
        for name, worth in sent.items():
            if name.endswith("ID") and isinstance(worth, str) and worth and not is_guid(worth):
                raise unreadable("Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).")
            check_guids(worth)


def is_guid(text: str) -> bool:
    """Tell whether a text has the form of a GUID."""
    return bool(_GUID.fullmatch(text))


def _unwrapped(body: Any, shape: Shape) -> list[Json]:
    found = body.get(shape.collection, body) if isinstance(body, dict) else body
    elements = [found] if isinstance(found, dict) and found else found or []
    if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
        raise unreadable("Object reference not set to an instance of an object.")
    return elements


def _check_names(sent: object, shape: Shape) -> None:
    """Refuse a known name in other letters; what is not known at all is ignored (section 8)."""
    if isinstance(sent, list):
        for one in sent:
            _check_names(one, shape)
    elif isinstance(sent, dict):
        for name, worth in sent.items():
            if name not in shape.known and name.lower() in shape.by_lower:
                raise unreadable(f"The element '{name}' was not recognised. {_MISSPELT}")
            _check_form(name, worth)
            _check_names(worth, shape)


def _check_form(name: str, worth: object) -> None:
    """Refuse a text where an object or a list of objects belongs."""
    if worth is None:
        return
    objects = isinstance(worth, list) and all(isinstance(one, dict) for one in worth)
    if (name in _OBJECTS and not isinstance(worth, dict)) or (name in _LISTS and not objects):
        raise unreadable("Object reference not set to an instance of an object.")


def _failed(shape: Shape, element: Json, rejected: Rejected, *, summarize: bool) -> Json:
    """Return a refused record: what was sent, a zero id for a create, the real one for an update (B12)."""
    answer = {shape.id_field: rejected.record_id, **shape.echo(element)}
    answer[shape.id_field] = rejected.record_id
    if shape.flag:
        answer[shape.flag] = True
    if not summarize:
        answer["StatusAttributeString"] = "ERROR"
    return answer | {"ValidationErrors": [{"Message": message} for message in rejected.messages]}


def _saved(written: Written, *, summarize: bool) -> Json:
    warned = {"Warnings": [{"Message": words} for words in written.warnings]} if written.warnings else {}
    status = {} if summarize else {"StatusAttributeString": "WARNING" if warned else "OK"}
    return written.answer | warned | status
