"""Engines lent to stores one after the other, so that a statement is compiled once and not at each restart.

A new process is a new store on the same file. What its engine knows of SQL is worth keeping between them; its one
connection is not, and is closed when the process ends. (The product's own engines open a connection for each
transaction, which costs as much as the transaction.) A copy of this whole process, made to die at a point, must not
touch the connections it was copied with: they are left open and never used again.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import QueuePool

from shopify_xero_pipeline.state import database

Hooks = tuple[Callable[[Connection], None], Callable[[Connection], None]]


class Link(sqlite3.Connection):
    """A connection that does nothing any more in a copy of the process that opened it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.opened_by = os.getpid()

    def commit(self) -> None:
        """Commit, if this process opened the connection."""
        if self.opened_by == os.getpid():
            super().commit()

    def rollback(self) -> None:
        """Roll back, if this process opened the connection."""
        if self.opened_by == os.getpid():
            super().rollback()

    def close(self) -> None:
        """Close, if this process opened the connection."""
        if self.opened_by == os.getpid():
            super().close()


class Engines:
    """Engines on one SQLite file, free or lent.

    Attributes:
        path: the file; where it is moved to, the next connection goes.
        hooks: who is told of each transaction of an engine, before it begins and when it is about to commit.
        rest: lets simulated time pass while a lock is waited for.
    """

    def __init__(self) -> None:
        self.path = Path()
        self.hooks: dict[Engine, Hooks] = {}
        self.rest: Callable[[float], None] = lambda _seconds: None
        self._held: set[tuple[Path, str]] = set()
        self._free: list[Engine] = []
        self._links: list[Link] = []

    def lend(self, url: str, **options: Any) -> Engine:
        """Return a free engine, or a new one."""
        if self._free:
            engine = self._free.pop()
            engine.url = make_url(url)
            return engine
        given = options | {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 9, "creator": self._open}
        engine = create_engine(url, **given)
        # Before the product's own: when this is called, its transaction has not begun yet.
        event.listen(engine, "begin", lambda connection: self._tell(engine, 0, connection))
        event.listen(engine, "commit", lambda connection: self._tell(engine, 1, connection))
        return engine

    def give_back(self, engine: Engine) -> None:
        """Close an engine's connection and keep it for the next one."""
        self.hooks.pop(engine, None)
        engine.dispose()
        self._free.append(engine)

    def _tell(self, engine: Engine, which: int, connection: Connection) -> None:
        hooks = self.hooks.get(engine)
        if hooks is not None:
            hooks[which](connection)

    @contextmanager
    def lending(self, path: Path) -> Iterator[None]:
        """Let all stores that are opened meanwhile be on a file, with lent engines."""
        self.path = path
        sound = {name: vars(database)[name] for name in ("create_engine", "_hold_file")}
        vars(database).update({"create_engine": self.lend, "_hold_file": self._hold})
        try:
            yield
        finally:
            vars(database).update(sound)

    @contextmanager
    def _hold(self, path: Path, purpose: str, wait: int) -> Iterator[None]:
        """Stand for the lock file: held by one process at a time, waited for in simulated time."""
        mine = (path, purpose)
        for waited in count():
            if mine not in self._held:
                break
            if waited >= wait:
                raise database.LockTimeoutError(purpose)
            self.rest(1)
        self._held.add(mine)
        try:
            yield
        finally:
            self._held.discard(mine)

    def _open(self) -> Link:
        link = sqlite3.connect(self.path, timeout=10, factory=Link)
        self._links = [one for one in self._links if one.opened_by != os.getpid()] + [link]
        return link
