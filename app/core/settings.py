"""Every setting of the service, from `LABELWISE_...` variables or a `.env` file; units are in the names."""

import os
import sys
from collections.abc import Collection
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core import hosts
from app.core.addresses import Allowed
from app.core.places import parse_options, parse_roots

PREFIX = "LABELWISE_"
NOT_SETTINGS = {  # of the client, of the tests, and of a parent process for its children
    "LABELWISE_URL",
    "LABELWISE_TOKEN",
    "LABELWISE_DATA_SETS",
    "LABELWISE_TEST_DATABASE_URL",
    "LABELWISE_PARENT_PIPE",
}


def default_data_folder() -> Path:
    """The user's data folder by the custom of the system."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "labelwise"
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "labelwise"


class Settings(BaseSettings):
    """One screen of settings; no default where a default would be dangerous."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="forbid", frozen=True)

    data: Path = Field(default_factory=default_data_folder)  # database file, media, features, models
    database_url: SecretStr | None = None  # SQLite in the data folder unless set
    secret_key: SecretStr | None = None  # made once in the data folder unless set; 32 characters at least
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    web_processes: int = Field(1, ge=1, le=64)
    worker: bool = True  # `serve` starts and watches one worker
    insecure_http: bool = False  # allow sign-in over plain http on other addresses than loopback
    open_docs: bool = False  # show /metrics and the OpenAPI file without sign-in
    allowed_hosts: str = ""  # names that the service is called by, comma-separated; any unless set
    trusted_proxies: str = ""  # addresses whose X-Forwarded-* headers are believed, comma-separated
    allow_fetch_from: str = ""  # HOST[:PORT] names that item addresses may point to besides public ones
    text_encoder: str = ""  # folder of a sentence encoder that `auto` takes for texts where it is fast enough
    buckets: str = ""  # NAME=s3://bucket/folder, comma-separated: the places that files may be read from in place
    bucket_options: SecretStr | None = None  # by bucket, JSON or the path of a JSON file: endpoints, keys
    dask_scheduler: str = ""  # tcp://host:8786: where a worker has large pools scored
    shards_address: str = ""  # s3://bucket/features: where Dask workers without the data folder fetch its features
    shards_cache_bytes: int = Field(100_000_000_000, gt=0)  # that fetched features may take on each of them
    whole_pool_items: int = Field(1_000_000, gt=0)  # larger ones are looked at in parts, or by Dask
    lease_seconds: int = Field(900, gt=0)  # how long one annotator keeps an item
    job_lease_seconds: float = Field(15, gt=0)  # a worker that is silent for longer has lost its job
    session_days: float = Field(7, gt=0, le=366)  # how long a sign-in lasts at most, and without use
    session_idle_hours: float = Field(12, gt=0, le=8_784)
    json_body_bytes: int = Field(1_000_000, gt=0)
    import_line_bytes: int = Field(10_000_000, gt=0)
    import_body_bytes: int = Field(64_000_000_000, gt=0)
    media_file_bytes: int = Field(200_000_000, gt=0)
    media_bytes: int = Field(0, ge=0)  # all stored files together; 0: as the disk allows
    thumbnail_bytes: int = Field(1_000_000_000, gt=0)  # all that are kept together
    image_megapixels: float = Field(40, gt=0)
    clip_seconds: float = Field(3_600, gt=0)  # the longest sound or video that is taken
    clip_megapixels: float = Field(9, gt=0)  # of one picture of a video: 4K is 8.3
    archive_entries: int = Field(200_000, gt=0)
    archive_bytes: int = Field(20_000_000_000, gt=0)  # what a ZIP may unpack to
    text_code_points: int = Field(1_000_000, gt=0)
    select_items: int = Field(10_000, gt=0, le=30_000)  # the most of one selection
    metadata_bytes: int = Field(65_536, gt=0)
    sign_in_failures_per_minute: int = Field(10, gt=0)
    keep_audit_days: float = Field(365, ge=0)  # lines of the audit log; 0 keeps for ever, here and below
    keep_jobs_days: float = Field(90, ge=0)  # finished jobs with their rejected rows, and what an undo needs
    keep_deliveries_days: float = Field(7, ge=0)  # webhook events that were delivered
    keep_media_days: float = Field(0, ge=0)  # files of a project after it was closed

    @field_validator("allow_fetch_from")
    @classmethod
    def _hosts(cls, value: str) -> str:
        Allowed.parse(value)  # a bad one stops the start, not the first import
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: str) -> str:
        hosts.parse_allowed(value)
        return value

    @field_validator("buckets")
    @classmethod
    def _places(cls, value: str) -> str:
        parse_roots(value)
        return value

    @field_validator("bucket_options")
    @classmethod
    def _options(cls, value: SecretStr | None) -> SecretStr | None:
        parse_options(value.get_secret_value() if value else None)
        return value

    @property
    def url(self) -> str:
        """The database's SQLAlchemy address."""
        if self.database_url is None:
            return f"sqlite:///{self.data / 'labelwise.db'}"
        url = self.database_url.get_secret_value()
        for scheme in ("postgresql://", "postgres://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        return url


def unknown_variables(also_known: Collection[str] = ()) -> list[str]:
    """`LABELWISE_...` variables of the process that name no setting; the library itself ignores them."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS | set(also_known)
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
