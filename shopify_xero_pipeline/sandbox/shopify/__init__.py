"""A local Shopify: the GraphQL Admin API over a shop whose records come from a `ShopSource`."""
