"""The suite of message buses, in parts."""
