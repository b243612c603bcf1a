"""The doors for webhooks: what is kept, what is only acknowledged, what is refused; and nothing twice."""

from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.service.command import HINT_RETENTION
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.service.sending import (
    NOW,
    SECRET,
    Delivery,
    House,
    event,
    from_shopify,
    from_xero,
    house,
    sqlite,
)

ORDER = {"id": 820982911946154508, "updated_at": "2026-11-19T10:00:00+13:00", "customer": {"id": 115310627314723954}}
REDACT = {
    "shop_id": 954889,
    "shop_domain": "goods.myshopify.com",
    "customer": {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"},
    "orders_to_redact": [299938, 280263],
}
DATA_REQUEST = {
    "shop_id": 954889,
    "shop_domain": "goods.myshopify.com",
    "orders_requested": [299938],
    "customer": {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"},
    "data_request": {"id": 9999},
}
SHOP_REDACT = {"shop_id": 954889, "shop_domain": "goods.myshopify.com"}


@pytest.mark.parametrize(
    ("topic", "content", "record", "record_id"),
    [
        ("orders/create", ORDER, "order", "820982911946154508"),
        ("orders/edited", {"id": 7}, "order", "7"),
        ("orders/delete", {"id": 8}, "order", "8"),
        ("refunds/create", {"id": 1, "order_id": 9}, "order", "9"),
        ("order_transactions/create", {"id": 1, "order_id": 9, "amount": "1.00"}, "order", "9"),
        ("returns/close", {"id": 1, "order": {"id": 10}}, "order", "10"),
        ("disputes/create", {"id": 1, "order_id": 11}, "order", "11"),
        ("customers/update", {"id": 12, "email": "john@example.com"}, "customer", "12"),
        ("customers/merge", {"admin_graphql_api_customer_kept_id": "gid://shopify/Customer/13"}, "customer", "13"),
        ("products/update", {"id": 14}, "product", "14"),
    ],
)
def test_a_delivery_of_shopify_is_kept_as_the_record_to_look_at(
    served: House, topic: str, content: object, record: str, record_id: str
) -> None:
    assert served.send(from_shopify(topic, content)) == 200
    (hint,) = served.hints.open()
    assert (hint.source, hint.topic, hint.record, hint.record_id) == ("shopify", topic, record, record_id)
    assert hint.occurred_at == NOW + timedelta(microseconds=877041)
    assert hint.received_at == NOW


def test_the_events_of_a_delivery_of_xero_are_kept_one_by_one(served: House) -> None:
    delivery = from_xero(event(1), event(2, "CONTACT", eventType="CREATE"), event(3, "CREDITNOTE"), event(4, "PAYROLL"))
    assert served.send(delivery) == 200
    assert {(one.topic, one.record_id[-1]) for one in served.hints.open("xero")} == {
        ("invoice/update", "1"),
        ("contact/create", "2"),
        ("credit_note/update", "3"),
    }


def test_xeros_question_whether_we_know_the_key_is_answered_with_200_and_401(served: House) -> None:
    assert served.send(from_xero()) == 200
    assert served.send(from_xero(key="another")) == 401
    assert served.send(from_xero().bearing(x_xero_signature=None)) == 401
    assert served.topics() == []


@pytest.mark.parametrize("content", [{"id": 1, "order_id": None}, {"id": 1, "order": None}])
def test_a_dispute_or_return_without_an_order_says_nothing_to_us(served: House, content: object) -> None:
    assert served.send(from_shopify("disputes/update", content)) == 200
    assert served.topics() == []


def test_topics_shops_and_organisations_that_are_not_ours_are_acknowledged_and_ignored(served: House) -> None:
    assert served.send(from_shopify("app/uninstalled", {"id": 1})) == 200
    assert served.send(from_shopify("orders/paid", ORDER).bearing(x_shopify_shop_domain="other.myshopify.com")) == 200
    assert served.send(from_shopify("customers/redact", {**REDACT, "shop_domain": "other.myshopify.com"})) == 200
    assert served.send(from_xero(event(1, tenantId="another"), event(2, resourceId="../Contacts"))) == 200
    assert (served.topics(), served.hints.requests()) == ([], [])


# -- once --------------------------------------------------------------------------------------------------------------


def test_a_delivery_that_is_repeated_counts_once(served: House) -> None:
    delivery = from_shopify("orders/updated", ORDER)
    assert [served.send(delivery) for _ in range(3)] == [200, 200, 200]
    assert [served.send(from_xero(event(1))) for _ in range(3)] == [200, 200, 200]
    assert served.send(from_xero(event(2), event(1))) == 200
    assert sorted(one[0] for one in served.topics()) == ["invoice/update", "invoice/update", "orders/updated"]


def test_one_action_that_concerns_several_records_is_a_hint_for_each(served: House) -> None:
    assert [served.send(from_shopify("products/update", {"id": number}, "1")) for number in (1, 2)] == [200, 200]
    assert [one[2] for one in served.topics()] == ["1", "2"]


def test_a_delivery_without_an_event_id_is_known_by_its_own(served: House) -> None:
    first = from_shopify("orders/updated", {"id": 1}).bearing(x_shopify_event_id=None)
    again = from_shopify("orders/updated", {"id": 1, "note": "retry"}).bearing(x_shopify_event_id=None)
    assert [served.send(first), served.send(again)] == [200, 200]
    assert len(served.topics()) == 1


def test_an_order_that_changes_twice_is_two_hints(served: House) -> None:
    served.send(from_shopify("orders/updated", {"id": 1, "updated_at": "10:00"}, "1"))
    served.send(from_shopify("orders/updated", {"id": 1, "updated_at": "10:01"}, "2"))
    assert [one[2] for one in served.topics()] == ["1", "1"]


def test_a_replay_under_other_names_times_and_topics_is_known_by_what_was_signed(served: House) -> None:
    seen = from_shopify("orders/create", ORDER)
    assert served.send(seen) == 200
    served.hints.mark_processed(served.hints.open())
    forged = from_shopify("orders/updated", ORDER, "2", at=NOW + timedelta(hours=1))
    assert forged.headers["x-shopify-hmac-sha256"] == seen.headers["x-shopify-hmac-sha256"]
    assert served.send(forged) == 200
    assert served.topics() == []


@pytest.mark.parametrize("topic", ["customers/redact", "customers/data_request", "shop/redact"])
def test_an_order_that_was_seen_on_its_way_does_not_become_a_privacy_request(served: House, topic: str) -> None:
    assert served.send(from_shopify(topic, ORDER)) == 400
    assert served.hints.requests() == []


@pytest.mark.parametrize("ahead", [timedelta(days=40), timedelta(days=-40)])
def test_a_delivery_is_kept_however_far_its_senders_clock_is_from_ours(served: House, ahead: timedelta) -> None:
    """What a person may ask for by law must not be lost because our clock is wrong."""
    assert served.send(from_shopify("orders/paid", {"id": 1}, "1", at=NOW + ahead)) == 200
    assert served.send(from_xero(event(1, at=NOW + ahead))) == 200
    assert served.send(from_shopify("customers/redact", REDACT, "2", at=NOW + ahead)) == 200
    assert len(served.topics()) == 2
    assert len(served.hints.requests()) == 1


@pytest.mark.parametrize("at", [None, "", "yesterday", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_cannot_be_read_is_as_if_it_were_not_said(served: House, at: str | None) -> None:
    assert served.send(from_shopify("orders/paid", {"id": 1}).bearing(x_shopify_triggered_at=at)) == 200
    assert len(served.topics()) == 1


def test_hints_are_remembered_for_a_week_and_then_forgotten(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    with house(sqlite(tmp_path), clock) as served:
        served.send(from_shopify("orders/paid", {"id": 1}, "1"))
        served.send(from_shopify("customers/redact", REDACT, "2"))
        clock.sleep((HINT_RETENTION + timedelta(seconds=1)).total_seconds())
        served.send(from_shopify("orders/paid", {"id": 3}, "3", at=clock.now()))
        assert [one[2] for one in served.topics()] == ["3"]
        assert [one.record_id for one in served.hints.requests()] == ["191167"]


# -- privacy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "content", "named"),
    [
        ("customers/redact", REDACT, ("customer", "191167", "299938 280263")),
        ("customers/data_request", DATA_REQUEST, ("customer", "191167", "299938")),
        ("shop/redact", SHOP_REDACT, ("shop", "954889", "")),
    ],
)
def test_a_privacy_request_is_kept_for_a_person_with_nothing_personal(
    served: House, tmp_path: Path, topic: str, content: object, named: tuple[str, str, str]
) -> None:
    assert [served.send(from_shopify(topic, content)) for _ in range(2)] == [200, 200]
    (request,) = served.hints.requests()
    assert (request.topic, (request.record, request.record_id, request.orders)) == (topic, named)
    assert served.topics() == []
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"john" not in stored
    assert b"555-625" not in stored


# -- refused -----------------------------------------------------------------------------------------------------------

GOOD = from_shopify("orders/paid", ORDER)
SIGNATURE = GOOD.headers["x-shopify-hmac-sha256"]


@pytest.mark.parametrize(
    ("delivery", "status"),
    [
        (from_shopify("orders/paid", ORDER, secret="guess"), 401),
        (from_shopify("orders/paid", ORDER, secret=""), 401),
        (Delivery(GOOD.path, GOOD.headers, GOOD.body + b" "), 401),
        (Delivery(GOOD.path, GOOD.headers, b""), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=None), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=""), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=SIGNATURE[:-1]), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=f"{SIGNATURE}\x00"), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=f"{SIGNATURE[:-2]}é="), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=SIGNATURE.swapcase()), 401),
        (GOOD.bearing(x_shopify_hmac_sha256=f"{SIGNATURE},{SIGNATURE}"), 401),
        (GOOD.bearing(content_type="text/plain"), 415),
        (GOOD.bearing(content_type=None), 400),
        (GOOD.bearing(content_length="1e3"), 400),
        (GOOD.bearing(content_length="-1"), 400),
        (GOOD.bearing(content_length="9" * 5_000), 400),
        (GOOD.bearing(content_length="1000001"), 413),
        (GOOD.bearing(transfer_encoding="chunked", content_length=str(len(GOOD.body))), 400),
        (GOOD.bearing(x_shopify_topic=None), 400),
        (GOOD.bearing(x_shopify_topic="orders/paid\x0bset-cookie: a"), 400),
        (GOOD.bearing(x_shopify_topic="orders"), 400),
        (GOOD.bearing(x_shopify_webhook_id=None), 400),
        (GOOD.bearing(x_shopify_webhook_id="a" * 129), 400),
        (GOOD.bearing(x_shopify_event_id="two words"), 400),
        (GOOD.bearing(x_shopify_shop_domain=None), 400),
        (from_shopify("orders/paid", b"not json"), 400),
        (from_shopify("app/uninstalled", b"not json"), 400),
        (from_shopify("orders/paid", b'{"id": 1'), 400),
        (from_shopify("orders/paid", b"[" * 100_000), 400),
        (from_shopify("orders/paid", b'{"id": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 400),
        (from_shopify("orders/paid", b'{"a": ' * 50_000), 400),
        (from_shopify("orders/paid", {"id": "1; DROP TABLE hint"}), 400),
        (from_shopify("orders/paid", {"id": -1}), 400),
        (from_shopify("orders/paid", {"id": 2**64}), 400),
        (from_shopify("orders/paid", b'{"id": ' + b"9" * 5_000 + b"}"), 400),
        (from_shopify("orders/paid", b'{"id": "\xff\xfe"}'), 400),
        (from_shopify("orders/paid", []), 400),
        (from_xero(event(1), key=""), 401),
        (from_xero(event(1)).bearing(x_xero_signature=SIGNATURE), 401),
    ],
)  # fmt: skip
def test_what_is_forged_or_malformed_is_refused_and_nothing_of_it_is_kept(
    served: House, delivery: Delivery, status: int
) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in delivery.headers.items()]
    answer = served.client.post(delivery.path, headers=headers, content=delivery.body)
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers["connection"] == "close"
    assert served.topics() == []


@pytest.mark.parametrize(
    "name", ["x-shopify-hmac-sha256", "x-shopify-topic", "x-shopify-webhook-id", "x-shopify-event-id", "content-type"]
)
def test_a_header_that_stands_twice_is_refused(served: House, name: str) -> None:
    headers = [*GOOD.headers.items(), (name, GOOD.headers[name])]
    assert served.client.post(GOOD.path, headers=headers, content=GOOD.body).status_code in {400, 401}
    assert served.topics() == []


def test_only_post_is_taken_and_only_at_the_doors(served: House) -> None:
    assert served.client.get(GOOD.path).status_code == 405
    assert served.client.put(GOOD.path, content=GOOD.body, headers=GOOD.headers).status_code == 405
    assert served.client.post("/webhooks", content=b"").status_code == 404
    assert served.client.post("/metrics", content=b"").status_code == 405


def test_without_a_key_a_door_is_shut_also_for_what_is_signed_with_none(tmp_path: Path) -> None:
    with house(sqlite(tmp_path), XERO_WEBHOOK_KEY=" , ") as served:
        assert [served.send(from_xero(event(1), key=key)) for key in ("", " ", ",")] == [404, 404, 404]
        assert served.topics() == []


def test_while_one_secret_takes_anothers_place_both_are_good(tmp_path: Path) -> None:
    with house(sqlite(tmp_path), SHOPIFY_WEBHOOK_SECRET="new, old") as served:
        sent = [
            served.send(from_shopify("orders/paid", {"id": number}, str(number), secret=secret))
            for number, secret in enumerate(("new", "old", SECRET, "new, old"), start=1)
        ]
        assert sent == [200, 200, 401, 401]


# -- kept, or sent again -----------------------------------------------------------------------------------------------


def test_while_the_store_cannot_be_written_the_sender_is_asked_to_come_again(
    served: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert served.send(from_shopify("orders/paid", {"id": 1}, "1")) == 200
    (tmp_path / "state.db").rename(tmp_path / "elsewhere")
    (tmp_path / "state.db").write_bytes(b"no database at all, and long enough to be taken for one" * 100)
    lost = from_shopify("orders/paid", {"id": 2}, "2")
    assert served.send(lost) == 503
    (tmp_path / "elsewhere").rename(tmp_path / "state.db")
    assert served.send(lost) == 200
    assert [one[2] for one in served.topics()] == ["1", "2"]


def test_a_store_that_belongs_to_another_shop_takes_no_delivery(tmp_path: Path) -> None:
    other = StateStore(sqlite(tmp_path), ManualClock(NOW))
    other.put_value("shop.domain", "other.myshopify.com")
    other.close()
    with house(sqlite(tmp_path)) as served:
        assert served.send(GOOD) == 503
