"""HTTP for all rooms: one time limit for a whole exchange, size limits for its response, the pauses of retries."""
