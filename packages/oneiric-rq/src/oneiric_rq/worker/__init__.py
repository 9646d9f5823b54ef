"""A worker of RQ's that runs listed tasks alone, and gives back what a worker that was killed had taken."""
