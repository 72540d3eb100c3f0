"""The guards at the border: addresses that are called, files, bodies, text, headers. See `guards.py`."""

import app.api.bodies
import app.api.pages
import app.cli.wire
import app.core.addresses
import app.core.fetch
import app.core.filters
import app.core.logs
import app.core.text
import app.formats.sheets
import app.main
import app.services.archives
import app.services.courier
import app.services.webhooks
import app.web.pages
from tests.proofs.removals import (
    Guard,
    as_it_is,
    bodies_have_no_end,
    files_may_run,
    nothing,
    pictures_of_any_size,
    redirects_are_trusted,
)

LINES, FETCH = "tests.proofs.test_last_lines:test_", "tests.unit.core.test_fetch:test_"
BORDER = [
    Guard(
        "public addresses",
        lambda taken: taken.patch.setattr(app.core.addresses, "is_public", lambda _: True),
        "tests.unit.core.test_addresses:test_other_spellings_of_this_machine_are_refused_once_they_are_looked_up",
        {"spelling": "127.1"},
        databases=False,
    ),
    Guard(
        "addresses behind a redirect",
        redirects_are_trusted,
        FETCH + "a_redirect_to_a_closed_place_is_refused_and_nobody_is_called",
        {"status": 302},
        databases=False,
    ),
    Guard(
        "number of redirects",
        lambda taken: taken.patch.setattr(app.core.fetch, "REDIRECTS", 9),
        FETCH + "a_redirect_is_followed_three_times_and_not_more",
        {"ends": 99, "reached": False},
        databases=False,
    ),
    Guard(
        "size of what is fetched",
        lambda taken: taken.patch.setattr(
            app.core.fetch, "_write", lambda pieces, _length, file, _most: [file.write(each) for each in pieces]
        ),
        FETCH + "what_is_larger_than_allowed_ends_early",
        databases=False,
    ),
    Guard(
        "addresses of webhooks",
        lambda taken: taken.patch.setattr(app.services.webhooks, "_checked_url", lambda _, url: url),
        "tests.api.test_webhooks:test_addresses_that_may_not_be_called_are_refused_when_made_and_when_changed",
        {"url": "https://[::ffff:10.0.0.1]/", "words": "not of the public internet"},
    ),
    Guard(
        "signature of webhooks",
        lambda taken: taken.patch.setattr(app.services.courier, "signature", lambda *_: "0" * 64),
        "tests.api.test_webhooks:test_events_arrive_signed_and_in_order",
    ),
    Guard("size of a body", bodies_have_no_end, LINES + "a_body_ends_at_its_limit"),
    Guard(
        "entries that overlap in a ZIP",
        lambda taken: taken.patch.setattr(app.services.archives, "_refuse_overlaps", nothing),
        LINES + "a_zip_whose_entries_overlap_is_refused",
    ),
    Guard(
        "what a ZIP unpacks to",
        lambda taken: taken.patch.setattr(app.services.archives, "_Bounded", as_it_is),
        LINES + "a_zip_unpacks_to_no_more_than_is_allowed",
    ),
    Guard(
        "names in a ZIP",
        lambda taken: taken.patch.setattr(app.services.archives, "_refused", nothing),
        "tests.api.test_media:test_a_zips_damaged_and_wandering_entries_are_named_and_the_others_stored",
    ),
    Guard(
        "pixels of a picture",
        pictures_of_any_size,
        "tests.api.test_imports:test_pictures_that_would_fill_the_memory_are_refused",
    ),
    Guard(
        "inert files",
        files_may_run,
        "tests.api.test_imports:test_images_are_taken_in_from_files_and_zips_and_bad_ones_named",
    ),
    Guard(
        "headers of every answer",
        lambda taken: [taken.patch.delitem(app.main.HEADERS, name) for name in list(app.main.HEADERS)] and None,
        LINES + "every_answer_protects_the_browser",
    ),
    Guard(
        "content security policy",
        lambda taken: taken.patch.setattr(app.web.pages, "POLICY", "default-src *"),
        LINES + "a_page_runs_our_own_scripts_only",
    ),
    Guard(
        "text that a database holds",
        lambda taken: taken.everywhere(app.core.text.check_text, as_it_is),
        LINES + "no_text_gets_in_that_a_database_cannot_hold",
    ),
    Guard(
        "names of fields in a filter",
        lambda taken: taken.patch.setattr(app.core.filters, "_known", nothing),
        LINES + "a_filter_reaches_the_fields_of_the_list_alone",
    ),
    Guard(
        "formulas in a sheet",
        lambda taken: taken.patch.setattr(app.formats.sheets, "RUNS_IN_A_SPREADSHEET", ("\0",)),
        "tests.api.test_imports:test_a_csv_export_cannot_run_in_a_spreadsheet",
    ),
    Guard(
        "signature of a cursor",
        lambda taken: taken.patch.setattr(app.api.pages, "same", lambda *_: True),
        "tests.api.test_lists:test_a_cursor_is_good_for_its_own_list_and_person_only",
    ),
    Guard(
        "type of a body",
        lambda taken: taken.patch.setattr(app.api.bodies, "WrongType", lambda *_: app.api.bodies.Invalid("no")),
        LINES + "a_body_of_another_type_is_not_read",
    ),
    Guard(
        "Host",
        lambda taken: taken.patch.setattr(app.main, "is_served", lambda *_: True),
        LINES + "a_host_that_is_not_ours_is_refused",
    ),
    Guard(
        "JSON that a database holds",
        lambda taken: taken.everywhere(app.core.text.check_json, as_it_is),
        LINES + "no_json_gets_in_that_a_database_cannot_hold",
    ),
    Guard(
        "secrets of the log",
        lambda taken: taken.patch.setattr(app.core.logs.Lines, "_masked", lambda _, text: text),
        "tests.unit.core.test_logs:test_what_looks_like_a_secret_is_masked",
        {"text": "Authorization: Bearer abcdefgh12345678"},
        databases=False,
    ),
    Guard(
        "size of a head",
        lambda taken: taken.patch.setattr(app.cli.wire, "HEAD_BYTES", 10**9),
        "tests.unit.cli.test_wire:test_a_head_that_is_too_large_is_refused_in_the_form_of_all_refusals",
        {
            "sent": b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\nHost: x\r\nConnection: close\r\n\r\n",
            "status": b"431",
        },
        databases=False,
    ),
    Guard(
        "patience with a head",
        lambda taken: taken.patch.setattr(app.cli.wire.Connection, "_look", nothing),
        "tests.unit.cli.test_wire:test_a_head_that_does_not_come_is_not_waited_for",
        {"pieces": (b"GET / HTTP/1.1\r\n",)},
        databases=False,
    ),
]
