"""Tests of the local Shopify."""
