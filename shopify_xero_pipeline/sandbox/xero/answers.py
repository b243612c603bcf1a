"""Responses without records: problems and refusals of a whole request, as exceptions and their replies.

`Rejected` refuses one record of a batch; `Refused` ends the request (B3 to B7, B10).
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from shopify_xero_pipeline.sandbox.xero.wire import encode

_STATUS_PAGE = "http://status.developer.xero.com"
ZERO_GUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Reply:
    """A status with a body and headers."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  a response, not a defect
    """The response to a request that is refused as a whole."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


class Rejected(Exception):  # noqa: N818  a response, not a defect
    """The validation errors of one record; `record_id` is the id of the record that an update named."""

    def __init__(self, *messages: str, record_id: str = ZERO_GUID) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages
        self.record_id = record_id


def json_reply(answer: Any, status: int = 200) -> Reply:
    """Return a JSON reply."""
    return Reply(status, encode(answer))


def problem(status: int, title: str, detail: str) -> Refused:
    """Return a problem of the gateway (401, 403).

    Args:
        status: the HTTP status.
        title: the title of the problem.
        detail: its detail.
    """
    body: Any = {
        "Type": None,
        "Title": title,
        "Status": status,
        "Detail": detail,
        "Instance": _instance(),
        "Extensions": {},
    }
    return Refused(json_reply(body, status))


def not_found() -> Refused:
    """Return the 404 for an unknown route, an unknown id or a URL that is too long."""
    return Refused(Reply(404, b"The resource you're looking for cannot be found", "text/html; charset=utf-8"))


def server_error() -> Reply:
    """Return the API's 500."""
    detail = f"An error occurred in Xero. Check the API Status page {_STATUS_PAGE} for current service status."
    body = {"Title": "An error occurred", "Detail": detail, "Status": 500, "Instance": _instance()}
    return json_reply(body, 500)


def unreadable(why: str) -> Refused:
    """Return ErrorNumber 14 for a body that the endpoint cannot read."""
    return numbered(14, "PostDataInvalidException", why)


def nothing_sent(what: str) -> Refused:
    """Return ErrorNumber 17 for a request without records, in Xero's spelling."""
    endpoint = f"This endpoint is expecting {what} data to be specifed in the request body."
    return numbered(17, "NoDataProcessedException", f"No data has been processed for this endpoint. {endpoint}")


def bad_query(why: str) -> Refused:
    """Return the refusal of a `where` or `order` (the number is unverified)."""
    return numbered(16, "QueryParseException", why)


def not_emulated() -> Refused:
    """Return Xero's 501, also for endpoints of the real API that the sandbox lacks."""
    return numbered(20, "ApiMethodNotImplementedException", "The Api Method called is not implemented", 501)


def numbered(number: int, kind: str, message: str, status: int = 400) -> Refused:
    """Return a refusal of the whole request in the form of the API's exceptions.

    Args:
        number: the ErrorNumber.
        kind: the type of the exception.
        message: the message.
        status: the HTTP status.
    """
    return Refused(json_reply({"ErrorNumber": number, "Type": kind, "Message": message}, status))


def _instance() -> str:
    return str(uuid.uuid4())
