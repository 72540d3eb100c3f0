"""The Python client of Labelwise."""

from labelwise.client import Client, Job, LabelwiseError, Lease, Project, Report

__all__ = ["Client", "Job", "LabelwiseError", "Lease", "Project", "Report"]
