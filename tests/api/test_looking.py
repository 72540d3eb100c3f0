"""A pool that is larger than what a round looks at as a whole: the part is said, and never holds what is closed."""

import numpy as np
from sqlalchemy import select, text

from app.db import QueueEntry, Round
from app.services import pool
from app.worker import WorkerProcess
from tests.api.test_loop import pets
from tests.api.test_worker import answer_some
from tests.conftest import Api


def test_a_large_pool_is_looked_at_in_turns_which_the_status_says(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.1)["id"]
    boss.push(project, pets(700))
    worker = WorkerProcess(api.settings.model_copy(update={"whole_pool_items": 500}), api.db)
    worker.run_waiting()
    first = boss.get(f"/projects/{project}/status").json()["strategy"]
    answer_some(boss, project, 20)

    with api.db.write() as session:
        session.execute(text("UPDATE jobs SET due_at = '2020-01-01 00:00:00' WHERE state = 'waiting'"))
    worker.run_waiting()

    second = boss.get(f"/projects/{project}/status").json()["strategy"]
    # None of the eleven blocks has the second turn.
    assert " of 700 items: turn 3 of 7, the best of the rounds before and new ones." in first
    assert " of 700 items: turn 3 of 7" in second
    with api.db.read() as session:
        last = session.execute(select(Round).order_by(Round.number.desc()).limit(1)).scalar_one()
        asked = np.fromiter(session.execute(select(QueueEntry.item_id)).scalars(), dtype=np.int64)
        closed = pool.not_candidates(session, project)
        none = pool.candidates_among(session, project, np.array([5_000]), 64)
        among = pool.candidates_among(session, project, np.array([1, 301]), 100)
    assert not len(none)
    assert last.model_file is not None
    kept = np.load((api.settings.data / "models" / str(project) / last.model_file).with_suffix(".kept.npy"))
    assert kept[0] == 700
    assert len(asked)
    assert set(asked.tolist()) <= set(kept[1:].tolist())
    assert not np.isin(asked, closed).any()
    everything = np.concatenate([np.arange(1, 101), np.arange(301, 401)])
    assert among.tolist() == np.setdiff1d(everything, closed).tolist()
