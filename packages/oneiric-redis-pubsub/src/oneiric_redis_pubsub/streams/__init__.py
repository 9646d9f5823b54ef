"""The `redis-streams` adapter, in parts."""
