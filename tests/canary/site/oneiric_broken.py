"""A plugin that asks its backend for something as soon as it is imported, and says where."""

import os

raise ConnectionError(f"{os.environ.get('BROKEN_DSN', 'nowhere')} does not answer")
