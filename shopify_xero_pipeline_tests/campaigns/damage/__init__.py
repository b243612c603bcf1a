"""Damage of every kind to the state store, which must be detected before anything is sent."""
