"""Webhook deliveries of Shopify and Xero, and their conversion to hints.

Source: docs/contracts/shopify.md §7, docs/contracts/xero.md §8.

This module only parses signed content. Headers are not signed: an attacker who recorded a delivery could replay it
under another id, time or topic. Therefore a hint also has an id derived from the signed content, and a privacy request
must have the fields of one. An irrelevant delivery yields no hints and is acknowledged. The age of a delivery does not
matter: its time is from the sender's clock, and an obsolete hint costs one read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Protocol, TypeVar

import msgspec
from starlette.datastructures import Headers

from shopify_xero_pipeline.service.body_reader import RefusedRequestError, single_header
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

_TOPIC = re.compile(r"[a-z_]{1,40}/[a-z_]{1,40}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}")  # printable ASCII without blanks
T = TypeVar("T")
Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
MAX_ID_LENGTH = 18


class WebhookProvider(Protocol):
    """A sender of webhook deliveries.

    Attributes:
        signature: the name of its signature header.
    """

    signature: str

    def check_headers(self, headers: Headers) -> None:
        """Check the headers, before the body is read.

        Raises:
            RefusedRequestError: they are not the headers of a delivery.
        """
        ...

    def hints(self, headers: Headers, body: bytes, now: datetime) -> list[WebhookHint]:
        """Return the hints in a delivery.

        Args:
            headers: the headers, which `check_headers` has accepted.
            body: the body, whose signature is verified.
            now: the present instant in UTC, the hints' `received_at`.

        Raises:
            RefusedRequestError: the body cannot be parsed.
        """
        ...


# -- Shopify -----------------------------------------------------------------------------------------------------------


class _Record(msgspec.Struct):
    record_id: Id = msgspec.field(name="id")


class _OrderPart(msgspec.Struct):
    order_id: Id | None = None
    order: _Record | None = None

    @property
    def record_id(self) -> int | None:
        return self.order.record_id if self.order else self.order_id


class _Merge(msgspec.Struct):
    admin_graphql_api_customer_kept_id: str

    @property
    def record_id(self) -> int | None:
        number = self.admin_graphql_api_customer_kept_id.rpartition("/")[2]
        return int(number) if number.isascii() and number.isdigit() and len(number) <= MAX_ID_LENGTH else None


class _DataRequest(msgspec.Struct):
    shop_domain: str
    customer: _Record
    orders: list[Id] = msgspec.field(name="orders_requested")
    data_request: _Record


class _Redact(msgspec.Struct):
    shop_domain: str
    customer: _Record
    orders: list[Id] = msgspec.field(name="orders_to_redact")


class _ShopRedact(msgspec.Struct):
    shop_domain: str
    shop_id: Id


ORDER, CUSTOMER, PRODUCT, SHOP = "order", "customer", "product", "shop"
_Payload = type[_Record] | type[_OrderPart] | type[_Merge]
TOPICS: Mapping[str, tuple[str, _Payload]] = {
    **{f"orders/{event}": (ORDER, _Record) for event in ("create", "updated", "paid", "edited", "cancelled", "delete")},
    **{f"returns/{event}": (ORDER, _OrderPart) for event in ("approve", "process", "close", "update")},
    **{topic: (ORDER, _OrderPart) for topic in ("refunds/create", "order_transactions/create")},
    **{topic: (ORDER, _OrderPart) for topic in ("tender_transactions/create", "disputes/create", "disputes/update")},
    **{f"customers/{event}": (CUSTOMER, _Record) for event in ("create", "update", "delete")},
    "customers/merge": (CUSTOMER, _Merge),
    **{f"products/{event}": (PRODUCT, _Record) for event in ("create", "update", "delete")},
}
REQUESTS: Mapping[str, type[_DataRequest] | type[_Redact]] = {
    "customers/data_request": _DataRequest,
    "customers/redact": _Redact,
}


@dataclass(frozen=True)
class Shopify:
    """Deliveries of one shop; those of other shops with the same app yield no hints."""

    shop: str
    signature = "x-shopify-hmac-sha256"

    def check_headers(self, headers: Headers) -> None:
        """Check the headers, before the body is read.

        Raises:
            RefusedRequestError: a header is absent, repeated or malformed.
        """
        if not _TOPIC.fullmatch(single_header(headers, "x-shopify-topic")):
            raise RefusedRequestError(400, "the header x-shopify-topic is not a topic")
        for name in ("x-shopify-webhook-id", "x-shopify-shop-domain"):
            if not _TOKEN.fullmatch(single_header(headers, name)):
                raise RefusedRequestError(400, f"the header {name} is malformed")
        if not _TOKEN.fullmatch(single_header(headers, "x-shopify-event-id", "-")):
            raise RefusedRequestError(400, "the header x-shopify-event-id is malformed")
        single_header(headers, "x-shopify-triggered-at", "")

    def hints(self, headers: Headers, body: bytes, now: datetime) -> list[WebhookHint]:
        """Return a list with the hint of a delivery, or an empty list; see `WebhookProvider.hints`."""
        topic = headers["x-shopify-topic"]
        if headers["x-shopify-shop-domain"].lower() != self.shop:
            _parse_body(body, msgspec.Raw, "the body is not JSON")
            return []
        record, record_id, orders = self._parse_record(topic, body)
        if not record_id:
            return []
        event = headers.get("x-shopify-event-id") or headers["x-shopify-webhook-id"]
        hint = WebhookHint(
            id=digest(f"shopify {record} ".encode() + body),
            source="shopify",
            topic=topic,
            record=record,
            record_id=record_id,
            delivery=digest(f"shopify {topic} {record_id} {event}"),  # one event may concern several records
            orders=orders,
            occurred_at=_parse_instant(headers.get("x-shopify-triggered-at", "")),
            received_at=now,
        )
        return [hint]

    def _parse_record(self, topic: str, body: bytes) -> tuple[str, str, str]:
        """Return kind and id of the record in a body, and the order ids of a privacy request, separated by blanks."""
        if topic == "shop/redact":
            shop = _parse_body(body, _ShopRedact)
            return SHOP, self._id_if_own(shop.shop_domain, shop.shop_id), ""
        if topic in REQUESTS:
            request = _parse_body(body, REQUESTS[topic])
            record_id = self._id_if_own(request.shop_domain, request.customer.record_id)
            return CUSTOMER, record_id, " ".join(map(str, request.orders))
        if topic in TOPICS:
            record, payload = TOPICS[topic]
            return record, str(_parse_body(body, payload).record_id or ""), ""
        _parse_body(body, msgspec.Raw, "the body is not JSON")
        return "", "", ""

    def _id_if_own(self, shop: str, number: int) -> str:
        return str(number) if shop.lower() == self.shop else ""


# -- Xero --------------------------------------------------------------------------------------------------------------


class _Event(msgspec.Struct, rename="camel"):
    resource_id: str
    tenant_id: str
    event_category: str
    event_type: str
    event_date_utc: str


class _Events(msgspec.Struct):
    events: list[_Event]


CATEGORIES = {"CONTACT": "contact", "INVOICE": "invoice", "CREDITNOTE": "credit_note"}


@dataclass(frozen=True)
class Xero:
    """Deliveries of one organisation; if the settings name none, of every organisation that signs with the key."""

    tenant: str
    signature = "x-xero-signature"

    def check_headers(self, headers: Headers) -> None:
        """Accept all headers: Xero sends none that matter except the signature."""

    def hints(self, headers: Headers, body: bytes, now: datetime) -> list[WebhookHint]:  # noqa: ARG002
        """Return the hints in a delivery; Xero's "intent to receive" has none. See `WebhookProvider.hints`."""
        hints = []
        for event in _parse_body(body, _Events).events:
            record, record_id = CATEGORIES.get(event.event_category.upper()), event.resource_id.lower()
            if record is None or not _UUID.fullmatch(record_id) or (self.tenant and event.tenant_id != self.tenant):
                continue
            topic = f"{record}/{'create' if event.event_type.upper() == 'CREATE' else 'update'}"
            hint_id = digest(f"xero {topic} {record_id} {event.event_date_utc}")
            hint = WebhookHint(
                id=hint_id,
                source="xero",
                topic=topic,
                record=record,
                record_id=record_id,
                delivery=hint_id,
                occurred_at=_parse_instant(event.event_date_utc),
                received_at=now,
            )
            hints.append(hint)
        return hints


def _parse_body(body: bytes, payload: type[T], refusal: str = "the body does not match its topic") -> T:
    """Parse the fields of `payload`; the rest of the body is only scanned."""
    try:
        return msgspec.json.decode(body, type=payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RefusedRequestError(400, refusal) from None


def _parse_instant(text: str) -> datetime | None:
    """Return an instant in UTC, which is also the default zone; None if the text is not an instant."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
