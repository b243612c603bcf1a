"""The in-process transport: a sync client and an ASGI app without a socket."""

import asyncio
import threading

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopify_xero_pipeline.sandbox.transport import InProcessTransport, Message, Receive, Scope, Send


async def _echo(request: Request) -> Response:
    body = (await request.body()).decode()
    seen = {"path": request.url.path, "query": dict(request.query_params), "body": body}
    return JSONResponse(seen, headers={"X-Seen": "yes"})


def _in_a_thread(_request: Request) -> Response:
    return Response(threading.current_thread().name)


def _client() -> httpx.Client:
    app = Starlette(routes=[Route("/a b", _echo, methods=["GET", "PUT"]), Route("/thread", _in_a_thread)])
    return httpx.Client(transport=InProcessTransport(app), base_url="https://api.example")


def test_a_request_reaches_the_app_whole_and_its_answer_comes_back() -> None:
    answer = _client().put("/a b", params={"x": "1 2"}, content=b"hello")
    assert answer.json() == {"path": "/a b", "query": {"x": "1 2"}, "body": "hello"}
    assert answer.headers["X-Seen"] == "yes"


def test_synchronous_endpoints_work_too() -> None:
    assert _client().get("/thread").status_code == 200


def test_it_works_inside_a_running_event_loop() -> None:
    async def inside() -> httpx.Response:
        return _client().get("/a b")

    assert asyncio.run(inside()).status_code == 200


def test_an_error_in_the_app_is_raised_inside_a_running_event_loop_too() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise httpx.ReadError("gone")

    async def inside() -> None:
        httpx.Client(transport=InProcessTransport(broken)).get("https://api.example/")

    with pytest.raises(httpx.ReadError):
        asyncio.run(inside())


def test_several_threads_may_use_one_client() -> None:
    client, answers = _client(), []
    threads = [threading.Thread(target=lambda: answers.append(client.get("/a b").status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8


def test_an_app_that_ends_without_a_whole_answer_is_a_protocol_error() -> None:
    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ha", "more_body": True})

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.Client(transport=InProcessTransport(half)).get("https://api.example/")


def test_after_the_body_the_client_counts_as_gone() -> None:
    got: list[Message] = []

    async def curious(_scope: Scope, receive: Receive, send: Send) -> None:
        got.extend([await receive(), await receive()])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    httpx.Client(transport=InProcessTransport(curious)).get("https://api.example/")
    assert [message["type"] for message in got] == ["http.request", "http.disconnect"]
