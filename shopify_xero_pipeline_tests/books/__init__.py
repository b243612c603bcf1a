"""Tests of the books: an order's history in, documents and payments out."""
