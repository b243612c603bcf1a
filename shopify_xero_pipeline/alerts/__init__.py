"""Alerts: what calls for a person, by which channel it is told, and what has been told to whom."""
