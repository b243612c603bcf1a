"""The files around the package agree with it and with each other."""

import re
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from shopify_xero_pipeline.cli import main
from shopify_xero_pipeline.definitions import defs
from shopify_xero_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
MODULE = "shopify_xero_pipeline.definitions"
COMMAND = re.compile(r"`((?:make|shopify-xero)[^`]*)`")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def settings_of_the_instance() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    return found


def test_every_way_to_start_dagster_loads_the_same_module() -> None:
    tool = pyproject()["tool"]
    assert tool["dagster"] == {"module_name": MODULE, "code_location_name": "shopify_xero_pipeline"}
    assert tool["dg"]["directory_type"] == "project"
    assert tool["dg"]["project"]["root_module"] == "shopify_xero_pipeline"
    assert tool["dg"]["project"]["code_location_target_module"] == MODULE
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    assert workspace["load_from"] == [
        {"python_module": {"module_name": MODULE, "location_name": "shopify_xero_pipeline"}}
    ]
    assert MODULE in (ROOT / "Dockerfile").read_text()
    assert callable(defs)


def test_the_instance_lets_one_run_at_a_time_write_to_xero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert pools.default_pool_limit == 1
        assert pools.pool_granularity is not None
        assert pools.pool_granularity.value == "run"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_max_retries == 1


def test_the_instances_log_shows_this_packages_own_words() -> None:
    assert settings_of_the_instance()["python_logs"]["managed_python_loggers"] == [MODULE.partition(".")[0]]


def names_of_settings() -> set[str | None]:
    return {field.alias for field in Settings.model_fields.values()}


def test_the_example_names_every_setting_and_nothing_else() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = [found.group(1) for line in lines if (found := re.match(r"#?([A-Z][A-Z_]+)=", line))]
    assert len(named) == len(set(named))
    assert set(named) == names_of_settings()
    assert len(named) == 31


def test_dg_names_every_setting_and_nothing_else() -> None:
    """`dg list env` is run with them in `test_extensions.py`; this file is where it finds them."""
    file = ROOT / "shopify_xero_pipeline" / "defs" / "extensions" / "settings" / "defs.yaml"
    named = yaml.safe_load(file.read_text())["requirements"]["env"]
    assert len(named) == len(set(named))
    assert set(named) == names_of_settings()


def commands() -> list[str]:
    readme = (ROOT / "README.md").read_text()
    table = readme.partition("## Commands")[2].partition("\n## ")[0]
    found = [
        text for line in table.splitlines() if line.startswith("| `") for text in COMMAND.findall(line.split("|")[1])
    ]
    assert len(found) >= 8
    return found


@pytest.mark.parametrize("command", commands())
def test_the_readme_names_only_commands_that_exist(command: str) -> None:
    program, name, *options = command.replace("[", "").replace("]", "").split()
    if program == "make":
        assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    known = {option for parameter in main.commands[name].params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_the_readme_names_every_command() -> None:
    named = {command.split()[1] for command in commands()}
    assert {*main.commands} <= named


def test_the_command_is_installed_under_the_name_the_readme_uses() -> None:
    assert pyproject()["project"]["scripts"] == {"shopify-xero": "shopify_xero_pipeline.cli:main"}


def test_the_ui_stands_behind_the_guard_wherever_it_is_started() -> None:
    """`make up` has a test of its own; Dagster's unguarded webserver is named nowhere as a command."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert services["webserver"]["command"][:2] == ["shopify-xero", "webserver"]
    assert services["webserver"]["ports"] == ["127.0.0.1:3000:3000"]
    assert "# Webserver: shopify-xero webserver -h 0.0.0.0" in (ROOT / "Dockerfile").read_text()
    for path in ("compose.yaml", "Dockerfile", "shopify_xero_pipeline/cli/dev.py", "shopify_xero_pipeline/cli/demo.py"):
        assert "dagster-webserver" not in (ROOT / path).read_text()


def test_dagster_is_pinned_to_one_version() -> None:
    project = pyproject()
    dependencies = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    versions = {text.partition("==")[2] for text in dependencies if text.startswith("dagster")}
    assert versions == {dg.__version__}


def test_the_readme_shows_every_picture_there_is_and_no_other() -> None:
    shown = re.findall(r"\]\(docs/screenshots/([^)]+)\)", (ROOT / "README.md").read_text())
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "screenshots").iterdir()}
    assert sorted(shown) == sorted(pictures)
    assert len(shown) == 6
    assert max(pictures.values()) < 200_000


def test_json_is_written_by_the_commands_of_which_the_readme_says_so() -> None:
    (sentence,) = re.findall(r"^(.*) take `--json FILE`", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`([a-z]+)`", sentence))
    writing = {name for name, command in main.commands.items() if any("--json" in one.opts for one in command.params)}
    assert named == writing
