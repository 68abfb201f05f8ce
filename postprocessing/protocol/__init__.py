"""Two parties, their public messages, and the transcript that is the leakage account."""
