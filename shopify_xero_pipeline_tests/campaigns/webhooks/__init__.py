"""Webhook deliveries by the thousand to a service that is killed again and again."""
