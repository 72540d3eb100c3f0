"""A model that is trained elsewhere: its round waits, its predictions are pushed, and the order follows them."""

import json
from typing import Any

import numpy as np
import pytest

from app.db import Job
from app.services import projects
from app.strategies import Need
from app.strategies.pool.uncertainty import Margin
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker

LINES = {"Content-Type": "application/x-ndjson"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
SURE = [0.9, 0.1]


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def external(boss: Speaker, count: int = 60, **given: Any) -> int:
    """A project whose model is outside, with its first order published."""
    settings = {"audit_share": 0, "blind_share": 0, "round_size": 4, "strategy": {"name": "margin"}} | given
    project: int = boss.project(learner={"name": "external"}, **settings)["id"]
    boss.push(project, pets(count))
    return project


def answer(boss: Speaker, project: int, count: int) -> list[str]:
    """Label the next items by the beginning of their keys; the keys."""
    keys = []
    for _ in range(count):
        [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        keys.append(lease["item"]["key"])
        stored = boss.post("/annotations", json={"lease": lease["id"], "label": {"class": keys[-1][:3]}})
        assert stored.status_code == 201, stored.text
    return keys


def waiting(api: Api, boss: Speaker, **given: Any) -> tuple[int, list[str]]:
    """A project whose second round waits for predictions, and what was answered."""
    project = external(boss, **given)
    api.worker().run_waiting()
    keys = answer(boss, project, 6)
    api.run_jobs_until(lambda: status(boss, project)["round"]["state"] == "waiting_for_predictions")
    return project, keys


def push(boss: Speaker, project: int, rows: list[Any], *, version: str = "1", **query: Any) -> Any:
    body = "".join(json.dumps(row) + "\n" for row in rows)
    params = {"model": "bert", "version": version, "complete": True, **query}
    return boss.post(f"/projects/{project}/predictions", content=body, params=params, headers=LINES)


def served(boss: Speaker, project: int, count: int = 5) -> list[str]:
    """The keys that come next, given back at once."""
    leases = boss.post(f"/projects/{project}/leases", json={"count": count}).json()["leases"]
    boss.delete(f"/projects/{project}/leases")
    return [each["item"]["key"] for each in leases]


def status(boss: Speaker, project: int) -> dict[str, Any]:
    found: dict[str, Any] = boss.get(f"/projects/{project}/status").json()
    return found


def all_keys() -> list[str]:
    return [row["key"] for row in pets(60)]


def test_a_due_round_waits_says_so_and_gives_out_what_it_learns_from(api: Api, boss: Speaker) -> None:
    project, keys = waiting(api, boss)

    found = status(boss, project)
    waits = boss.get(f"/projects/{project}/rounds/2").json()
    labels = [json.loads(line) for line in boss.get(f"/projects/{project}/rounds/2/labels").text.splitlines()]

    assert (found["round"]["state"], found["round"]["number"], found["round"]["labels"]) == (
        "waiting_for_predictions",
        2,
        6,
    )
    assert found["round"]["reason"].startswith("Round 2 waits for the predictions of your own model, taught with 6")
    assert "learn_with" in found["round"]["reason"]
    assert (waits["state"], len(waits["annotations"]), waits["labels"]) == ("waiting_for_predictions", 6, 6)
    assert sorted(row["key"] for row in labels) == sorted(keys)
    assert all(row["label"] == {"class": row["key"][:3]} and row["text"] for row in labels)
    assert boss.get(f"/projects/{project}/overview").json()["rounds"][0]["state"] == "waiting_for_predictions"


def test_the_first_order_covers_the_pool_without_any_model(api: Api, boss: Speaker) -> None:
    project = external(boss, strategy={"name": "auto"})
    api.worker().run_waiting()

    first = boss.get(f"/projects/{project}/rounds/1").json()

    assert (first["state"], first["strategy"]) == ("done", "coverage")
    assert len(served(boss, project)) == 5


def test_imported_labels_make_the_round_after_the_first_order_wait_at_once(api: Api, boss: Speaker) -> None:
    project = boss.project(learner={"name": "external"}, audit_share=0)["id"]
    boss.push(project, [{**row, "label": row["key"][:3]} if n < 40 else row for n, row in enumerate(pets(80))])
    api.run_jobs_until(lambda: status(boss, project)["round"]["state"] == "waiting_for_predictions")

    found = status(boss, project)

    assert (found["queue"]["round"], found["round"]["labels"]) == (1, 40)


def test_labels_that_only_judge_do_not_make_a_round_wait(api: Api, boss: Speaker) -> None:
    project = boss.project(learner={"name": "external"}, audit_share=0, round_size=4)["id"]
    boss.push(project, [{**row, "label": row["key"][:3], "split": "audit"} for row in pets(10)])
    boss.push(project, [{"key": f"new-{n}", "text": f"a pet of some kind {n}"} for n in range(40)])
    api.run_jobs()

    found = boss.get(f"/projects/{project}/rounds").json()["items"]

    assert {row["state"] for row in found} == {"done"}
    assert {row["strategy"] for row in found} == {"coverage"}


def test_complete_predictions_order_the_pool_by_the_projects_strategy(api: Api, boss: Speaker) -> None:
    project, keys = waiting(api, boss)
    left = [key for key in all_keys() if key not in keys]
    closest = left[10:15]  # the smaller the gap, the sooner
    gaps = {key: 0.01 * (place + 1) for place, key in enumerate(closest)}
    rows = [{"key": k, "probabilities": dict(zip(("cat", "dog"), race(gaps.get(k)), strict=True))} for k in left]

    pushed = push(boss, project, rows, round=2)
    api.worker().run_waiting()

    assert pushed.status_code == 200, pushed.text
    assert (pushed.json()["rows"], pushed.json()["rejected_count"], pushed.json()["state"]) == (54, 0, "complete")
    assert served(boss, project) == closest
    second = boss.get(f"/projects/{project}/rounds/2").json()
    assert (second["state"], second["strategy"], second["model"], second["labels"]) == ("done", "margin", "bert 1", 6)
    assert status(boss, project)["queue"]["round"] == 2


def race(gap: float | None) -> list[float]:
    return SURE if gap is None else [0.5 + gap / 2, 0.5 - gap / 2]


def test_a_lease_shows_the_outside_models_suggestion_and_words(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    push(boss, project, [{"key": key, "label": "dog", "score": 0.7} for key in all_keys()])
    api.worker().run_waiting()

    [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]

    assert lease["suggestion"] == {"label": {"class": "dog"}, "probability": 0.7}
    assert lease["reason"]["words"] == "hesitates: dog 70 %, cat 30 %"


def test_items_without_a_row_keep_their_old_place(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    before = served(boss, project, 40)
    kept = [before[0], before[3]]

    push(boss, project, [{"key": key, "probabilities": SURE} for key in all_keys() if key not in kept])
    api.worker().run_waiting()

    after = served(boss, project, 40)
    assert (after[0], after[3]) == (before[0], before[3])
    assert len(set(after)) == 40


def test_a_version_without_a_usable_row_leaves_the_one_before_in_use(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    push(boss, project, [{"key": key, "probabilities": SURE} for key in all_keys()])
    api.worker().run_waiting()
    before = served(boss, project)

    refused = push(boss, project, [{"key": "nobody", "probabilities": SURE}], version="2")
    api.worker().run_waiting()

    assert refused.status_code == 422
    assert "stays in use" in refused.json()["detail"]
    assert refused.json()["rejected"][0]["error"] == "there is no item with this key"
    assert served(boss, project) == before
    assert status(boss, project)["queue"]["round"] == 2


def test_chunks_make_one_version_that_counts_only_when_complete(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    rows = [{"key": key, "probabilities": SURE} for key in all_keys()]

    first = push(boss, project, rows[:30], complete=False)
    api.worker().run_waiting()
    between = status(boss, project)["round"]["state"]
    second = push(boss, project, rows[30:], complete=False)
    end = boss.post(
        f"/projects/{project}/predictions", params={"model": "bert", "version": "1", "complete": True}, content=b""
    )
    api.worker().run_waiting()

    assert (first.json()["state"], between, second.json()["rows"]) == ("open", "waiting_for_predictions", 60)
    assert (end.status_code, end.json()["rows"], end.json()["state"]) == (200, 60, "complete")
    assert status(boss, project)["queue"]["round"] == 2


def test_the_completing_request_sent_twice_is_one_and_another_body_is_refused(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    rows = [{"key": key, "probabilities": SURE} for key in all_keys()]

    first, again = push(boss, project, rows), push(boss, project, rows)
    other = push(boss, project, rows[:5])
    api.worker().run_waiting()
    late = push(boss, project, rows)

    assert (first.status_code, again.status_code, late.status_code) == (200, 200, 200)
    assert again.json()["rows"] == first.json()["rows"] == 60
    assert (other.status_code, other.json()["error"]) == (409, "Conflict")
    assert "push a new version" in other.json()["detail"]
    assert [row["number"] for row in boss.get(f"/projects/{project}/rounds").json()["items"]] == [2, 1]


def test_what_does_not_fit_the_project_is_refused_with_what_to_do(api: Api, boss: Speaker) -> None:
    own = boss.project()["id"]
    boss.push(own, pets(4))
    project, _ = waiting(api, boss)
    row = [{"key": "cat-0", "probabilities": SURE}]

    ranked = push(boss, own, row)
    late = push(boss, project, row, round=1)
    none = push(boss, project, row, round=9)
    use = push(boss, project, row, use="decide")
    person = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "reviewer"})

    assert (ranked.status_code, "set learner to external" in ranked.json()["detail"]) == (409, True)
    assert (late.status_code, "round 1 is done" in late.json()["detail"]) == (409, True)
    assert (none.status_code, "there is no round 9" in none.json()["detail"]) == (409, True)
    assert use.status_code == 422
    assert push(person, project, row).status_code == 403
    assert boss.post(f"/projects/{project}/rounds").json()["detail"].startswith("round 2 waits")


def test_versions_are_kept_and_listed(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    rows = [{"key": key, "probabilities": SURE} for key in all_keys()]
    push(boss, project, rows)
    push(boss, project, rows[:10], version="2", complete=False)

    found = boss.get(f"/projects/{project}/predictions", params={"limit": 1}).json()
    rest = boss.get(f"/projects/{project}/predictions", params={"cursor": found["next"]}).json()

    assert [(row["version"], row["state"], row["rows"]) for row in (*found["items"], *rest["items"])] == [
        ("2", "open", 10),
        ("1", "complete", 60),
    ]
    assert rest["items"][0]["bytes"] > 60 * 8
    assert rest["next"] is None


def test_audit_answers_judge_the_outside_model_and_are_not_given_to_it(api: Api, boss: Speaker) -> None:
    project = external(boss, count=120, audit_share=0.4, round_size=30)
    api.worker().run_waiting()
    answer(boss, project, 32)
    api.run_jobs_until(lambda: status(boss, project)["round"]["state"] == "waiting_for_predictions")
    labels = [json.loads(line) for line in boss.get(f"/projects/{project}/rounds/2/labels").text.splitlines()]
    audits = status(boss, project)["audit"]["answers"]
    every = [row["key"] for row in pets(120)]
    wrong = {key for place, key in enumerate(every) if place % 4 == 0}

    right = {"cat": [0.9, 0.1], "dog": [0.1, 0.9]}
    push(boss, project, [{"key": k, "probabilities": right[k[:3]][:: -1 if k in wrong else 1]} for k in every])
    api.worker().run_waiting()

    metrics = boss.get(f"/projects/{project}/rounds/2").json()["metrics"]
    assert audits >= 5
    assert len(labels) == 32 - audits
    assert metrics["stratum"] == "audit"
    assert metrics["accuracy"]["n"] == audits
    assert 0.4 < metrics["accuracy"]["value"] < 1
    assert metrics["twin"] is None


def test_features_that_come_with_predictions_are_what_the_strategy_sees(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss, strategy={"name": "uherding"})
    rng = np.random.default_rng(0)
    rows = [{"key": key, "probabilities": [0.5, 0.5], "features": rng.normal(size=3).tolist()} for key in all_keys()]

    pushed = push(boss, project, rows)
    api.worker().run_waiting()

    second = boss.get(f"/projects/{project}/rounds/2").json()
    assert pushed.status_code == 200
    assert (second["state"], second["featurizer"]) == ("done", f"predictions-{pushed.json()['id']}")
    assert len(served(boss, project)) == 5


def test_suggestions_stand_beside_the_own_learners_order(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0, blind_share=0)["id"]
    boss.push(project, pets(60))
    api.worker().run_waiting()
    before = served(boss, project)

    pushed = push(boss, project, [{"key": key, "label": "dog", "score": 0.8} for key in all_keys()], use="suggest")
    leases = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()["leases"]

    assert pushed.status_code == 200, pushed.text
    assert pushed.json()["job"] is None
    assert [each["item"]["key"] for each in leases] == before
    assert {each["suggestion"]["label"]["class"] for each in leases} == {"dog"}


def test_ranking_alone_suggests_nothing(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    push(boss, project, [{"key": key, "probabilities": SURE} for key in all_keys()], use="rank")
    api.worker().run_waiting()

    [lease] = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]

    assert lease["suggestion"] is None
    assert lease["reason"]["words"] == "chosen by margin"


def test_another_learner_takes_over_the_round_that_waits(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    card = boss.get(f"/projects/{project}")

    changed = boss.patch(
        f"/projects/{project}", json={"learner": {"name": "auto"}}, headers={"If-Match": card.headers["etag"]}
    )
    api.worker().run_waiting()

    second = boss.get(f"/projects/{project}/rounds/2").json()
    assert changed.status_code == 200, changed.text
    assert (second["state"], second["learner"], second["strategy"]) == ("done", {"name": "auto"}, "margin")


def test_a_round_whose_job_was_cancelled_is_followed_by_one_that_waits(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    with api.db.read() as session:
        [job] = session.query(Job.id).filter(Job.kind == "round", Job.state == "waiting").one()
    assert boss.delete(f"/jobs/{job}").status_code == 204

    answer(boss, project, 1)
    api.run_jobs_until(lambda: status(boss, project)["round"]["state"] == "waiting_for_predictions")

    states = {row["number"]: row["state"] for row in boss.get(f"/projects/{project}/rounds").json()["items"]}
    assert states == {1: "done", 2: "skipped", 3: "waiting_for_predictions"}


def test_answers_of_the_meantime_make_the_next_round_due(api: Api, boss: Speaker) -> None:
    project, _ = waiting(api, boss)
    answer(boss, project, 4)
    push(boss, project, [{"key": key, "probabilities": SURE} for key in all_keys()])
    api.worker().run_waiting()

    api.run_jobs_until(lambda: status(boss, project)["round"]["state"] == "waiting_for_predictions")

    assert boss.get(f"/projects/{project}/rounds/3").json()["labels"] == 10


def test_a_strategy_that_needs_more_than_probabilities_is_refused_by_name(
    boss: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quarrel(Margin):
        name = "quarrel"
        needs = frozenset({Need.PROBABILITIES, Need.COMMITTEE})

    monkeypatch.setattr(projects, "make_strategy", lambda _name, _options: Quarrel())
    body = {"name": "P", "modality": "text", "task": {"type": "classification", "classes": ["a", "b"]}}

    refused = boss.post("/projects", json={**body, "strategy": {"name": "quarrel"}, "learner": {"name": "external"}})

    assert refused.status_code == 422
    assert "quarrel needs committee" in refused.json()["detail"]
