"""A local Shopify and a local Xero with the behaviour of the real ones, and a generated shop that trades in them."""
