"""The rooms hold: what may import what, as docs/architecture.md says, and no import runs in a circle."""

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE, TESTS = "shopify_xero_pipeline", "shopify_xero_pipeline_tests"
REPOSITORY = Path(__file__).parents[1]
ROOT = REPOSITORY / PACKAGE
RECORDS = {"shopify.models", "xero.elements", "xero.models", "xero.references"}
STORED = {"state.records", "state.canonical"}
RUNNING = {"clock", "observability"}
MAY_IMPORT: Mapping[str, set[str]] = {
    "clock": set(),
    "settings": set(),
    "observability": {"clock", "settings"},
    "http": {"clock"},
    "state": {"clock", "xero.references"},
    "shopify": {*RUNNING, "http"},
    "xero": {*RUNNING, "http", "settings", "state"},
    "books": RECORDS,
    "changes": {*RECORDS, *STORED, "books"},
    "reconciliation": {*RECORDS, *STORED, "books", "changes"},
    "loading": {*RUNNING, "changes.models", "state", "xero"},
    "pipeline": {
        *RUNNING, "settings", "state", "shopify", "xero", "books", "changes", "reconciliation", "loading"
    },
    "alerts": {*RUNNING, "http", "settings", "state", "shopify.responses", "changes", "reconciliation", "pipeline"},
    "service": {*RUNNING, "settings", "state", "pipeline.connections"},
    "webserver": {"settings"},
    "sandbox": {*RUNNING, "http", "shopify.models", "xero.models"},
    "defs": {
        *RUNNING, "settings", "state", "shopify.models", "xero.models", "books", "changes", "reconciliation",
        "loading.load_report", "pipeline", "alerts", "service.health",
    },
    "definitions": {"books.policy", "defs", "observability", "pipeline", "settings"},
    "cli": {
        *RUNNING, "definitions", "defs", "settings", "state", "shopify", "xero", "books", "changes", "reconciliation",
        "pipeline", "alerts", "service", "webserver", "sandbox",
    },
}  # fmt: skip
FORBIDDEN = [
    ("xero", "changes.models"),
    ("xero", "loading.loader"),
    ("state", "changes.models"),
    ("state", "loading.loader"),
    ("changes", "reconciliation.comparison"),
    ("books", "changes.models"),
    ("books", "state.records"),
    ("loading", "reconciliation.verdict"),
    ("pipeline", "defs.jobs"),
    ("pipeline", "cli.output"),
    ("alerts", "defs.jobs"),
    ("service", "defs.daemon_health"),
    ("shopify", "xero.models"),
    ("pipeline", "sandbox.app"),
    ("defs", "cli.output"),
]
"""Arrows that must not come back."""

WITH_DAGSTER = {"definitions", "defs", "cli.job_runner", "cli.demo"}
PURE = ("books", "changes", "reconciliation")
NO_INPUT_OR_OUTPUT = {"httpx", "sqlalchemy", "dagster", "time", "os"}


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports; of our own packages the modules, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        yield from _imported(node)


def imports_when_loaded(path: Path) -> Iterator[str]:
    """Yield what a file imports as soon as it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        yield from _imported(node)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            inner = REPOSITORY.joinpath(*node.module.split("."), alias.name)
            is_module = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
            yield f"{node.module}.{alias.name}" if is_module else node.module


def modules(room: str) -> list[Path]:
    if (ROOT / f"{room}.py").exists():
        return [ROOT / f"{room}.py"]
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"the room {room} is empty"
    return found


def name_of(path: Path, root: Path = ROOT) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def may_import(room: str, module: str) -> bool:
    """Tell whether the table lets a room import a module of the package, named without the package."""
    return any(f"{module}.".startswith(f"{one}.") for one in {*MAY_IMPORT[room], room})


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_the_table_lets_it(room: str) -> None:
    for path in modules(room):
        ours = {name.removeprefix(f"{PACKAGE}.") for name in imports(path) if name.startswith(f"{PACKAGE}.")}
        assert [name for name in sorted(ours) if not may_import(room, name)] == [], name_of(path)


@pytest.mark.parametrize(("room", "module"), FORBIDDEN)
def test_the_table_forbids_every_arrow_that_must_not_come_back(room: str, module: str) -> None:
    assert not may_import(room, module)


def test_the_table_names_every_room_and_the_root_holds_only_assembly_settings_and_the_clock() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    roots = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    assert roots == {"clock", "definitions", "settings"}
    assert rooms | roots == set(MAY_IMPORT)


@pytest.mark.parametrize("package", [PACKAGE, TESTS])
def test_no_import_runs_in_a_circle(package: str) -> None:
    files = {name_of(path, REPOSITORY): path for path in (REPOSITORY / package).rglob("*.py")}
    graph = {name: {one for one in imports_when_loaded(path) if one in files} for name, path in files.items()}
    try:
        TopologicalSorter({name: found - {name} for name, found in graph.items()}).prepare()
    except CycleError as cycle:
        pytest.fail(f"imports run in a circle: {' -> '.join(cycle.args[1])}")


@pytest.mark.parametrize("room", PURE)
def test_the_pure_rooms_have_no_way_to_do_io_or_to_read_a_clock(room: str) -> None:
    for path in modules(room):
        assert not {name.split(".")[0] for name in imports(path)} & NO_INPUT_OR_OUTPUT, path.name


@pytest.mark.parametrize("module", ["rules", "notifier"])
def test_alerts_are_reckoned_without_io_and_without_a_clock(module: str) -> None:
    path = ROOT / "alerts" / f"{module}.py"
    assert not {name.split(".")[0] for name in imports(path)} & {*NO_INPUT_OR_OUTPUT, "smtplib"}


def test_dagster_is_known_to_its_own_room_and_to_what_starts_runs_and_to_nothing_else() -> None:
    knowing = {name_of(path) for path in ROOT.rglob("*.py") if any(n.split(".")[0] == "dagster" for n in imports(path))}
    assert {name if name in WITH_DAGSTER else name.split(".")[0] for name in knowing} == WITH_DAGSTER


def test_the_product_speaks_through_no_logger_but_those_that_mask_what_they_are_told() -> None:
    """A filter does not see what is said through a child of its logger."""
    speaking = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if "sandbox" not in path.parts and "getLogger(" in path.read_text()
    ]
    assert speaking == ["observability/events.py"]


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
    answering = "xero/oauth_login.py"  # it answers the browser that comes back from Xero
    assert sorted(sending) == ["http/sockets.py", "http/transport.py", answering]


def test_the_guard_of_the_ui_knows_nothing_of_dagster() -> None:
    (guard,) = (path for path in modules("webserver") if path.name == "guard.py")
    assert {name.split(".")[0] for name in imports(guard)} == {"collections", "starlette", "urllib"}


def test_nothing_private_to_dagster_is_imported_but_the_documented_bases_of_its_storage() -> None:
    """https://docs.dagster.io/api/dagster/internals names them for `dagster.yaml`, and no public module has them."""
    private = {
        (name_of(path), name) for path in ROOT.rglob("*.py") for name in imports(path) if name.startswith("dagster._")
    }
    bases = ("_core.storage.event_log", "_core.storage.runs", "_serdes")
    assert private == {("defs.run_storage", f"dagster.{name}") for name in bases}
