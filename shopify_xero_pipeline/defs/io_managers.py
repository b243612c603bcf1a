"""The IO manager, which stores one JSON file a day for each asset on a disk or in a bucket.

A step stores each day as soon as it has its value, and its readers get a mapping that reads a day at each access,
in a run of one day as in a run of a range. The steps of a run share the days in memory, up to `JSON_IN_MEMORY`; so a
short run parses nothing, and the memory of a long one does not depend on its range. Decimals are exact and stored as
text. Orders contain names and addresses, so only the owner may read the files (mode 600) and enter their folders (mode
700).
"""

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from hashlib import blake2b
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import dagster as dg
from pydantic import TypeAdapter
from upath import UPath

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import Clock, SystemClock
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.shopify.models import Customer, Order, Product

STORED_TYPES: Mapping[str, TypeAdapter[Any]] = {
    "shopify/customers": TypeAdapter(list[Customer]),
    "shopify/products": TypeAdapter(list[Product]),
    "shopify/orders": TypeAdapter(list[Order]),
    **dict.fromkeys(
        ("changes/contacts", "changes/items", "changes/invoices", "changes/credit_notes", "changes/payments"),
        TypeAdapter(ChangeSet),
    ),
}
"""Types of a day's value by asset key."""

PLAIN_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_Day: TypeAlias = tuple[dg.AssetKey, str]
"""An asset and the partition key of a day."""

JSON_IN_MEMORY = 24_000_000
"""Size of the JSON of the days whose objects a run keeps, in bytes. Objects take several times as much; a day of 1,000
orders with its plans has about 20 MB."""

PERSONAL_DATA_KEYS = (
    dg.AssetKey(["shopify", "customers"]),
    dg.AssetKey(["shopify", "orders"]),
    dg.AssetKey(["changes", "contacts"]),
)
"""Assets with personal data. A deleted day is materialised again by the next run that needs it."""


class StoredDays(Mapping[date, Any]):
    """The values of an asset's days in one run; a day is read at each access.

    Args:
        manager: stores the days.
        asset: the key of the asset.
        keys: the partition keys of the days, in order.
    """

    def __init__(self, manager: "JsonIOManager", asset: dg.AssetKey, keys: Sequence[str]) -> None:
        self._manager, self._asset = manager, asset
        self._keys = {date.fromisoformat(key): key for key in keys}
        self._stored = set[date]()

    @property
    def is_stored(self) -> bool:
        """Whether this run has stored every day."""
        return self._stored == self._keys.keys()

    def store(self, day: date, value: object) -> None:
        """Write the value of a day, in place of an earlier one.

        Args:
            day: a day of the run.
            value: what `STORED_TYPES` has for the asset, or plain JSON.

        Raises:
            KeyError: the run does not have the day.
            dg.Failure: the storage cannot be written.
        """
        self._manager.store_day(self._asset, self._keys[day], value)
        self._stored.add(day)

    def __getitem__(self, day: date) -> Any:
        """Return the value of a day.

        Raises:
            KeyError: the run does not have the day.
            dg.Failure: the day cannot be read, or another run has replaced it.
        """
        return self._manager.read_day(self._asset, self._keys[day])

    def __contains__(self, day: object) -> bool:
        return day in self._keys  # without reading the day, as the method of `Mapping` would

    def __iter__(self) -> Iterator[date]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class JsonIOManager(dg.IOManager):
    """An IO manager with files `<asset key>/<day>.json` below a folder or bucket.

    Args:
        base_path: the folder or bucket.
        retention: age since the last write at which days with personal data are deleted; None for never.
        clock: clock of the host that dates the files.
        types: types of a day's value by asset key; an asset without a type has plain JSON.
    """

    def __init__(
        self,
        base_path: UPath,
        retention: timedelta | None = None,
        clock: Clock | None = None,
        types: Mapping[str, TypeAdapter[Any]] = STORED_TYPES,
    ) -> None:
        self._types = types
        self._base_path = base_path
        self._retention = retention
        self._clock = clock or SystemClock()
        self._run_id = ""
        self._cache = _DayCache(JSON_IN_MEMORY)
        self._digests: dict[_Day, bytes] = {}  # of the days that the run has stored
        self._has_purged = False

    def days(self, context: dg.AssetExecutionContext, asset: dg.AssetKey) -> StoredDays:
        """Return the days of a run, which its step stores one by one and then returns.

        Args:
            context: the context of the step.
            asset: one of its assets.
        """
        self._begin_run(context.run.run_id)
        return StoredDays(self, asset, context.partition_keys)

    def purge_before(self, before: datetime) -> int:
        """Delete the days with personal data that were last written before an instant; return their number."""
        old = [
            path
            for key in PERSONAL_DATA_KEYS
            for path in self._list_days(key.path)
            if _modified_at(path) < before.timestamp()
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def rewrite(self, asset: Sequence[str], change: Callable[[Any], Any]) -> int:
        """Rewrite the stored days of an asset; return the number of days that changed.

        Args:
            asset: path of the asset's key.
            change: returns the new JSON for a day's JSON, without changing it in place.
        """
        changed = 0
        for path in self._list_days(asset):
            if not path.name.endswith(".json"):
                path.unlink()  # the partial file of a run whose process died
                continue
            before = PLAIN_JSON.validate_json(path.read_bytes())
            after = change(before)
            if after != before:
                _write(path, after)
                changed += 1
        return changed

    def _list_days(self, asset: Sequence[str]) -> Iterator[UPath]:
        folder = self._base_path.joinpath(*asset)
        return iter(sorted(folder.iterdir(), key=str)) if folder.is_dir() else iter(())

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write every day's value, unless the step has stored the days itself.

        Raises:
            ValueError: the value lacks a day of the run, whose file would silently stay as it is, or has another one.
            dg.Failure: the storage cannot be written.
        """
        if obj is None:
            return
        expected = set(context.asset_partition_keys)
        is_complete = obj.is_stored if isinstance(obj, StoredDays) else True
        if {str(day) for day in obj} != expected or not is_complete:
            raise ValueError(f"{context.asset_key.to_user_string()} must return each of the days {sorted(expected)}")
        if not isinstance(obj, StoredDays):
            self._begin_run(context.run_id)
            for day, value in obj.items():
                self.store_day(context.asset_key, str(day), value)

    def load_input(self, context: dg.InputContext) -> StoredDays:
        """Return the days of the run, each read at its access.

        Raises:
            dg.Failure: a day was never materialised; the message names the asset to materialise.
        """
        self._begin_run(_run_id(context))
        asset, keys = context.asset_key, list(context.asset_partition_keys)
        with self._translate_os_errors():
            for key in keys:
                if (asset, key) not in self._digests and not self._path(asset, key).exists():
                    raise _missing(asset, key)
        return StoredDays(self, asset, keys)

    def store_day(self, asset: dg.AssetKey, key: str, value: object) -> None:
        """Write the value of a day, whole or not at all.

        Raises:
            dg.Failure: the storage cannot be written.
        """
        with self._translate_os_errors():
            if self._retention is not None and asset in PERSONAL_DATA_KEYS and not self._has_purged:
                self.purge_before(self._clock.now() - self._retention)
                self._has_purged = True  # once a run, because it looks at every stored day
            content = _write(self._path(asset, key), value)
        self._digests[asset, key] = _digest(content)
        self._cache.put((asset, key), value, len(content))

    def read_day(self, asset: dg.AssetKey, key: str) -> Any:
        """Return the value of a day, from memory if the run still has it there.

        Raises:
            dg.Failure: the day cannot be read, or another run has replaced it since this run stored it.
        """
        known = self._cache.get((asset, key))
        if known is not None:
            return known.value
        with self._translate_os_errors():
            value, content = self._read(asset, key)
        if self._digests.setdefault((asset, key), digest := _digest(content)) != digest:
            message = f"Another run has replaced {asset.to_user_string()} of {key} meanwhile: sync the days again."
            raise dg.Failure(message, allow_retries=False)
        self._cache.put((asset, key), value, len(content))
        return value

    def _begin_run(self, run_id: str) -> None:
        """Forget the days of an earlier run, because files may have changed."""
        if run_id != self._run_id:
            self._run_id, self._cache, self._has_purged = run_id, _DayCache(JSON_IN_MEMORY), False
            self._digests.clear()

    def _read(self, asset: dg.AssetKey, key: str) -> tuple[Any, bytes]:
        """Return the value of a day and its JSON."""
        path, name = self._path(asset, key), asset.to_user_string()
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _missing(asset, key) from None
        try:
            return self._types.get(name, PLAIN_JSON).validate_json(content), content
        except ValueError:  # also pydantic's ValidationError
            message = f"{path} is damaged: materialise {name} and its downstream assets for {key} again."
            raise dg.Failure(message, allow_retries=False) from None

    @contextmanager
    def _translate_os_errors(self) -> Iterator[None]:
        """Raise an `OSError` as a failure with a remedy."""
        try:
            yield
        except OSError as error:
            message = storage_errors.describe_os_error(error, f"ASSET_STORAGE ({self._base_path})")
            raise dg.Failure(message, allow_retries=False) from None

    def _path(self, key: dg.AssetKey, day: str) -> UPath:
        return self._base_path.joinpath(*key.path, f"{day}.json")


class _CachedDay(NamedTuple):
    """The value of a day and the size of its JSON in bytes."""

    value: Any
    size: int


class _DayCache:
    """The days that were used last, up to a size of their JSON; the last one stays whatever its size.

    Args:
        limit: the size in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._days: OrderedDict[_Day, _CachedDay] = OrderedDict()

    def get(self, day: _Day) -> _CachedDay | None:
        if day in self._days:
            self._days.move_to_end(day)
        return self._days.get(day)

    def put(self, day: _Day, value: object, size: int) -> None:
        replaced = self._days.pop(day, None)
        self._days[day] = _CachedDay(value, size)
        self._size += size - (replaced.size if replaced is not None else 0)
        while self._size > self._limit and len(self._days) > 1:
            self._size -= self._days.popitem(last=False)[1].size


def _missing(asset: dg.AssetKey, key: str) -> dg.Failure:
    message = f"{asset.to_user_string()} has no {key} yet: materialise it for that day first."
    return dg.Failure(message, allow_retries=False)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _run_id(context: dg.InputContext) -> str:
    """Return the id of the run that reads, or '' outside a run."""
    try:
        return str(context.step_context.run_id)
    except dg.DagsterInvariantViolationError:
        return ""


def _write(path: UPath, value: object) -> bytes:
    """Write a value as JSON, atomically, and return it; on a disk with mode 600, independently of the umask."""
    content = PLAIN_JSON.dump_json(value, indent=1)
    if path.protocol not in {"", "file"}:
        path.write_bytes(content)  # buckets write objects atomically and have their own access control
        return content
    file = Path(path.path)
    _make_folder(file.parent)
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")  # unique: two runs may write one day
    partial.touch(mode=0o600)
    partial.chmod(0o600)
    partial.write_bytes(content)
    partial.replace(file)
    return content


def _modified_at(path: UPath) -> float:
    """Return when a file was last written, in Unix time; infinity if another run has just deleted it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return inf


def _make_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 700, which `mkdir(parents=True)` does not give to parents."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
