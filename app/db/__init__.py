"""The tables, one file per noun, and the database that holds them."""

from app.db.annotations import Annotation, is_newest
from app.db.base import Base, reads
from app.db.buckets import BucketGrant
from app.db.edits import Edit
from app.db.events import AuditDoor, Event, KeyedRequest
from app.db.guidelines import Guidelines
from app.db.items import ClientFeature, FeatureSet, FeatureShard, Item, Media, PendingFeature
from app.db.jobs import Job, RejectedRow, Worker
from app.db.leases import AuditDraw, AuditFrame, Flag, Lease, Selected
from app.db.predictions import PredictionSet, PredictionShard
from app.db.projects import Member, Project, ProjectClass, Serving
from app.db.rounds import Prediction, QueueEntry, Round, RoundRecord
from app.db.scorers import ScorerSecret
from app.db.search import ItemNumber, SearchIndex
from app.db.session import Database, ReadSession
from app.db.simulations import Simulation, SimulationRun
from app.db.snapshots import Snapshot
from app.db.statistics import count_anew
from app.db.tallies import ItemTally
from app.db.users import BrowserSession, OneTimeLink, SignInFailure, Token, User
from app.db.webhooks import Delivery, Webhook
from app.db.writer import WriteSession

__all__ = [
    "Annotation",
    "AuditDoor",
    "AuditDraw",
    "AuditFrame",
    "Base",
    "BrowserSession",
    "BucketGrant",
    "ClientFeature",
    "Database",
    "Delivery",
    "Edit",
    "Event",
    "FeatureSet",
    "FeatureShard",
    "Flag",
    "Guidelines",
    "Item",
    "ItemNumber",
    "ItemTally",
    "Job",
    "KeyedRequest",
    "Lease",
    "Media",
    "Member",
    "OneTimeLink",
    "PendingFeature",
    "Prediction",
    "PredictionSet",
    "PredictionShard",
    "Project",
    "ProjectClass",
    "QueueEntry",
    "ReadSession",
    "RejectedRow",
    "Round",
    "RoundRecord",
    "ScorerSecret",
    "SearchIndex",
    "Selected",
    "Serving",
    "SignInFailure",
    "Simulation",
    "SimulationRun",
    "Snapshot",
    "Token",
    "User",
    "Webhook",
    "Worker",
    "WriteSession",
    "count_anew",
    "is_newest",
    "reads",
]
