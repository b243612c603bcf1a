"""Small shops made after public reports of people who do this job elsewhere, played as their users play them.

`shops/` holds what does not change (people, products, chart of accounts, tax rates, `books.yaml`), `orders/` one state
of a shop's orders a file. `playing.py` puts a shop together.
"""
