"""The Python client of Labelwise."""

from labelwise.client import Client, Job, Lease, Project, Report
from labelwise.errors import LabelwiseError

__all__ = ["Client", "Job", "LabelwiseError", "Lease", "Project", "Report"]
