"""Let the audit log only grow, and name the request that each line was written in.

The database itself refuses to change or delete a line, but through two doors: a line's project or person may become
NULL, which is how a project that is gone for good is unlinked from its lines (`audit.unlink`); and lines may go in a
transaction that has a row in `audit_doors`, which is how those go that are older than they are kept (`audit.forget`).

Safe while the previous release still runs: it only adds lines, without a request's id, and unlinks. A later migration
that rebuilds the table on SQLite must make the triggers again.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_append_only"
down_revision = "20261128_erasure"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNLINKED = """
    NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.action = OLD.action
    AND {detail}
    AND NEW.request_id {same} OLD.request_id
    AND (NEW.user_id IS NULL OR NEW.user_id {same} OLD.user_id)
    AND (NEW.project_id IS NULL OR NEW.project_id {same} OLD.project_id)
"""
ON_SQLITE = UNLINKED.format(same="IS", detail="NEW.detail = OLD.detail")
ON_POSTGRESQL = UNLINKED.format(same="IS NOT DISTINCT FROM", detail="NEW.detail::text = OLD.detail::text")
REFUSAL = "the audit log only grows"


def upgrade() -> None:
    op.create_table("audit_doors", sa.Column("id", Id, primary_key=True), sqlite_autoincrement=True)
    op.add_column("events", sa.Column("request_id", sa.String(40), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        for name, event in (
            ("events_are_kept", "DELETE ON events WHEN NOT EXISTS (SELECT 1 FROM audit_doors)"),
            ("events_stay", f"UPDATE ON events WHEN NOT ({ON_SQLITE})"),
        ):
            op.execute(f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")
        return
    op.execute(f"""
        CREATE FUNCTION events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND {ON_POSTGRESQL} THEN
                RETURN NEW;
            END IF;
            IF TG_OP = 'DELETE' AND EXISTS (SELECT 1 FROM audit_doors) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';
        END $$
    """)  # noqa: S608  # constants of this file
    for name, event, each in (
        ("events_stay", "UPDATE OR DELETE", "ROW"),
        ("events_are_kept", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON events FOR EACH {each} EXECUTE FUNCTION events_only_grow()"
        )


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for name in ("events_stay", "events_are_kept"):
        op.execute(f"DROP TRIGGER {name}" + (" ON events" if postgresql else ""))
    if postgresql:
        op.execute("DROP FUNCTION events_only_grow()")
    op.drop_column("events", "request_id")
    op.drop_table("audit_doors")
