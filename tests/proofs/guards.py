"""Every guard of the service: how it is taken away, and the cheapest test that must miss it then.

A guard is one place where something bad is refused. The test is an ordinary one of the suite. To add a guard, add a
line; where no test misses it, `test_last_lines.py` is the place for one.
"""

import app.api.deps
import app.api.forms
import app.core.secrets
import app.db.migrate
import app.services.attempts
import app.services.leases
import app.services.passwords
import app.services.projects
import app.services.quota
import app.services.sessions
import app.services.tombstones
from app.db import BrowserSession, Token
from app.services import access, audit
from app.services.access import Person
from app.services.quota import Room
from tests.api import test_sessions
from tests.proofs.border import BORDER
from tests.proofs.removals import (
    Guard,
    a_year_later,
    answers_are_overwritten,
    any_key_is_new,
    any_lease_is_mine,
    any_row_is_visible,
    any_version_matches,
    anybody_is_manager,
    as_it_is,
    at_any_time,
    drop,
    earlier_answers_are_forgotten,
    inside,
    items_are_not_locked,
    leases_are_not_locked,
    links_are_never_used_up,
    links_never_end,
    many_may_be_alike,
    no_token_is_asked_for,
    nobody_is_an_admin,
    nothing,
    nothing_ends,
    refusals_repeat_what_was_sent,
    switched_off_is_let_in,
    transactions_begin_as_readers,
    unknown_fields_are_passed_over,
    who_left_stays,
)

ACCESS, LINES = "tests.api.test_access:test_", "tests.proofs.test_last_lines:test_"
LABELLING, FETCH = "tests.api.test_labelling:test_", "tests.unit.core.test_fetch:test_"
SESSIONS, QUOTA = "tests.api.test_sessions:test_", "tests.api.test_quota:test_"
MEETING = "tests.proofs.test_interleavings:test_no_order_of_two_transactions_breaks_a_promise"
STRANGER = "tests.api.test_accounts:test_a_stranger_with_an_account_gets_nothing_from_any_route_of_a_project"
CORRECTION = LABELLING + "a_correction_is_a_new_version_and_needs_the_old_ones_number"
GUARDS = [
    Guard("membership", anybody_is_manager, ACCESS + "projects_of_others_do_not_exist_and_roles_are_kept"),
    Guard(
        "rank of roles",
        lambda taken: [taken.patch.setitem(access.RANK, role, 3) for role in list(access.RANK)] and None,
        ACCESS + "projects_of_others_do_not_exist_and_roles_are_kept",
    ),
    Guard("visible rows", any_row_is_visible, STRANGER),
    Guard("sign-in", nobody_is_an_admin, ACCESS + "every_route_is_closed_to_strangers_but_for_a_short_list"),
    Guard(
        "scopes of a token",
        lambda taken: taken.patch.setattr(Person, "need", nothing),
        ACCESS + "a_token_without_the_scope_reads_nothing_anywhere",
    ),
    Guard(
        "reading needs its scope",
        lambda taken: taken.patch.setattr(app.api.deps, "_check_scopes", nothing),
        ACCESS + "a_token_that_only_reads_changes_nothing_anywhere",
    ),
    Guard(
        "CSRF token",
        lambda taken: taken.patch.setattr(app.api.deps, "same", lambda *_: True),
        ACCESS + "a_browser_needs_its_csrf_token_and_our_own_origin",
    ),
    Guard(
        "origin",
        lambda taken: taken.everywhere(app.api.deps.check_same_site, nothing),
        ACCESS + "a_browser_needs_its_csrf_token_and_our_own_origin",
    ),
    Guard(
        "login throttle",
        lambda taken: taken.everywhere(app.services.attempts._count, lambda *_: []),
        ACCESS + "wrong_passwords_are_slowed_down_and_never_echoed",
    ),
    Guard(
        "who is switched off", switched_off_is_let_in, LINES + "who_is_switched_off_is_out_at_once_also_with_a_token"
    ),
    Guard("last admin", inside("keep_an_admin"), ACCESS + "the_last_admin_and_the_last_manager_stay"),
    Guard(
        "last manager",
        lambda taken: taken.everywhere(app.services.projects._keep_a_manager, nothing),
        ACCESS + "the_last_admin_and_the_last_manager_stay",
    ),
    Guard("uses of a link", links_are_never_used_up, ACCESS + "an_invitation_lets_so_many_people_in"),
    Guard(
        "passwords",
        lambda taken: taken.everywhere(app.services.passwords.check, nothing),
        LINES + "a_short_password_is_refused",
    ),
    Guard(
        "hash of secrets",
        lambda taken: taken.everywhere(app.core.secrets.hashed, as_it_is),
        LINES + "no_secret_lies_in_the_database",
    ),
    Guard("who has left", who_left_stays, LINES + "who_has_left_a_project_stores_and_holds_nothing_there"),
    Guard(
        "idempotency key",
        any_key_is_new,
        "tests.api.test_accounts:test_a_keyed_request_creates_once_and_repeats_its_answer",
    ),
    Guard(
        "key of one answer", earlier_answers_are_forgotten, LINES + "a_key_is_of_one_answer_and_no_other_goes_under_it"
    ),
    Guard(
        "version of an answer",
        any_version_matches,
        LABELLING + "a_correction_is_a_new_version_and_needs_the_old_ones_number",
    ),
    Guard(
        "answers only grow",
        answers_are_overwritten,
        LABELLING + "a_correction_is_a_new_version_and_needs_the_old_ones_number",
    ),
    Guard("lease of another person", any_lease_is_mine, LABELLING + "another_persons_lease_does_not_exist"),
    Guard("lock of a lease", leases_are_not_locked, MEETING, {"meeting": "skip twice"}, databases=False),
    Guard("lock of an item", items_are_not_locked, MEETING, {"meeting": "submit and submit"}, databases=False),
    Guard(
        "one request of a person",
        lambda taken: taken.patch.setattr(app.services.leases, "one_request_at_a_time", at_any_time),
        MEETING,
        {"meeting": "next twice"},
        databases=False,
    ),
    Guard(
        "BEGIN IMMEDIATE",
        transactions_begin_as_readers,
        "tests.proofs.test_crowd:test_many_people_at_once_leave_a_history_that_the_rules_allow",
    ),
    Guard("slot has one holder", drop("uq_leases_slot"), LINES + "the_schema_refuses_a_second", {"what": "slot"}),
    Guard(
        "nobody has an item twice",
        drop("uq_leases_annotator"),
        LINES + "the_schema_refuses_a_second",
        {"what": "lease of a person"},
    ),
    Guard("one running round", drop("uq_jobs_running_round"), LINES + "the_schema_refuses_a_second", {"what": "round"}),
    Guard(
        "one waiting round", drop("uq_jobs_waiting_single"), LINES + "the_schema_refuses_a_second", {"what": "request"}
    ),
    Guard("one item a key", drop("uq_items_key"), LINES + "the_schema_refuses_a_second", {"what": "item of a key"}),
    Guard(
        "expiry of leases",
        lambda taken: taken.patch.setattr(app.services.leases, "expire", nothing),
        LABELLING + "a_late_answer_is_kept_as_extra_when_a_colleague_has_the_slot",
    ),
    Guard(
        "fence of a job",
        no_token_is_asked_for,
        "tests.api.test_worker:test_a_worker_that_was_only_slow_cannot_overwrite_its_successor",
    ),
    Guard(
        "the audit log stays",
        lambda taken: taken.execute("DROP TRIGGER events_stay"),
        "tests.proofs.test_audit_log:test_the_database_lets_no_line_change_or_go",
        {"deed": "UPDATE events SET action = 'nothing happened'"},
    ),
    Guard(
        "the audit log is kept",
        lambda taken: taken.execute("DROP TRIGGER events_are_kept"),
        "tests.proofs.test_audit_log:test_the_database_lets_no_line_change_or_go",
        {"deed": "DELETE FROM events"},
    ),
    Guard(
        "deeds are written down",
        lambda taken: taken.patch.setattr(audit, "record", nothing),
        "tests.proofs.test_audit_log:test_a_deed_is_one_line_with_who_did_it_in_which_request",
        {"deed": "token.created"},
    ),
    Guard(
        "sessions end with rights",
        lambda taken: taken.everywhere(app.services.sessions.end_all, nothing),
        SESSIONS + "sessions_end_on_every_change_of_rights",
        {"change": test_sessions._other_role},
    ),
    Guard(
        "sessions end without use",
        lambda taken: taken.everywhere(app.services.sessions.end_of, a_year_later),
        SESSIONS + "a_session_ends_twelve_hours_after_its_last_use",
    ),
    Guard(
        "sessions end with their setting",
        lambda taken: taken.everywhere(app.services.sessions.is_over, lambda *_: False),
        SESSIONS + "a_setting_that_is_made_smaller_ends_older_sessions",
    ),
    Guard(
        "quota while bytes come",
        lambda taken: taken.everywhere(app.services.quota.check, nothing),
        QUOTA + "bytes_are_counted_as_they_come_where_no_length_is_said",
    ),
    Guard(
        "quota among uploads",
        lambda taken: taken.everywhere(app.services.quota.room, lambda _, settings: Room(settings, None)),
        QUOTA + "uploads_at_the_same_time_share_what_is_left",
    ),
    Guard(
        "end of a form",
        lambda taken: taken.patch.setattr(app.api.forms._Form, "ended", property(lambda _: True, nothing)),
        QUOTA + "a_form_that_is_cut_off_stores_nothing",
        {"cut": 1},
    ),
    Guard("what is an admin's", inside("need_admin"), LINES + "what_belongs_to_admins_is_theirs_alone"),
    Guard("end of a token", nothing_ends, LINES + "what_lets_somebody_in_is_over_when_its_end_comes", {"kind": Token}),
    Guard(
        "end of a session",
        nothing_ends,
        LINES + "what_lets_somebody_in_is_over_when_its_end_comes",
        {"kind": BrowserSession},
    ),
    Guard("end of a link", links_never_end, LINES + "a_link_is_over_when_its_end_comes"),
    Guard("unknown fields", unknown_fields_are_passed_over, LINES + "a_field_that_nobody_knows_is_refused"),
    Guard(
        "silence of a refusal",
        refusals_repeat_what_was_sent,
        LINES + "a_refusal_repeats_nothing_of_what_was_sent",
    ),
    Guard(
        "who was erased stays so",
        lambda taken: taken.patch.setattr(app.services.tombstones, "_back", lambda *_: []),
        LINES + "who_was_erased_is_erased_again_where_an_older_copy_brought_it_back",
    ),
    Guard(
        "schema of a newer release",
        lambda taken: taken.patch.setattr(app.db.migrate, "check_known", nothing),
        "tests.unit.cli.test_care:test_a_newer_schema_is_refused_and_nothing_is_changed",
    ),
    Guard(
        "versions of an answer",
        many_may_be_alike("annotations"),
        LINES + "the_schema_refuses_a_second",
        {"what": "version of an answer"},
    ),
    Guard(
        "one answer of a request",
        many_may_be_alike("annotations"),
        LINES + "the_schema_refuses_a_second",
        {"what": "answer of a request"},
    ),
    *BORDER,
]
