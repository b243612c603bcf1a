"""Dagster end to end: a real daemon, real runs, a sandbox over HTTP, and something that dies on the way."""
