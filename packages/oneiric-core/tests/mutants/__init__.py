"""Wrong adapters, each with the test of the kit that has to catch it."""
