"""Reader of a Shopify store, with client, rate limit, authentication, models and queries; free of Xero and Dagster."""
