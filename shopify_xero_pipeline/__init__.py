"""Keeps a Shopify store's books in Xero."""
