"""The command `make mutate`: the share of small changes to a part of the code that its tests detect, by module.

This module only contains the run and its figures; settings of all parts are in `pyproject.toml` (`[tool.mutmut]`). Each
part runs in a copy of the project under `mutants.<part>`, because mutmut supports one set of tests only. Without a name
all mutants run; `ARGS="journal '*settle*'"` runs the mutants with that name again.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shopify_xero_pipeline_tests.support.scratch import in_memory

PACKAGE, TESTS = "shopify_xero_pipeline", "shopify_xero_pipeline_tests"
TIMED_OUT = dict.fromkeys((24, -24, 36, 152, 255), "timed out")
VERDICTS = {0: "survived", 1: "killed", 3: "killed", 5: "untested", 33: "untested", **TIMED_OUT}
DETECTED = ("killed", "timed out")
FAILED_FIRST = ("-o", "addopts=", "--ff")
"""pytest options that run the tests first that detected the previous changes, since they mostly detect the next ones.

pytest needs its cache for this, which `addopts` in `pyproject.toml` disables.
"""


@dataclass(frozen=True)
class Part:
    """The changed modules, their tests, and the percentage of changes that these must detect."""

    changed: tuple[str, ...]
    tests: tuple[str, ...]
    floor: float
    options: tuple[str, ...] = ()


PARTS = {
    "books": Part(("books/*.py",), ("books",), 97.0, ("--ignore", f"{TESTS}/books/test_books_page.py")),
    "journal": Part(("state/journal.py",), ("state/test_journal.py",), 98.0, ("-k", "not postgres")),
    "loader": Part(
        ("loading/loader.py",),
        (
            "loading/test_loader.py",
            "loading/test_failed_records.py",
            "loading/test_taking_back.py",
            "loading/test_faults.py",
            "loading/test_safe_mode.py",
            "loading/test_portions.py",
            "loading/test_in_flight.py",
        ),
        95.0,
        ("-k", "not postgres"),
    ),
}


def main() -> int:
    chosen = [name for name in sys.argv[1:] if name in PARTS]
    mutants = [name for name in sys.argv[1:] if name not in PARTS]
    return int(not all([run_part(name, mutants) for name in chosen or PARTS]))


def run_part(name: str, mutants: list[str]) -> bool:
    """Run a part's mutants in its copy of the project; return whether the tests detected enough of them."""
    home = Path(f"mutants.{name}")
    if not mutants:
        shutil.rmtree(home, ignore_errors=True)
        copy_project(home, PARTS[name])
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        command = [sys.executable, "-m", "mutmut", "run", *mutants]
        run = subprocess.run(command, check=False, cwd=home, env={**os.environ, "TMPDIR": folder})
    return reaches(name, home / "mutants" / PACKAGE) and run.returncode == 0


def copy_project(home: Path, part: Part) -> None:
    """Copy the project with settings that mutate this part and run its tests."""
    shutil.copytree(".", home, ignore=shutil.ignore_patterns(".*", "__pycache__", "mutants.*"))
    settings = Path("pyproject.toml").read_text()
    lists = {
        "also_copy": sorted(path.name for path in home.iterdir() if path.name not in (PACKAGE, "pyproject.toml")),
        "only_mutate": [f"{PACKAGE}/{changed}" for changed in part.changed],
        "pytest_add_cli_args": ["-m", "not campaign", *FAILED_FIRST, *part.options],
        "pytest_add_cli_args_test_selection": [f"{TESTS}/{test}" for test in part.tests],
    }
    for key, values in lists.items():
        (line,) = re.findall(rf"^{key} = .*$", settings, re.MULTILINE)
        settings = settings.replace(line, f"{key} = {json.dumps(values)}")
    (home / "pyproject.toml").write_text(settings)


def reaches(name: str, changed: Path) -> bool:
    """Print a part's figures and undetected changes; return whether the part reaches its floor."""
    modules = {str(path.relative_to(changed)).removesuffix(".meta"): verdicts(path) for path in metas(changed)}
    modules = {module: results for module, results in modules.items() if results}
    entries = [entry for results in modules.values() for entry in results.items()]
    for mutant, verdict in entries:
        if verdict not in DETECTED:
            print(f"{verdict}: {mutant}")
    for module, results in modules.items():
        print(f"{module}: {figures(Counter(results.values()))}")
    total, floor = Counter(verdict for _, verdict in entries), PARTS[name].floor
    print(f"{name}: {figures(total)}, floor {floor:.0f} %; `mutmut show NAME` in {changed.parts[0]} shows a change")
    sys.stdout.flush()
    return percent(total) >= floor


def metas(changed: Path) -> Iterator[Path]:
    return iter(sorted(changed.rglob("*.meta")))


def verdicts(path: Path) -> Mapping[str, str]:
    """Return the verdict on each mutant of a module, as recorded by mutmut."""
    codes = json.loads(path.read_text())["exit_code_by_key"]
    return {name: VERDICTS.get(code, "unclear") for name, code in codes.items()}


def figures(counts: Counter[str]) -> str:
    parts = [f"{counts[verdict]} {verdict}" for verdict in sorted(counts)]
    return f"{percent(counts):.1f} % of {counts.total()} detected ({', '.join(parts)})"


def percent(counts: Counter[str]) -> float:
    return 100 * sum(counts[verdict] for verdict in DETECTED) / max(counts.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
