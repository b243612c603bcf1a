"""The modules in which the rooms meet, and what they say when something is wrong."""
