"""What is wrong, and where: the connection test."""

from oneiric.diagnostics.allowed import AllowedTargets
from oneiric.diagnostics.connection import check_connection
from oneiric.diagnostics.guard import refuse_for_good
from oneiric.diagnostics.result import ConnectionTest, Stage, StageName, StageStatus

__all__ = [
    "AllowedTargets",
    "ConnectionTest",
    "Stage",
    "StageName",
    "StageStatus",
    "check_connection",
    "refuse_for_good",
]
