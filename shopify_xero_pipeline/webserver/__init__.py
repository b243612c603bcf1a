"""The Dagster UI behind a guard against requests that other sites make a browser send.

Dagster's webserver executes every request that reaches it: a GraphQL mutation in a GET from another site's page, a
request for another host, a materialization reported by a form. This room refuses such requests before Dagster gets
them. Authentication and permissions are the task of a reverse proxy.
"""
