"""A local Shopify, the GraphQL Admin API over the records of a `ShopSource`."""
