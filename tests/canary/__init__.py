"""The canary test: unique strings in the place of every secret, which must not be found in anything that is shown."""
