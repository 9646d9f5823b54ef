"""What is wrong, and where: the connection test, the health of instances, the doctor."""

from oneiric.diagnostics.allowed import AllowedTargets
from oneiric.diagnostics.connection import check_connection
from oneiric.diagnostics.doctor import diagnose
from oneiric.diagnostics.findings import Diagnosis, Finding, Section, Verdict
from oneiric.diagnostics.guard import refuse_for_good
from oneiric.diagnostics.health import InstanceHealth, check_health
from oneiric.diagnostics.result import ConnectionTest, Stage, StageName, StageStatus

__all__ = [
    "AllowedTargets",
    "ConnectionTest",
    "Diagnosis",
    "Finding",
    "InstanceHealth",
    "Section",
    "Stage",
    "StageName",
    "StageStatus",
    "Verdict",
    "check_connection",
    "check_health",
    "diagnose",
    "refuse_for_good",
]
