"""The Python client of Labelwise."""

from labelwise.client import Client, Project
from labelwise.errors import LabelwiseError
from labelwise.handles import Job, Lease
from labelwise.report import Report
from labelwise.signatures import is_genuine, sign
from labelwise.simulations import Simulation
from labelwise.snapshots import Snapshot

__all__ = [
    "Client",
    "Job",
    "LabelwiseError",
    "Lease",
    "Project",
    "Report",
    "Simulation",
    "Snapshot",
    "is_genuine",
    "sign",
]
