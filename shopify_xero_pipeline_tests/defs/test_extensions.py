"""An asset that `dg scaffold defs` adds is loaded with the product's own, and stays out of the syncs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from shopify_xero_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
SHOW = """
from shopify_xero_pipeline.definitions import defs
found = defs()
print(*sorted(key.to_user_string() for key in found.resolve_asset_graph().get_all_asset_keys()))
print(*sorted(key.to_user_string() for key in found.resolve_job_def("sync").asset_layer.executable_asset_keys))
"""


def run(folder: Path, *command: str) -> str:
    """Run a command in a copy of the project, whose package it imports, and return its output."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SHOPIFY", "XERO", "DAGSTER"))}
    environ |= {"PYTHONPATH": str(folder), "DG_TELEMETRY_ENABLED": "false"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_scaffolded_asset_is_loaded_no_sync_runs_it_and_dg_lists_the_settings(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "books.yaml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    package = "shopify_xero_pipeline"
    shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    dg_command = str(Path(sys.executable).with_name("dg"))

    run(tmp_path, dg_command, "scaffold", "defs", "dagster.asset", "shop_visits.py")
    settings = run(tmp_path, dg_command, "list", "env")
    run(tmp_path, dg_command, "check", "yaml")

    loaded, synced = (line.split() for line in run(tmp_path, sys.executable, "-c", SHOW).splitlines()[-2:])
    assert "shop_visits" in loaded
    assert "books/reconciliation" in loaded
    assert "shop_visits" not in synced
    assert "books/reconciliation" in synced
    assert settings.count("settings") == len(Settings.model_fields)
    assert all(str(field.alias) in settings for field in Settings.model_fields.values())
