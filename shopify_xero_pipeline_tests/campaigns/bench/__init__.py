"""What a day with few new orders costs, by the number of earlier orders in the books (`make bench`).

A real sync fills a state store with a few orders. Their rows are copied until the store has the wanted number of
earlier orders. Then one day with new orders is synced, and the same day again, with counters around the store.
"""
