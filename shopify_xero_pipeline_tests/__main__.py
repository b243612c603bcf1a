"""`make test`: the whole suite on two processes, then branch coverage by room against its floor."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "shopify_xero_pipeline"
FLOORS = {"": 85.0, "books/": 95.0, "changes/": 95.0, "state/": 95.0, "xero/": 95.0}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage = ["--cov", PACKAGE, "--cov-branch", f"--cov-report=json:{report}", "--cov-report="]
        tests = subprocess.run([sys.executable, "-m", "pytest", "-n", "2", *coverage, *sys.argv[1:]], check=False)
        if tests.returncode or sys.argv[1:]:
            return tests.returncode
        return 0 if all([reaches(room, floor, report) for room, floor in FLOORS.items()]) else 1


def reaches(room: str, floor: float, report: Path) -> bool:
    prefix = f"{PACKAGE}/{room}"
    files = [
        found["summary"] for name, found in json.loads(report.read_text())["files"].items() if name.startswith(prefix)
    ]
    have = sum(file["covered_lines"] + file["covered_branches"] for file in files)
    want = sum(file["num_statements"] + file["num_branches"] for file in files)
    percent = 100 * have / want
    print(f"branch coverage of {room or PACKAGE}: {percent:.1f} % (floor {floor:.0f} %)")
    return percent >= floor


if __name__ == "__main__":
    sys.exit(main())
