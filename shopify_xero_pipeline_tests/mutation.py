"""`make mutate`: how many small changes to a room's code its tests notice, by module, against the room's floor.

Only the run and its figures belong here; what is changed and which tests look is set in `pyproject.toml`
(`[tool.mutmut]`). Without arguments everything is tried anew; `ARGS="'*till*'"` tries the mutants of that name again.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

MUTANTS = Path("mutants")
PACKAGE = "shopify_xero_pipeline"
FLOORS = {"books": 90.0}
TIMED_OUT = dict.fromkeys((24, -24, 36, 152, 255), "timed out")
VERDICTS = {0: "survived", 1: "killed", 3: "killed", 5: "untested", 33: "untested", **TIMED_OUT}
NOTICED = ("killed", "timed out")


def main() -> int:
    if not sys.argv[1:]:
        shutil.rmtree(MUTANTS, ignore_errors=True)
    run = subprocess.run([sys.executable, "-m", "mutmut", "run", *sys.argv[1:]], check=False)
    return run.returncode or int(not all([reaches(room, floor) for room, floor in FLOORS.items()]))


def reaches(room: str, floor: float) -> bool:
    """Print a room's figures and what nobody noticed; return whether the room reaches its floor."""
    modules = {path.name.removesuffix(".meta"): verdicts(path) for path in (MUTANTS / PACKAGE / room).glob("*.meta")}
    changed = {name: modules[name] for name in sorted(modules) if modules[name]}
    found = [entry for module in changed.values() for entry in module.items()]
    for name, verdict in found:
        if verdict not in NOTICED:
            print(f"{verdict}: {name}")
    for name, module in changed.items():
        print(f"{room}/{name}: {figures(Counter(module.values()))}")
    total = Counter(verdict for _, verdict in found)
    print(f"{room}: {figures(total)}, floor {floor:.0f} %; `mutmut show NAME` shows a change", flush=True)
    return percent(total) >= floor


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
