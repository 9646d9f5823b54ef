"""`python -m oneiric_celery`, which is `oneiric-celery`."""

from __future__ import annotations

from oneiric_celery.command import app

if __name__ == "__main__":
    app()
