"""`make mutate`: how many small changes to a part of the code its tests notice, by module, against the part's floor.

Only the run and its figures belong here; what all parts have in common is set in `pyproject.toml` (`[tool.mutmut]`).
Each part is tried in a copy of the project under `mutants.<part>`, because mutmut knows one set of tests only. Without
a name everything is tried anew; `ARGS="journal '*settle*'"` tries the mutants of that name again.
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
NOTICED = ("killed", "timed out")
WHAT_NOTICED_FIRST = ("-o", "addopts=", "--ff")
"""The tests that noticed the changes before go first: neighbouring changes are mostly noticed by the same ones.

For this pytest keeps what failed, which `addopts` in `pyproject.toml` tells it not to do.
"""


@dataclass(frozen=True)
class Part:
    """What is changed, which tests look, and how many changes in a hundred they must notice."""

    changed: tuple[str, ...]
    tests: tuple[str, ...]
    floor: float
    options: tuple[str, ...] = ()


PARTS = {
    "books": Part(("books/*.py",), ("books",), 90.0, ("--ignore", f"{TESTS}/books/test_books_page.py")),
    "journal": Part(("state/journal.py",), ("state/test_journal.py",), 95.0, ("-k", "not postgres")),
    "loader": Part(
        ("loading/loader.py",),
        (
            "loading/test_loader.py",
            "loading/test_failed_records.py",
            "loading/test_taking_back.py",
            "loading/test_faults.py",
            "loading/test_safe_mode.py",
        ),
        95.0,
        ("-k", "not postgres"),
    ),
}


def main() -> int:
    chosen = [name for name in sys.argv[1:] if name in PARTS]
    mutants = [name for name in sys.argv[1:] if name not in PARTS]
    return int(not all([tried(name, mutants) for name in chosen or PARTS]))


def tried(name: str, mutants: list[str]) -> bool:
    """Try a part's mutants in its own copy of the project; return whether enough of them were noticed."""
    home = Path(f"mutants.{name}")
    if not mutants:
        shutil.rmtree(home, ignore_errors=True)
        copied(home, PARTS[name])
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        command = [sys.executable, "-m", "mutmut", "run", *mutants]
        run = subprocess.run(command, check=False, cwd=home, env={**os.environ, "TMPDIR": folder})
    return reaches(name, home / "mutants" / PACKAGE) and run.returncode == 0


def copied(home: Path, part: Part) -> None:
    """Copy the project, with settings that change this part and run its tests."""
    home.mkdir()
    for folder in (PACKAGE, TESTS):
        shutil.copytree(folder, home / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile("books.yaml", home / "books.yaml")
    settings = Path("pyproject.toml").read_text()
    lists = {
        "only_mutate": [f"{PACKAGE}/{changed}" for changed in part.changed],
        "pytest_add_cli_args": ["-m", "not campaign", *WHAT_NOTICED_FIRST, *part.options],
        "pytest_add_cli_args_test_selection": [f"{TESTS}/{test}" for test in part.tests],
    }
    for key, values in lists.items():
        (line,) = re.findall(rf"^{key} = .*$", settings, re.MULTILINE)
        settings = settings.replace(line, f"{key} = {json.dumps(values)}")
    (home / "pyproject.toml").write_text(settings)


def reaches(name: str, changed: Path) -> bool:
    """Print a part's figures and what nobody noticed; return whether the part reaches its floor."""
    modules = {str(path.relative_to(changed)).removesuffix(".meta"): verdicts(path) for path in metas(changed)}
    modules = {module: found for module, found in modules.items() if found}
    found = [entry for module in modules.values() for entry in module.items()]
    for mutant, verdict in found:
        if verdict not in NOTICED:
            print(f"{verdict}: {mutant}")
    for module, entries in modules.items():
        print(f"{module}: {figures(Counter(entries.values()))}")
    total, floor = Counter(verdict for _, verdict in found), PARTS[name].floor
    print(f"{name}: {figures(total)}, floor {floor:.0f} %; `mutmut show NAME` in {changed.parts[0]} shows a change")
    sys.stdout.flush()
    return percent(total) >= floor


def metas(changed: Path) -> Iterator[Path]:
    return iter(sorted(changed.rglob("*.meta")))


def verdicts(path: Path) -> Mapping[str, str]:
    """Return what became of each mutant of a module, as mutmut wrote it down."""
    codes = json.loads(path.read_text())["exit_code_by_key"]
    return {name: VERDICTS.get(code, "unclear") for name, code in codes.items()}


def figures(counts: Counter[str]) -> str:
    parts = [f"{counts[verdict]} {verdict}" for verdict in sorted(counts)]
    return f"{percent(counts):.1f} % of {counts.total()} noticed ({', '.join(parts)})"


def percent(counts: Counter[str]) -> float:
    return 100 * sum(counts[verdict] for verdict in NOTICED) / max(counts.total(), 1)


if __name__ == "__main__":
    sys.exit(main())
