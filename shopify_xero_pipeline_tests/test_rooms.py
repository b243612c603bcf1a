"""The rooms hold: what may import what, as docs/architecture.md says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "shopify_xero_pipeline"
ROOT = Path(__file__).parents[1] / PACKAGE
EVERYONE = {"clock", "escaping", "events", "http"}
MAY_IMPORT = {
    "http": set(),
    "shopify": set(),
    "books": {"shopify.models", "xero.models"},
    "changes": {"books", "state", "shopify.models", "xero.models"},
    "state": set(),
    "xero": {"state", "changes.models"},
    "service": {"state", "settings", "connections"},
    "webserver": {"settings"},
    "alerts": set(),
    "sandbox": {"shopify.models", "xero.models"},
}
PURE = {
    "books": {"httpx", "sqlalchemy", "dagster", "time", "os"},
    "changes": {"httpx", "sqlalchemy", "dagster", "time", "os"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"the room {room} is empty"
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_before_it(room: str) -> None:
    allowed = MAY_IMPORT[room] | EVERYONE | {room}
    for path in modules(room):
        for name in imports(path):
            inner = name.removeprefix(f"{PACKAGE}.")
            if inner != name:
                assert any(inner == one or inner.startswith(f"{one}.") for one in allowed), (
                    f"{path.name} imports {name}"
                )


@pytest.mark.parametrize("room", PURE)
def test_the_pure_rooms_have_no_way_to_do_io_or_to_read_a_clock(room: str) -> None:
    for path in modules(room):
        assert not {name.split(".")[0] for name in imports(path)} & PURE[room], path.name


@pytest.mark.parametrize("module", ["causes", "told"])
def test_what_calls_for_a_person_is_reckoned_without_io_and_without_a_clock(module: str) -> None:
    path = ROOT / "alerts" / f"{module}.py"
    assert not {name.split(".")[0] for name in imports(path)} & (PURE["books"] | {"smtplib"})


def test_the_product_speaks_through_no_logger_but_those_that_mask_what_they_are_told() -> None:
    """A filter does not see what is said through a child of its logger."""
    speaking = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if "sandbox" not in path.parts and "getLogger(" in path.read_text()
    ]
    assert speaking == ["events.py"]


def test_http_is_sent_by_the_transport_that_bounds_it_and_by_no_other_way() -> None:
    """No other client or transport of httpx's is made, and no other library that speaks HTTP is imported."""
    made = re.compile(r"httpx\.(Async)?(Client|HTTPTransport)\(|httpx\.(get|post|put|request|stream)\(")
    others = {"http", "urllib3", "requests", "aiohttp", "httpcore"}
    sending = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if made.search(path.read_text())
        or any(name.split(".")[0] in others or name == "urllib.request" for name in imports(path))
    ]
    assert sorted(sending) == ["http/sockets.py", "http/transport.py", "login.py"]  # login answers the browser


@pytest.mark.parametrize(
    "room", ["alerts", "books", "changes", "shopify", "state", "xero", "defs", "service", "http", "webserver"]
)
def test_the_product_never_imports_its_sandbox(room: str) -> None:
    for path in modules(room):
        assert not any(name.startswith(f"{PACKAGE}.sandbox") for name in imports(path)), path.name


def test_only_the_heartbeat_of_the_service_knows_dagster() -> None:
    knowing = [path.name for path in modules("service") if any(n.split(".")[0] == "dagster" for n in imports(path))]
    assert knowing == ["heartbeat.py"]


def test_the_guard_of_the_ui_knows_nothing_of_dagster() -> None:
    (guard,) = (path for path in modules("webserver") if path.name == "guard.py")
    assert {name.split(".")[0] for name in imports(guard)} == {"collections", "starlette", "urllib"}


def test_only_one_private_import_of_dagster_exists() -> None:
    private = [
        (path.name, name) for path in ROOT.rglob("*.py") for name in imports(path) if name.startswith("dagster._")
    ]
    assert private == [("report.py", "dagster._core.definitions.asset_checks.asset_check_evaluation")]
