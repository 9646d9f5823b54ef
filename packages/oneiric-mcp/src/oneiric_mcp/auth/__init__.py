"""Who may do what over HTTP: bearer tokens, stored as hashes or signed by an issuer, and their scopes."""
