"""What goes wrong with a store as a whole.

```
StoreError
├── StoreInUse    another process has it open
└── MoveFailed    it stays where it was
```
"""

from __future__ import annotations


class StoreError(RuntimeError):
    """Base of both."""


class StoreInUse(StoreError):
    """Another process has the store open: it might move it while this one writes."""


class MoveFailed(StoreError):
    """A store can't be moved as asked, or the copy is not whole. It stays where it was, and goes on."""
