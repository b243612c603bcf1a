"""Dagster objects of one installation; the project itself has none.

`dg scaffold defs dagster.asset NAME.py` adds a module here, and the code location loads the objects of all modules. An
asset in none of the groups `shopify`, `changes`, `xero` and `books` stays out of the syncs. `settings/defs.yaml` only
names the settings for `dg list env`.
"""
