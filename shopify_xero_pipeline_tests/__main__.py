"""`make test`: the whole suite on two processes, then branch coverage by room against its floor.

Campaigns (many generated orders, every crash point) run by themselves and unmeasured: tracing more than doubles their
time, and the other tests reach the same lines.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "shopify_xero_pipeline"
FLOORS = {"": 85.0, "books/": 95.0, "changes/": 95.0, "state/": 95.0, "xero/": 95.0}


def main() -> int:
    if sys.argv[1:]:
        return run(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        measured = run(
            "-m", "not campaign", "--cov", PACKAGE, "--cov-branch", f"--cov-report=json:{report}", "--cov-report="
        )
        if measured:
            return measured
        reached = all([reaches(room, floor, report) for room, floor in FLOORS.items()])
    return run("-m", "campaign") or int(not reached)


def run(*options: str) -> int:
    """Run pytest on two processes; tests that share one expensive stage are kept on one of them (`xdist_group`)."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", *options]
    return subprocess.run(command, check=False).returncode


def reaches(room: str, floor: float, report: Path) -> bool:
    prefix = f"{PACKAGE}/{room}"
    found = json.loads(report.read_text())["files"]
    files = [file["summary"] for name, file in found.items() if name.startswith(prefix)]
    have = sum(file["covered_lines"] + file["covered_branches"] for file in files)
    want = sum(file["num_statements"] + file["num_branches"] for file in files)
    percent = 100 * have / want
    print(f"branch coverage of {room or PACKAGE}: {percent:.1f} % (floor {floor:.0f} %)", flush=True)
    return percent >= floor


if __name__ == "__main__":
    sys.exit(main())
