"""Reconciliation of Shopify's ledger, the mapping and Xero's read-back, exact to the cent. No I/O, no clock."""
