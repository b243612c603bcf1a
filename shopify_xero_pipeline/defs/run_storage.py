"""Dagster's storage of runs and events on SQLite, with connections that stay open between two uses.

Dagster's SQLite classes make an engine and open the file for each event and each query. These subclasses only replace
that: files, tables and durability are Dagster's, so that either kind of class can use a DAGSTER_HOME at any time.
`dagster.yaml` names them. Their base classes are documented (https://docs.dagster.io/api/dagster/internals) in modules
whose names are private, so `test_rooms.py` permits them to this module alone. A class named in `dagster.yaml` does not
get the folder of its instance; it opens its files as soon as the instance registers itself.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage, SqlPollingEventWatcher
from dagster._core.storage.runs import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, QueuePool, create_engine

BUSY_SECONDS = 30
"""Time to wait for another process's transaction, as in Dagster's event storage."""

INDEX = "index"
"""Dagster's name of the file with the events of assets, checks and run statuses of all runs."""

END_OF_RUN = {dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}


class SqliteFile:
    """One SQLite file and its open connection.

    A second thread, or a transaction inside another one, gets a connection of its own, which is closed afterwards. A
    file that was replaced or moved away is opened anew. A forked process opens the file itself, because SQLite forbids
    the use of a connection of the parent.

    Args:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._engine: Engine | None = None
        self._identity: tuple[int, ...] = ()
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, which is committed at the end, or rolled back after an exception."""
        with self._open().begin() as connection:
            yield connection

    def close(self) -> None:
        """Close the connection; the next transaction opens the file again."""
        with self._lock:
            self._drop()

    def _open(self) -> Engine:
        with self._lock:
            if self._engine is None or self._identity != self._current_identity():
                self._drop()
                self._engine = create_engine(
                    f"sqlite:///{self._path}",
                    poolclass=QueuePool,
                    pool_size=1,
                    max_overflow=-1,
                    connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
                )
                with self._engine.connect():  # creates the file
                    self._identity = self._current_identity()
            return self._engine

    def _current_identity(self) -> tuple[int, ...]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        return os.getpid(), status.st_dev, status.st_ino

    def _drop(self) -> None:
        if self._engine is not None:
            is_forked = bool(self._identity) and self._identity[0] != os.getpid()
            self._engine.dispose(close=not is_forked)  # closing a parent's connection would damage its WAL file
            self._engine = None


class SqliteEventLog(SqliteEventLogStorage):
    """Dagster's event log, which keeps the file of all runs open, and the file of one run until that run ends.

    Args:
        inst_data: the entry of `dagster.yaml`.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._entry = inst_data
        self._one_at_a_time = threading.Lock()
        self._files: dict[str, SqliteFile] = {}
        self._tables: set[str] = set()
        self._secondary_indexes: set[str] = set()

    @classmethod
    def config_type(cls) -> Any:
        """Return the settings of the entry: none."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, _config: Any) -> "SqliteEventLog":
        """Return the event log of an entry of `dagster.yaml`."""
        return cls(inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Open `history/runs/` of an instance, Dagster's default folder."""
        super().__init__(str(Path(instance.root_directory) / "history" / "runs"), self._entry)
        super().register_instance(instance)
        self._watcher = SqlPollingEventWatcher(self)

    def run_connection(self, run_id: str | None = None) -> Any:
        """Return a context manager of a transaction in the file of a run."""
        return self._transaction(str(run_id), super().run_connection)

    def index_connection(self) -> AbstractContextManager[Connection]:
        """Return a context manager of a transaction in the file of all runs."""
        return self._transaction(INDEX, super().run_connection)

    @contextmanager
    def _transaction(self, shard: str, initialise: Callable[[str], Any]) -> Iterator[Connection]:
        with self._one_at_a_time:
            if shard not in self._files:
                with initialise(shard):
                    pass  # Dagster creates the file and its tables at its own first use of it
                self._close_other_runs(shard)
                self._files[shard] = SqliteFile(self.path_for_shard(shard))
            with self._files[shard].transaction() as connection:
                yield connection

    def _close_other_runs(self, shard: str) -> None:
        for other in [name for name in self._files if name not in {INDEX, shard}]:
            self._files.pop(other).close()

    def store_event(self, event: Any) -> None:
        """Store an event; close the file of a run that it ends."""
        super().store_event(event)
        if event.is_dagster_event and event.dagster_event_type in END_OF_RUN:
            with self._one_at_a_time:
                self._close_other_runs(INDEX)

    def has_table(self, table_name: str) -> bool:
        """Return whether the file of all runs has a table; Dagster asks for each event of an asset or check."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def has_secondary_index(self, name: str) -> bool:
        """Return whether a migration of Dagster's data is complete; it stays so."""
        if name not in self._secondary_indexes and super().has_secondary_index(name):
            self._secondary_indexes.add(name)
        return name in self._secondary_indexes

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        """Report new events of a run, found by queries: a commit does not change the file that Dagster watches."""
        self._watcher.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Any) -> None:
        """Stop to report the events of a run."""
        self._watcher.unwatch_run(run_id, handler)

    def upgrade(self) -> None:
        """Migrate the files to Dagster's present schema."""
        self._close()
        super().upgrade()
        self._close()

    def wipe(self) -> None:
        """Delete all events."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close all files and end the watcher."""
        self._watcher.close()
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._one_at_a_time:
            while self._files:
                self._files.popitem()[1].close()
            self._tables.clear()
            self._secondary_indexes.clear()


class SqliteRuns(SqliteRunStorage):
    """Dagster's list of runs, which keeps its file open.

    Args:
        inst_data: the entry of `dagster.yaml`.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._entry = inst_data

    @classmethod
    def config_type(cls) -> Any:
        """Return the settings of the entry: none."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, _config: Any) -> "SqliteRuns":
        """Return the list of an entry of `dagster.yaml`."""
        return cls(inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Open `history/runs.db` of an instance, Dagster's default file."""
        folder = Path(instance.root_directory) / "history"
        SqliteRunStorage.from_local(str(folder))  # creates the file and its tables, unless they exist
        self._file = SqliteFile(folder / "runs.db")
        super().__init__(f"sqlite:///{folder / 'runs.db'}", self._entry)
        super().register_instance(instance)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection in a transaction."""
        with self._file.transaction() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        super().dispose()
        self._file.close()
