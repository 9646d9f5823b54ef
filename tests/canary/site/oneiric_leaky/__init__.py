"""An adapter that repeats its secrets wherever anybody could."""
