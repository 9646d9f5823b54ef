"""The vector adapter, on pgvector."""
