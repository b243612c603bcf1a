"""`compose.yaml` without Docker: its services run commands that exist, find each other, and are published as said."""

import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster_webserver.cli import dagster_webserver

from shopify_xero_pipeline.cli import main
from shopify_xero_pipeline.xero.oauth_login import PORT

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BY_HAND = {"login"}


def option(command: list[str], *names: str) -> str:
    """Return what follows the first of these options."""
    return next(after for word, after in pairwise(command) if word in names)


@pytest.mark.parametrize("name", SERVICES)
def test_the_command_of_each_service_is_installed_with_the_package(name: str) -> None:
    program, *arguments = SERVICES[name]["command"]
    assert shutil.which(program, path=str(Path(sys.executable).parent))
    if program == "shopify-xero":
        command = dagster_webserver if arguments[0] == "webserver" else main.commands[arguments[0]]
        known = {one for parameter in command.params for one in parameter.opts}
        assert {one for one in arguments if one.startswith("-")} <= known


def test_webserver_and_daemon_use_the_code_location_of_the_service_code_under_the_name_it_has_everywhere() -> None:
    workspace = yaml.safe_load((ROOT / COMPOSE["configs"]["workspace"]["file"]).read_text())
    (location,) = (one["grpc_server"] for one in workspace["load_from"])
    code = SERVICES["code"]["command"]
    assert location["host"] in SERVICES
    assert code[:3] == ["dagster", "code-server", "start"]
    assert str(location["port"]) == option(code, "-p")
    alone = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert (location["location_name"], option(code, "-m")) == (alone["location_name"], alone["module_name"])
    for name in ("webserver", "daemon"):
        (mounted,) = SERVICES[name]["configs"]
        assert mounted == {"source": "workspace", "target": f"/app/{option(SERVICES[name]['command'], '-w')}"}
        assert SERVICES[name]["depends_on"]["code"] == {"condition": "service_healthy"}
    assert option(SERVICES["code"]["healthcheck"]["test"], "-p") == str(location["port"])
    assert SERVICES["code"]["healthcheck"]["test"][1:4] == ["dagster", "api", "grpc-health-check"]


def test_automation_is_on_in_every_service_unless_the_environment_says_otherwise() -> None:
    assert {service["environment"]["AUTOMATION"] for service in SERVICES.values()} == {"${AUTOMATION:-on}"}


def test_a_person_signs_in_through_a_port_of_this_machine_that_leads_to_the_command() -> None:
    login = SERVICES["login"]
    assert login["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert option(login["command"], "--host") == "0.0.0.0"
    assert login["profiles"] == ["login"]
    assert login["volumes"] == SERVICES["code"]["volumes"]
    readme = (ROOT / "README.md").read_text()
    assert "docker compose run --rm --service-ports login" in readme


def test_every_command_the_readme_runs_in_a_service_is_one_of_ours() -> None:
    found = re.findall(r"docker compose run --rm (\w+) shopify-xero (\w+)", (ROOT / "README.md").read_text())
    assert found
    assert all(service in SERVICES and command in main.commands for service, command in found)


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_what_is_mounted_lies_in_the_repository_and_where_the_image_looks_for_it() -> None:
    for service in SERVICES.values():
        for source, target, *_ in (volume.split(":") for volume in service["volumes"]):
            assert source in COMPOSE["volumes"] or (ROOT / source).exists()
            assert target.startswith("/app/")
    assert "WORKDIR /app" in DOCKERFILE
    assert {"workspace.yaml", "dagster.yaml", "books.yaml"} <= set(re.findall(r"\S+\.yaml", DOCKERFILE))


def test_what_begins_by_itself_begins_after_dagsters_home_was_made() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == BY_HAND
    for name, service in SERVICES.items():
        waits = service.get("depends_on", {})
        assert name == "setup" or "setup" in waits or "code" in waits
