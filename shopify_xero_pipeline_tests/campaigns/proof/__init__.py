"""Proof of the books through the whole house: what Xero holds in the end, against Shopify's own figures."""
