"""Where files of this machine are: Dagster's home and the asset storage, and whether they can be used."""

import os
from pathlib import Path

from upath import UPath

from shopify_xero_pipeline.settings import LOCAL_FOLDER, LOCAL_PROTOCOLS, SettingsError, check_folder


def dagster_home() -> Path:
    """Return DAGSTER_HOME, by default `.local/dagster`."""
    return Path(os.environ.get("DAGSTER_HOME") or LOCAL_FOLDER / "dagster").expanduser().resolve()


def check_storage(storage: UPath) -> UPath:
    """Return where assets are stored, if they can be; of a bucket only its library is looked for.

    Raises:
        SettingsError: they cannot.
    """
    if storage.protocol in LOCAL_PROTOCOLS:
        check_folder("ASSET_STORAGE", Path(storage.path))
        return storage
    try:
        _ = storage.fs
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"ASSET_STORAGE names {storage.protocol}://, which cannot be used here ({error}): install what it needs, "
            "or name a folder."
        ) from None
    return storage
