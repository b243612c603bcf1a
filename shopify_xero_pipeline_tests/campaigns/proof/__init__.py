"""The proof of the books through the whole system: Xero's records at the end against Shopify's own figures."""
