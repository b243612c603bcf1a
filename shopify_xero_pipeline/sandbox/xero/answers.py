"""Whole answers that are not records: problems and refusals of a whole request, as exceptions and their replies.

A refusal of one record in a batch is a `Rejected`; everything that ends the request is a `Refused` (B3 to B7, B10).
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from shopify_xero_pipeline.sandbox.xero.wire import encode

_STATUS_PAGE = "http://status.developer.xero.com"
ZERO_GUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Reply:
    """A status, a body and its headers."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818  an answer, not a defect
    """The request as a whole gets this answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


class Rejected(Exception):  # noqa: N818  an answer, not a defect
    """One record does not pass validation. `record_id` is that of the record an update was aimed at."""

    def __init__(self, *messages: str, record_id: str = ZERO_GUID) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages
        self.record_id = record_id


def json_reply(answer: Any, status: int = 200) -> Reply:
    """Return a JSON answer."""
    return Reply(status, encode(answer))


def problem(status: int, title: str, detail: str) -> Refused:
    """Return the problem body of the gateway (401, 403)."""
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
    """Return the 404 of an unknown route, an unknown id or a URL that is too long."""
    return Refused(Reply(404, b"The resource you're looking for cannot be found", "text/html; charset=utf-8"))


def server_error() -> Reply:
    """Return the API's own 500."""
    detail = f"An error occurred in Xero. Check the API Status page {_STATUS_PAGE} for current service status."
    body = {"Title": "An error occurred", "Detail": detail, "Status": 500, "Instance": _instance()}
    return json_reply(body, 500)


def unreadable(why: str) -> Refused:
    """Return ErrorNumber 14: the body is not what the endpoint can read."""
    return numbered(14, "PostDataInvalidException", why)


def nothing_sent(what: str) -> Refused:
    """Return ErrorNumber 17: no record was sent. The spelling is Xero's."""
    endpoint = f"This endpoint is expecting {what} data to be specifed in the request body."
    return numbered(17, "NoDataProcessedException", f"No data has been processed for this endpoint. {endpoint}")


def bad_query(why: str) -> Refused:
    """Return the refusal of a `where` or `order` (the number is unverified)."""
    return numbered(16, "QueryParseException", why)


def not_emulated() -> Refused:
    """Return Xero's own 501; here it also stands for what the real API has and the sandbox has not."""
    return numbered(20, "ApiMethodNotImplementedException", "The Api Method called is not implemented", 501)


def numbered(number: int, kind: str, message: str, status: int = 400) -> Refused:
    """Return a refusal of the whole request in the shape of the API's exceptions."""
    return Refused(json_reply({"ErrorNumber": number, "Type": kind, "Message": message}, status))


def _instance() -> str:
    return str(uuid.uuid4())
