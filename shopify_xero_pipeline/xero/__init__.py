"""Xero, the target of the books, with client, rate limiter, sign-in, models, JSON and mirror. No accounting rules."""
