"""`oneiric conformance`: the kit run against an installed adapter, in a process of its own, and the passport of that run."""
