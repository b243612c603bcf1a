"""Tests of the local Shopify, the local Xero and the generated shop."""
