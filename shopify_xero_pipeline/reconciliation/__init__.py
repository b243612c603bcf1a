"""The proof: Shopify's ledger, our mapping and Xero's read-back, compared to the cent. No I/O, no clock."""
