"""What the tests share: a PostgreSQL server from the wheel, and a database of its own for each process of tests."""
