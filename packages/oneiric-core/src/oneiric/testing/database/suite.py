"""The suite of the database contract, whole."""

from __future__ import annotations

from oneiric.testing.database.binding import BindingTests
from oneiric.testing.database.cancelling import CancelledCallTests
from oneiric.testing.database.capabilities import DatabaseCapabilityTests
from oneiric.testing.database.deadlines import DeadlineTests
from oneiric.testing.database.differential import DatabaseDifferentialTests
from oneiric.testing.database.errors import ErrorTests
from oneiric.testing.database.rows import RowTests
from oneiric.testing.database.savepoints import NestedTransactionTests
from oneiric.testing.database.streams import StreamTests
from oneiric.testing.database.transactions import TransactionTests
from oneiric.testing.database.values import ValueTests
from oneiric.testing.database.writes import WriteTests
from oneiric.testing.suite import AdapterSuite


class DatabaseSuite(
    RowTests,
    WriteTests,
    StreamTests,
    TransactionTests,
    NestedTransactionTests,
    BindingTests,
    ValueTests,
    ErrorTests,
    DeadlineTests,
    CancelledCallTests,
    DatabaseCapabilityTests,
    DatabaseDifferentialTests,
    AdapterSuite,
):
    """What holds for every database adapter.

    A subclass names its adapter and gives a config of a database that is empty, anew for each test. The attributes of
    `DatabaseTests` say which SQL the backend speaks.
    """
