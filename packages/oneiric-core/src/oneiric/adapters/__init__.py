"""What adapters are, and the contract of each type."""
