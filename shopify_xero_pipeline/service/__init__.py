"""`shopify-xero serve`: health report, metrics and webhook endpoints over HTTP. This room decides nothing."""
