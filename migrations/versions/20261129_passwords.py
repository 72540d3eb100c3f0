"""Let a one-time link be one with which a forgotten password is chosen anew.

Safe while the previous release still runs: it neither makes nor takes links of this kind. The table of SQLite is built
anew, because it cannot change a constraint in place.
"""

from alembic import op

from app.db.rebuild import rebuild

revision = "20261129_passwords"
down_revision = "20261129_audit_requests"
branch_labels = None
depends_on = None

KINDS = "kind IN ('setup', 'invitation', 'sign_in')"
MORE_KINDS = "kind IN ('setup', 'invitation', 'sign_in', 'password')"


def upgrade() -> None:
    _kinds(KINDS, MORE_KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM one_time_links WHERE kind = 'password'")
    _kinds(MORE_KINDS, KINDS)


def _kinds(before: str, after: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        rebuild(op.get_bind(), "one_time_links", before, after)
    else:
        op.drop_constraint("ck_one_time_links_kind", "one_time_links", type_="check")
        op.create_check_constraint("ck_one_time_links_kind", "one_time_links", after)
