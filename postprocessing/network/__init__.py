"""Two computers: messages as bytes, one-time authentication, and a session over TCP."""
