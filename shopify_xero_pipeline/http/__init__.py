"""HTTP for all rooms, with one time limit for a whole exchange and size limits for its response."""
