"""Accounting rules: map an order's sales ledger and transactions to Xero records, without I/O and without a clock."""
