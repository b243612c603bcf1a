"""The Dagster UI behind a guard: what a browser of a stranger may ask of it, and how it is started.

Dagster's webserver carries out whatever reaches it: a GraphQL mutation in a GET of a foreign page, a request for a
foreign host, a materialisation reported by a form. This room refuses such requests before Dagster sees them. Who a
person is, and what a person may do, is for a proxy that signs people in.
"""
