"""The guard before the Dagster UI: what a foreign page can make a browser send, and what people and programs send."""

import asyncio
from typing import Any

import httpx
import pytest
from dagster_webserver.webserver import DagsterWebserver
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.webserver.command import install_guard
from shopify_xero_pipeline.webserver.guard import Guard

HERE = "http://127.0.0.1:3000"
EVIL = "https://evil.example"
JSON = {"content-type": "application/json"}


async def done(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"carried out {request.method}")


async def talk(socket: WebSocket) -> None:
    await socket.accept(subprotocol="graphql-ws")
    await socket.send_text("carried out")
    await socket.close()


def guarded(*hosts: str, origin: str = "") -> Guard:
    methods = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
    app = Starlette(routes=[WebSocketRoute("/graphql", talk), Route("/{path:path}", done, methods=methods)])
    return Guard(app, hosts, origin)


def ask(method: str, url: str, guard: Guard | None = None, **more: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard or guarded())) as http:
            return await http.request(method, url, **more)

    return asyncio.run(asked())


def connect(headers: dict[str, str]) -> list[object]:
    """Open a WebSocket; return what comes: the type of the first message, and a text or the code it is closed with."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"host": "127.0.0.1:3000", **headers}
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "subprotocols": ["graphql-ws"],
    }
    asyncio.run(guarded()(scope, receive, send))
    return [sent[0]["type"], sent[1]["text"] if len(sent) > 1 else sent[0]["code"]]


@pytest.mark.parametrize(
    "url",
    [f"{HERE}/", "http://localhost:3000/runs", "http://[::1]:3000/assets?view=checks", f"{HERE}/graphql", "http://LOCALHOST/"],
)  # fmt: skip
def test_pages_of_this_machine_are_shown_wherever_a_link_to_them_stands(url: str) -> None:
    answer = ask("GET", url, headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.text) == (200, "carried out GET")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "",
        "[::1",
        "localhost:x",
    ],
)
def test_a_foreign_host_is_answered_by_nothing_but_what_to_do(host: str) -> None:
    for method in ("GET", "POST"):
        answer = ask(method, f"{HERE}/graphql", headers={"host": host, **JSON}, content="{}")
        assert answer.status_code == 400
        assert "DAGSTER_HOSTS" in answer.text


def test_hosts_are_set_by_name_or_with_a_port() -> None:
    guard = guarded("books.example", "ui.example:8443", origin="https://dagster.example/path")
    for host in ("books.example", "books.example:3000", "ui.example:8443", "dagster.example", "localhost"):
        assert ask("GET", f"{HERE}/", guard, headers={"host": host}).status_code == 200
    for host in ("ui.example", "ui.example:3000", "sub.books.example"):
        assert ask("GET", f"{HERE}/", guard, headers={"host": host}).status_code == 400


@pytest.mark.parametrize("path", ["/graphql", "/prefix/graphql", "/graphql/", "/%67raphql"])
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_query_in_an_address_is_not_carried_out(path: str, accept: str) -> None:
    url = f"{HERE}{path}?operationName=x&query=mutation{{startSchedule(x:1)}}"
    answer = ask("GET", url, headers={"accept": accept})
    assert (answer.status_code, "carried out" in answer.text) == (405, False)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "text/plain;application/json", "application/x-www-form-urlencoded", "application/jsonx",
     "multipart/form-data; boundary=application/json", "application/graphql"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
def test_only_json_changes_anything(content_type: str | None, method: str) -> None:
    """A form cannot send it, and a browser asks before it sends it to another origin."""
    headers = {} if content_type is None else {"content-type": content_type}
    answer = ask(method, f"{HERE}/report_asset_materialization/xero/invoices", headers=headers, content=b"{}")
    assert (answer.status_code, "carried out" in answer.text) == (415, False)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
@pytest.mark.parametrize("headers", [{}, {"origin": HERE}, {"origin": HERE, "sec-fetch-site": "same-origin"}])
def test_the_ui_itself_and_programs_that_are_no_browser_change_what_they_want(
    content_type: str, headers: dict[str, str]
) -> None:
    answer = ask("POST", f"{HERE}/graphql", headers={"content-type": content_type, **headers}, content=b"{}")
    assert (answer.status_code, answer.text) == (200, "carried out POST")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3001"},
        {"origin": "http://localhost:3000"},
        {"origin": "https://127.0.0.1"},
        {"origin": f"{HERE}.evil.example"},
        {"origin": f"http://127.0.0.1:3000@evil.example"},  # noqa: F541
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing_and_hears_nothing(headers: dict[str, str]) -> None:
    answer = ask("POST", f"{HERE}/graphql", headers={**JSON, **headers}, content=b"{}")
    assert (answer.status_code, "carried out" in answer.text) == (403, False)
    assert connect(headers) == ["websocket.close", 1008]


def test_a_subscription_of_the_ui_goes_on_and_one_under_a_foreign_host_does_not() -> None:
    assert connect({"origin": HERE}) == ["websocket.accept", "carried out"]
    assert connect({}) == ["websocket.accept", "carried out"]
    assert connect({"host": "evil.example", "origin": "http://evil.example"}) == ["websocket.close", 1008]


def test_behind_a_proxy_the_address_that_people_know_is_the_uis_own() -> None:
    guard = guarded("webserver:3000", origin="https://books.example")
    kept = {"host": "books.example", "origin": "https://books.example"}
    changed = {"host": "webserver:3000", "origin": "https://books.example"}
    foreign = {"host": "webserver:3000", "origin": "https://books.example.evil.example"}
    for headers, status in ((kept, 200), (changed, 200), (foreign, 403)):
        assert ask("POST", f"{HERE}/graphql", guard, headers={**JSON, **headers}, content=b"{}").status_code == status


def test_the_default_port_of_an_origin_may_be_spelled_or_not() -> None:
    guard = guarded("books.example")
    for host in ("books.example", "books.example:443"):
        headers = {**JSON, "host": host, "origin": "https://books.example"}
        assert ask("POST", f"{HERE}/graphql", guard, headers=headers, content=b"{}").status_code == 200


def test_two_hosts_or_two_origins_are_refused() -> None:
    for name in (b"host", b"origin"):
        headers = [(b"host", b"127.0.0.1:3000"), (b"origin", HERE.encode()), (b"content-type", b"application/json")]
        headers.append((name, b"evil.example"))
        assert ask("POST", f"{HERE}/graphql", headers=headers, content=b"{}").status_code in (400, 403)
    twice = [(b"host", b"127.0.0.1:3000"), (b"content-type", b"text/plain"), (b"content-type", b"application/json")]
    assert ask("POST", f"{HERE}/graphql", headers=twice, content=b"{}").status_code == 415


def test_no_page_of_another_site_shows_the_ui_in_a_frame() -> None:
    assert ask("GET", f"{HERE}/").headers["x-frame-options"] == "SAMEORIGIN"


def test_every_webserver_of_dagster_is_guarded_with_the_hosts_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DagsterWebserver, "build_middleware", DagsterWebserver.build_middleware)
    environ = {"DAGSTER_URL": "https://books.example", "DAGSTER_HOSTS": "webserver:3000"}
    install_guard(Settings.from_environment(environ, dotenv=None))
    first, *others = DagsterWebserver.build_middleware(object.__new__(DagsterWebserver))
    assert first.cls is Guard
    assert first.kwargs == {"hosts": ("webserver:3000",), "origin": "https://books.example"}
    assert len(others) == 1


hosts = st.from_regex(r"[a-z0-9.\[\]:@/%-]{0,30}", fullmatch=True)


@given(host=hosts, origin=st.one_of(st.none(), hosts, hosts.map("https://{}".format)))
def test_whatever_hosts_and_origins_look_like_only_the_uis_own_get_through(host: str, origin: str | None) -> None:
    headers = [(b"host", host.encode()), (b"content-type", b"application/json")]
    headers += [] if origin is None else [(b"origin", origin.encode())]
    answer = ask("POST", f"{HERE}/graphql", headers=headers, content=b"{}")
    if answer.status_code == 200:
        assert httpx.URL(f"http://{'[::1]' if host == '::1' else host}").host in ("localhost", "127.0.0.1", "::1")
        assert origin is None or httpx.URL(origin).netloc == httpx.URL(f"https://{host}").netloc
    else:
        assert "carried out" not in answer.text
