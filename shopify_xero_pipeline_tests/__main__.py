"""`make test`: the whole suite on two processes, then branch coverage by room against its floor.

Campaigns (many generated orders, every crash point) run by themselves and unmeasured: tracing more than doubles their
time, and the other tests reach the same lines.

The tests' own files are kept in memory where there is room: on a disk, waiting for each commit to reach it is a sixth
of the time, and what the tests kill is processes, not power.

Where Python is told to keep no bytecode, it is kept for as long as this takes, in a folder of its own: otherwise every
process of the suite compiles Dagster and all tests anew.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from shopify_xero_pipeline_tests.support.scratch import in_memory

PACKAGE = "shopify_xero_pipeline"
FLOORS = {"": 85.0} | dict.fromkeys(("books/", "changes/", "loading/", "reconciliation/", "state/", "xero/"), 95.0)


def main() -> int:
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        Path(folder).chmod(0o711)  # Postgres refuses to run as root, and has its files in there
        os.environ["TMPDIR"] = folder
        if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
            os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")
        return suite(Path(folder) / "coverage.json") if not sys.argv[1:] else run(*sys.argv[1:])


def suite(report: Path) -> int:
    """Run everything, the measured tests first; return an exit code."""
    measured = run(
        "-m", "not campaign", "--cov", PACKAGE, "--cov-branch", f"--cov-report=json:{report}", "--cov-report="
    )
    if measured:
        return measured
    reached = all([reaches(room, floor, report) for room, floor in FLOORS.items()])
    return run("-m", "campaign and not long") or int(not reached)


def run(*options: str) -> int:
    """Run pytest on two processes: each takes its half in order, and the one that is done first half of what is left.

    So a stage that a module's tests share is mostly made once. Keeping a module on one process (`loadfile`) leaves the
    other one idle for minutes at the end.
    """
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", *options]
    return subprocess.run(command, check=False).returncode


def reaches(room: str, floor: float, report: Path) -> bool:
    prefix = f"{PACKAGE}/{room}"
    found = json.loads(report.read_text())["files"]
    files = [file["summary"] for name, file in found.items() if name.startswith(prefix)]
    have = sum(file["covered_lines"] + file["covered_branches"] for file in files)
    want = sum(file["num_statements"] + file["num_branches"] for file in files)
    percent = 100 * have / want
    print(f"branch coverage of {room or PACKAGE}: {percent:.1f} % (floor {floor:.0f} %)", flush=True)
    return bool(percent >= floor)


if __name__ == "__main__":
    sys.exit(main())
