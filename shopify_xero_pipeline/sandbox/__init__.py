"""A local Shopify and a local Xero that behave as the real ones do, with a shop whose trading is played on them."""
