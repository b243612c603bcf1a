"""The command `dagster` with counters around SQLite, in a process of its own: `python -m … FILE ARGUMENTS`.

Counts are written to the file as JSON at the end of the process, by the name of the database file. The process is not
timed, because counting takes time.
"""

import atexit
import json
import runpy
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

COUNTS: defaultdict[str, Counter[str]] = defaultdict(Counter)


class CountedCursor(sqlite3.Cursor):
    """A cursor that counts statements."""

    def execute(self, *arguments: Any) -> "CountedCursor":
        """Execute a statement."""
        assert isinstance(self.connection, CountedConnection)
        self.connection.counts["statements"] += 1
        return super().execute(*arguments)


class CountedConnection(sqlite3.Connection):
    """A connection that counts its opening and its commits."""

    def __init__(self, database: str, *arguments: Any, **options: Any) -> None:
        super().__init__(database, *arguments, **options)
        self.counts = COUNTS[Path(database).name]
        self.counts["openings"] += 1

    def cursor(self, _factory: Any = None) -> Any:
        """Return a cursor."""
        return super().cursor(CountedCursor)

    def commit(self) -> None:
        """Commit."""
        self.counts["commits"] += self.in_transaction
        super().commit()


def _connect(connect: Callable[..., sqlite3.Connection], *values: Any, **options: Any) -> sqlite3.Connection:
    return connect(*values, **{**options, "factory": CountedConnection})


def main() -> None:
    """Run the command."""
    file, *arguments = sys.argv[1:]
    sqlite3.connect = sqlite3.dbapi2.connect = partial(_connect, sqlite3.connect)  # type: ignore[assignment]
    atexit.register(lambda: Path(file).write_text(json.dumps(COUNTS), encoding="utf-8"))
    sys.argv = ["dagster", *arguments]
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
