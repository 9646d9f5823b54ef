"""Benchmarks: `python -m bench <suite>` from the top of the repository."""
