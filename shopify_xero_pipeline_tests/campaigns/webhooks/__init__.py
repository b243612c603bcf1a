"""Thousands of webhook deliveries to a service over real sockets."""
