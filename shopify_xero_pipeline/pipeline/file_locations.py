"""Local file locations, which are Dagster's home and the asset storage."""

import os
from pathlib import Path

from upath import UPath

from shopify_xero_pipeline.settings import LOCAL_FOLDER, LOCAL_PROTOCOLS, SettingsError, check_folder


def dagster_home() -> Path:
    """Return DAGSTER_HOME, by default `.local/dagster`."""
    return Path(os.environ.get("DAGSTER_HOME") or LOCAL_FOLDER / "dagster").expanduser().resolve()


def check_storage(storage: UPath) -> UPath:
    """Return the asset storage after a check; for a bucket, only its library is checked.

    Raises:
        SettingsError: the storage cannot be used.
    """
    if storage.protocol in LOCAL_PROTOCOLS:
        check_folder("ASSET_STORAGE", Path(storage.path))
        return storage
    try:
        _ = storage.fs
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"ASSET_STORAGE names {storage.protocol}://, which cannot be used here ({error}): install its library, "
            "or name a folder."
        ) from None
    return storage
