"""Reading a Shopify store: client, throttling, sign-in, models, GraphQL documents. Knows neither Xero nor Dagster."""
