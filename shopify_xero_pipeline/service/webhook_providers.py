"""What the deliveries of both sides look like, and how they become hints.

Source: docs/contracts/shopify.md §7, docs/contracts/xero.md §8.

Reading what is signed belongs here, and only that. Headers are not signed: whoever once saw a delivery could send it
again under another name, time or topic. So a delivery is known by its signed content too, and a privacy request must
have the shape of one. A delivery that says nothing to us gives no hints, and is acknowledged all the same. How old one
is does not count: it is dated by its sender's clock, and a hint of something long known costs one look.
"""

import re
from collections.abc import Iterator, Mapping
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
_NAME = re.compile(r"[\x21-\x7e]{1,128}")
T = TypeVar("T", bound=msgspec.Struct)
Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
MAX_ID_LENGTH = 18


class WebhookProvider(Protocol):
    """One side that sends deliveries.

    Attributes:
        signature: the header in which it signs.
    """

    signature: str

    def check_headers(self, headers: Headers) -> None:
        """Look at the headers, before the body is read.

        Raises:
            Refusal: they are not those of a delivery.
        """
        ...

    def hints(self, headers: Headers, body: bytes, now: datetime) -> list[WebhookHint]:
        """Return what a delivery, whose signature is right, says to us.

        Raises:
            Refusal: it cannot be read.
        """
        ...


# -- Shopify -----------------------------------------------------------------------------------------------------------


class _Named(msgspec.Struct):
    id: Id


class _Itself(msgspec.Struct):
    id: Id

    @property
    def record_id(self) -> int | None:
        return self.id


class _OfOrder(msgspec.Struct):
    order_id: Id | None = None
    order: _Named | None = None

    @property
    def record_id(self) -> int | None:
        return self.order.id if self.order else self.order_id


class _Merge(msgspec.Struct):
    admin_graphql_api_customer_kept_id: str

    @property
    def record_id(self) -> int | None:
        number = self.admin_graphql_api_customer_kept_id.rpartition("/")[2]
        return int(number) if number.isascii() and number.isdigit() and len(number) <= MAX_ID_LENGTH else None


class _OfCustomer(msgspec.Struct):
    shop_domain: str
    customer: _Named


class _DataRequest(_OfCustomer):
    orders_requested: list[Id]
    data_request: _Named

    @property
    def orders(self) -> list[int]:
        return self.orders_requested


class _Redact(_OfCustomer):
    orders_to_redact: list[Id]

    @property
    def orders(self) -> list[int]:
        return self.orders_to_redact


class _ShopRedact(msgspec.Struct):
    shop_domain: str
    shop_id: Id


ORDER, CUSTOMER, PRODUCT, SHOP = "order", "customer", "product", "shop"
_Change = type[_Itself] | type[_OfOrder] | type[_Merge]
TOPICS: Mapping[str, tuple[str, _Change]] = {
    **{f"orders/{what}": (ORDER, _Itself) for what in ("create", "updated", "paid", "edited", "cancelled", "delete")},
    **{f"returns/{what}": (ORDER, _OfOrder) for what in ("approve", "process", "close", "update")},
    **{topic: (ORDER, _OfOrder) for topic in ("refunds/create", "order_transactions/create")},
    **{topic: (ORDER, _OfOrder) for topic in ("tender_transactions/create", "disputes/create", "disputes/update")},
    **{f"customers/{what}": (CUSTOMER, _Itself) for what in ("create", "update", "delete")},
    "customers/merge": (CUSTOMER, _Merge),
    **{f"products/{what}": (PRODUCT, _Itself) for what in ("create", "update", "delete")},
}
REQUESTS: Mapping[str, type[_DataRequest] | type[_Redact]] = {
    "customers/data_request": _DataRequest,
    "customers/redact": _Redact,
}


@dataclass(frozen=True)
class Shopify:
    """Deliveries of one shop; those of others, to which the same app may belong, say nothing to us."""

    shop: str
    signature = "x-shopify-hmac-sha256"

    def check_headers(self, headers: Headers) -> None:
        """Look at the headers, before the body is read."""
        if not _TOPIC.fullmatch(single_header(headers, "x-shopify-topic")):
            raise RefusedRequestError(400, "the header x-shopify-topic names no topic")
        for name in ("x-shopify-webhook-id", "x-shopify-shop-domain"):
            if not _NAME.fullmatch(single_header(headers, name)):
                raise RefusedRequestError(400, f"the header {name} holds what it cannot hold")
        if not _NAME.fullmatch(single_header(headers, "x-shopify-event-id", "-")):
            raise RefusedRequestError(400, "the header x-shopify-event-id holds what it cannot hold")
        single_header(headers, "x-shopify-triggered-at", "")

    def hints(self, headers: Headers, body: bytes, now: datetime) -> list[WebhookHint]:
        """Return the one hint of a delivery, or none."""
        happened_at = _instant(headers.get("x-shopify-triggered-at", ""))
        topic = headers["x-shopify-topic"]
        if headers["x-shopify-shop-domain"].lower() != self.shop:
            _check_json(body)
            return []
        record, record_id, orders = self._named(topic, body)
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
            occurred_at=happened_at,
            received_at=now,
        )
        return [hint]

    def _named(self, topic: str, body: bytes) -> tuple[str, str, str]:
        """Return what a delivery names: kind and id of a record, and a privacy request's orders."""
        if topic == "shop/redact":
            shop = _read(body, _ShopRedact)
            return SHOP, self._if_ours(shop.shop_domain, shop.shop_id), ""
        if topic in REQUESTS:
            asked = _read(body, REQUESTS[topic])
            return CUSTOMER, self._if_ours(asked.shop_domain, asked.customer.id), " ".join(map(str, asked.orders))
        if topic in TOPICS:
            record, shape = TOPICS[topic]
            named = _read(body, shape).record_id
            return record, "" if named is None else str(named), ""
        _check_json(body)
        return "", "", ""

    def _if_ours(self, shop: str, number: int) -> str:
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
    """Deliveries of one organisation; where it is not named in the settings, of any that the key was given to."""

    tenant: str
    signature = "x-xero-signature"

    def check_headers(self, headers: Headers) -> None:
        """There is nothing in the headers but the signature."""

    def hints(self, headers: Headers, body: bytes, now: datetime) -> list[WebhookHint]:  # noqa: ARG002
        """Return the events of a delivery; one that only asks whether we know the key has none."""
        return list(self._events(_read(body, _Events), now))

    def _events(self, found: _Events, now: datetime) -> Iterator[WebhookHint]:
        for event in found.events:
            record, record_id = CATEGORIES.get(event.event_category.upper()), event.resource_id.lower()
            happened_at = _instant(event.event_date_utc)
            if record is None or not _UUID.fullmatch(record_id) or (self.tenant and event.tenant_id != self.tenant):
                continue
            topic = f"{record}/{'create' if event.event_type.upper() == 'CREATE' else 'update'}"
            known = digest(f"xero {topic} {record_id} {event.event_date_utc}")
            yield WebhookHint(
                id=known,
                source="xero",
                topic=topic,
                record=record,
                record_id=record_id,
                delivery=known,
                occurred_at=happened_at,
                received_at=now,
            )


def _read(body: bytes, shape: type[T]) -> T:
    """Read what is needed of a body, with no more than a shallow look at the rest."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RefusedRequestError(400, "the body is not what its topic promises") from None


def _check_json(body: bytes) -> None:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RefusedRequestError(400, "the body is no JSON") from None


def _instant(text: str) -> datetime | None:
    """Read an instant, in UTC where it names no zone; what is none is as if it had not been said."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
