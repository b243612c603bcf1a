"""`shopify-xero serve`: how things stand, in words and in figures, and the doors for webhooks. Decides nothing."""
