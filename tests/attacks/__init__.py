"""Attacks: hostile requests against a real server, black box, on SQLite and PostgreSQL.

`make attack` runs them; a single case is run by

    pytest tests/attacks -k a05                     # on both databases
    pytest tests/attacks -k "a05 and sqlite"
    pytest -n 2 --dist loadgroup tests/attacks      # both databases at once, a process each

One server with a worker is started for each database and test run (`labelwise serve`, `running.py`); it is spoken to
over HTTP alone, and its files and rows are looked at, never its objects. `site.py` sets the people up: A (admin), M
(manager of P1), R (its reviewer), U1 and U2 (annotators of P1), X (manager of P2 alone), and nobody.

Each test carries the ids of the cases that it stands for (`@case("A-05")`); `test_the_list.py` fails where a case of
the list has neither a test nor a line in a module's `NOT_HERE` that says why it does not apply.

**Rule zero** is checked of every answer and after every test, see `rules.py`: nobody gets more than a refusal out of
an attack, and nothing that it leaves behind spoils the service for the others. What a test has at hand:

- `site.A.get("/projects")`, `site.nobody.post(...)`: an answer of the API, held against rule zero at once.
  `may_be_busy` lets 503 with Retry-After pass, `patient` lets it take longer than two seconds.
- `site.U1.browser()`: the same person with a cookie and its CSRF token in place of a bearer token.
- `site.wire(bytes)`: what comes back for bytes that no client would send.
- `site.rows("SELECT ...")`, `site.log`, `site.data`: what the attack left behind.
- `site.canary` counts whoever comes to it; `site.secret` lies in a file outside the data folder; `site.marker` must
  never come into being.
"""
