"""A small model of what Shopify documents about orders, written without a look at the sandbox or the books.

`histories.py` tells random histories, `nodes.py` shows each moment as the Admin GraphQL API would, `facts.py` states in
whole minor units what Shopify says of it. `source.py` lets the sandbox trade such histories as a shop.
"""
