"""Helpers that tests share: the staged sandbox, builders, hostile texts, a Postgres server. It contains no tests."""
