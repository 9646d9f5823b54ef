"""The suite of task queues, in parts, and the tasks that its workers run."""
