"""A small model of Shopify's documented order behaviour, written independently of the sandbox and the books.

`histories.py` generates random histories, `nodes.py` renders each moment in the form of the Admin GraphQL API, and
`facts.py` computes Shopify's figures in whole minor units. `source.py` lets the sandbox trade such histories as a shop.
"""
