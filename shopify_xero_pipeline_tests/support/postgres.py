"""A Postgres server for tests, in a temporary folder and on a Unix socket, until the end of the test session.

It runs without fsync, since these tests kill processes and not the machine. Its databases sort text by English rules,
so that a dependence on the sort order of the database shows.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

DEBIAN = Path("/usr/lib/postgresql")
OWNERS = ("postgres", "nobody")
ENGLISH = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = count(1)

    def new_database(self, options: str = "") -> str:
        """Create an empty database and return its name. It has a thousand files; most tests need a schema only."""
        name = f"store_{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0 {options or self._english}")
        return name

    def new_schema(self) -> str:
        """Create an empty schema in a shared database, and return the URL of a state store in it."""
        name = f"schema_{next(self.numbers)}"
        self.run(f"CREATE SCHEMA {name}", self.shared)
        return self.url(self.shared, options=f"-csearch_path%3D{name}")

    def url(self, database: str, user: str = "postgres", **options: str) -> str:
        parameters = "".join(f"&{name}={value}" for name, value in options.items())
        return f"postgresql://{user}@/{database}?host={self.folder}{parameters}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @cached_property
    def shared(self) -> str:
        return self.new_database()

    @cached_property
    def _english(self) -> str:
        query = "SELECT current_setting('server_version_num')::int, count(*) FROM pg_collation WHERE collprovider = 'i'"
        ((version, rules),) = self.run(query)
        return ENGLISH if version >= 150000 and rules else ""


def programs() -> Path | None:
    """Return the folder of `initdb`; None if Postgres is not installed."""
    initdb = shutil.which("initdb")
    packaged = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    candidates = [Path(initdb).resolve()] if initdb else packaged
    return candidates[-1].parent if candidates else None


@contextmanager
def running(binaries: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        owner = _owner(folder)
        data, log = folder / "data", folder / "log"
        _run(
            binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", **owner
        )
        _run(binaries / "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", f"-k {folder} -h '' -F", **owner)
        try:
            yield Server(folder)
        finally:
            _run(binaries / "pg_ctl", "stop", "-D", data, "-m", "immediate", **owner)
    finally:
        shutil.rmtree(folder)


def _owner(folder: Path) -> dict[str, Any]:
    """Return the user of the server and give it the folder, since Postgres refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    known = {person.pw_name: person for person in pwd.getpwall()}
    person = next(known[name] for name in OWNERS if name in known)
    os.chown(folder, person.pw_uid, person.pw_gid)
    return {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}


def _run(*command: object, **owner: Any) -> None:
    words = [str(word) for word in command]
    # No pipe: the server that pg_ctl starts would hold it open.
    subprocess.run(words, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **owner)
