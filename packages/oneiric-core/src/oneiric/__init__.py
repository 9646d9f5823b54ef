"""Oneiric: one small async contract for each kind of backend, and each backend one pip package that fulfils it."""
