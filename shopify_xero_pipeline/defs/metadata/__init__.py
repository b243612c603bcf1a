"""Metadata of runs for the Dagster UI: tables, diffs, links, statements.

These modules only render figures that other rooms compute, with ids, amounts, counts and order names. A customer's
name, address, e-mail or telephone number never reaches Dagster's event log. Tables are capped; the full lists are in
the stored change-sets and in the state store.
"""
