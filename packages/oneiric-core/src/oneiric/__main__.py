"""`python -m oneiric` is the `oneiric` command."""

from oneiric.cli import main

main()
