"""The kills of benchmarks/faults in short form: what the clients were told is compared with what is stored."""

import pytest

from benchmarks.faults import guards, server_kills, worker_kills
from benchmarks.faults.outcome import Run

pytestmark = pytest.mark.xdist_group("kills")


def test_no_acknowledged_answer_is_lost_or_doubled_when_the_server_is_killed_five_times() -> None:
    outcome = server_kills.run(Run(times=5, people=6))

    assert outcome.violations == []
    assert outcome.figures["acknowledged"] > 50
    assert set(outcome.figures["statuses"]) <= {200, 201, 503}


@pytest.mark.night
def test_the_same_kills_find_out_a_server_that_answers_before_it_commits() -> None:
    def found() -> bool:  # by chance no answer is under way at either kill
        outcome = server_kills.run(Run(times=2, people=4, without="commit_first"))
        return any("changed" in each or "lost" in each for each in outcome.violations)

    assert any(found() for _ in range(5))


@pytest.mark.night
def test_every_job_ends_whole_when_the_worker_is_killed_five_times() -> None:
    outcome = worker_kills.run(Run(times=5, people=4))

    assert outcome.violations == []
    assert outcome.figures["orders looked at"] > 50


def test_what_a_guard_is_taken_from_is_put_back() -> None:
    whole = vars(guards.Writer)["_run"]
    for name in guards.GUARDS:
        guards.remove(name)
        guards.restore()

    assert vars(guards.Writer)["_run"] is whole
    assert guards.TAKEN == []
