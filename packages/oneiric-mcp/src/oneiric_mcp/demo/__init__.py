"""`oneiric demo`: a real MCP server and client, and each installed adapter used on real data."""
