"""Qdrant Edge, in a process of its own: its calls keep Python's global lock, so in a thread they would stop everything."""
