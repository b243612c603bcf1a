"""The pages agree with the program: commands run, targets and links exist, alerts and checks are complete.

A command in a code block runs in process against a sandbox in which Xero refuses one Invoice. Commands that do not end,
need a person or take long are parsed only (`NOT_RUN`). Commands in the text are looked up with their options.
"""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import click
import pytest
import yaml
from dagster_webserver.cli import dagster_webserver

from shopify_xero_pipeline import alerts, cli
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ALERTS = ROOT / "docs" / "alerts.md"
RELIABILITY = ROOT / "docs" / "reliability.md"

LONGEST = 300
MAY_BE_LONGER = {
    "books.md": "its worked examples are compared with the program as one page",
}

NOT_RUN = {
    "up": "does not end",
    "webserver": "does not end",
    "serve": "does not end",
    "sandbox": "does not end",
    "demo": "takes a minute; root/test_demo.py plays it",
    "login": "a person gives consent in a browser; root/test_login.py plays it",
    "alerts --test": "sends messages to real channels",
}
"""Commands of code blocks that are parsed only, each with the reason; the options that follow do not matter."""

RUN_ALL_THE_SAME = {"login --new-key"}
NOT_PARSED = {"docker build": "Docker's own", "docker compose up": "Docker's own"}
"""Lines of other programs; of `docker compose run` the service and the command in it are checked."""

CODES = {
    "plan": {0, 3},
    "sync": {0, 1, 3},
    "status": {0, 1, 3},
    "alerts": {0, 1},
    "doctor": {0, 1, 3},
    "retry": {0, 1},
    "dismiss": {0, 1},
    "requests": {0, 1},
    "login": {0},
    "rebuild": {0, 1, 75},
    "redact": {0},
}
"""How each command may end on the stage, where one Invoice stays refused; they run in this order."""

FIRST = date(2026, 9, 21)
NIGHT_AFTER = at(FIRST + timedelta(days=1), 1)
REFUSED = "SH-1005"
REQUEST = "1" * 64
COMMAND = re.compile(r"(?:[A-Z_]+=\S* )*(?:\.venv/bin/)?(?:shopify-xero|make|docker)(?: |$)")
INLINE = re.compile(r"`((?:\.venv/bin/)?(?:shopify-xero|make) [^`]+)`")


def code_lines(text: str) -> Iterator[str]:
    """Yield the lines of fenced and of indented code blocks."""
    is_fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced or line.startswith("    "):
            yield line.strip()


def words_of(line: str) -> Iterator[list[str]]:
    """Yield the commands of a line as words, without a path, a comment and assignments."""
    found: list[str] = []
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word == "&&":
            yield found
            found = []
        elif found or not re.fullmatch(r"[A-Z_]+=.*", word):
            found.append(word if found else word.removeprefix(".venv/bin/"))


def commands_in(texts: Iterable[str]) -> list[list[str]]:
    """Return the commands of all code blocks."""
    lines = [line for text in texts for line in code_lines(text) if COMMAND.match(line)]
    return [words for line in lines for words in words_of(line)]


def commands_between_backticks(texts: Iterable[str]) -> list[list[str]]:
    """Return the commands in the text, except those that leave something out."""
    found = {command for text in texts for command in INLINE.findall(text) if "…" not in command}
    return [words for command in sorted(found) for words in words_of(command)]


def ours(commands: Sequence[list[str]]) -> list[list[str]]:
    """Return the arguments of each `shopify-xero`, also of those in a container; each once."""
    named = [words for words in commands if words[0] == "shopify-xero" or words[:3] == ["docker", "compose", "run"]]
    found = [words[words.index("shopify-xero") + 1 :] for words in named if "shopify-xero" in words]
    return [list(arguments) for arguments in dict.fromkeys(map(tuple, found))]


def is_run(arguments: Sequence[str]) -> bool:
    """Return whether a command is run, and not only parsed."""
    line = " ".join(arguments)
    return line in RUN_ALL_THE_SAME or not any(line == one or line.startswith(f"{one} ") for one in NOT_RUN)


def command_of(arguments: Sequence[str]) -> tuple[click.Command, list[str]]:
    """Return the command that a line names, and what follows; the program itself where it names none."""
    with click.Context(cli.main) as context:
        rest = cli.main.make_parser(context).parse_args(args=list(arguments))[1]
        name, command, rest = cli.main.resolve_command(context, rest) if rest else ("", cli.main, [])
    assert command is not None
    return (dagster_webserver if name == "webserver" else command), rest


def parse(arguments: Sequence[str]) -> None:
    """Parse a command line as the program does, values and required options included."""
    command, rest = command_of(arguments)
    command.make_context("shopify-xero", rest)


def look_up(arguments: Sequence[str]) -> None:
    """Look up command and options of a line in the text, which may leave out others and stand for values by a word."""
    command, rest = command_of(arguments)
    assert {word for word in rest if word.startswith("--")} <= {one for each in command.params for one in each.opts}


TEXTS = [page.read_text(encoding="utf-8") for page in PAGES]
IN_CODE, IN_TEXT = commands_in(TEXTS), commands_between_backticks(TEXTS)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, NIGHT_AFTER) as stage, on_stage(stage, monkeypatch):
        for name, value in {**stage.environ, "DAGSTER_HOME": str(tmp_path / "dagster")}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(cli.options, "clock", lambda: stage.clock)
        monkeypatch.chdir(tmp_path)
        yield stage


@pytest.mark.campaign
def test_every_command_of_a_code_block_runs(stage: Stage) -> None:
    stage.sandbox.faults.add(
        Fault(kind=FaultKind.REFUSED, path="/Invoices", body=f'"{REFUSED}"', answer="Account is archived", times=None)
    )
    request = WebhookHint(
        id=REQUEST, source="shopify", topic="customers/data_request", record="customer", record_id="701",
        delivery="1", received_at=NIGHT_AFTER,
    )  # fmt: skip
    stage.sync_service.connections.store.hints.add([request])
    runs = [arguments for arguments in ours(IN_CODE) if is_run(arguments)]
    assert {arguments[0] for arguments in runs} == {*CODES}
    for arguments in sorted(runs, key=lambda one: [*CODES].index(one[0])):
        stage.sync_service.connections.close()
        stage.restart()
        result = invoke(*arguments)
        said = f"shopify-xero {shlex.join(arguments)} ended with {result.exit_code}:\n{result.output}"
        assert result.exit_code in CODES[arguments[0]], said
        assert isinstance(result.exception, SystemExit | None), said
        assert not re.search(r"^(Error|Usage):|Traceback", result.output, re.MULTILINE), said


def test_the_commands_that_are_not_run_are_in_the_pages_and_parse() -> None:
    parsed = [arguments for arguments in ours(IN_CODE) if not is_run(arguments)]
    for arguments in parsed:
        parse(arguments)
    lines = [" ".join(arguments) for arguments in parsed]
    assert [one for one in NOT_RUN if not any(line == one or line.startswith(f"{one} ") for line in lines)] == []


@pytest.mark.parametrize("arguments", ours(IN_TEXT), ids=shlex.join)
def test_every_command_in_the_text_exists_with_its_options(arguments: list[str]) -> None:
    look_up(arguments)


@pytest.mark.parametrize("line", ["synchronise", "sync --days 2026-09-21", "dismiss --key SH-1", "webserver --prot 30"])
def test_a_line_that_the_program_would_refuse_does_not_parse(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line.split())


def test_every_command_has_its_section_and_its_examples() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    examples = {arguments[0] for arguments in ours(commands_in([page]))}
    assert headings == examples == {*cli.main.commands}


def test_every_option_of_a_command_is_explained() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    options = {one for command in cli.main.commands.values() for parameter in command.params for one in parameter.opts}
    assert [one for one in sorted(options) if one.startswith("--") and one not in page] == []


def test_every_make_target_exists_and_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    targets = set(re.findall(r"^([\w./-]+):(?!=)", makefile, re.MULTILINE))
    named = {words[1] for words in [*IN_CODE, *IN_TEXT] if words[0] == "make"}
    assert named <= targets
    explained = set(re.findall(r"`make (\w+)", (ROOT / "docs" / "commands.md").read_text()))
    assert {one for one in targets if one.isalpha()} <= explained


def test_every_line_for_docker_names_a_service_of_compose() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    lines = [words for words in IN_CODE if words[0] == "docker"]
    assert lines
    for words in lines:
        if not any(" ".join(words).startswith(one) for one in NOT_PARSED):
            assert words[:4] == ["docker", "compose", "run", "--rm"]
            service, *rest = [word for word in words[4:] if word != "--service-ports"]
            assert service in services
            assert rest[:1] in ([], ["shopify-xero"])


@pytest.mark.campaign
def test_the_program_of_contributing_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d+ invoices in the plan$", done.stdout, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    found: list[str] = []
    is_fenced = False
    for line in page.read_text().splitlines():
        is_fenced ^= line.startswith("```")
        if not is_fenced and (heading := re.match(r"#{1,6} (.*)", line)):
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).strip().lower()
            slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_resolves(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_no_page_is_longer_than_a_person_reads_at_once() -> None:
    long = {page.name for page in PAGES if len(page.read_text().splitlines()) > LONGEST}
    assert long <= {*MAY_BE_LONGER}
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


def alert_keys() -> set[str]:
    """Return the keys of all alerts, as their rules build them; what varies is left out."""
    found = set()
    for path in [Path(alerts.__path__[0]) / "rules.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) >= 5:
                key = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
                if isinstance(key, ast.Constant) and re.fullmatch(r"[a-z-]+(:[a-z]*)?", str(key.value)):
                    found.add(str(key.value))
    return found


def test_every_alert_is_explained() -> None:
    assert len(alert_keys()) >= 15
    rows = set(re.findall(r"^\| `([^`]+)`", ALERTS.read_text(), re.MULTILINE))
    assert [key for key in alert_keys() if not any(row.startswith(key) for row in rows)] == []
    assert [row for row in rows if ":" in row and not any(row.startswith(key) for key in alert_keys())] == []


def test_every_check_is_explained() -> None:
    graph = build_definitions(policy=BooksPolicy()).resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    explained = set()
    for line in ALERTS.read_text().splitlines():
        if line.startswith("| `") and len(cells := line.split("|")) == 6:
            assets, names = (re.findall(r"`([^`]+)`", cell) for cell in cells[1:3])
            explained |= {(asset, name) for asset in assets for name in names}
    assert checks <= explained
    assert {name for asset, name in explained if (asset, name) not in checks} == set()


def test_every_schedule_and_sensor_is_explained() -> None:
    repository = build_definitions(policy=BooksPolicy()).get_repository_def()
    named = {one.name for one in repository.schedule_defs} | {one.name for one in repository.sensor_defs}
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    assert named <= rows


def test_every_invariant_is_named(stage: Stage) -> None:
    rows = dict(re.findall(r"^\| (I\d+) \| ([^|]+) \|", RELIABILITY.read_text(), re.MULTILINE))
    assert [*rows] == [f"I{number}" for number in range(1, 15)]
    assert {one.number for one in stage.sync_service.connections.store.invariants()} <= {*rows}
