"""`python -m oneiric_rq`, which is `oneiric-rq`."""

from oneiric_rq.cli import app

app()
