"""The trained learner at work elsewhere: asked over REST without storing anything, and taken away as a file."""

import io
import json
import zipfile
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pytest

from app.db import Annotation, Item
from app.featurizers.ngrams import NGrams
from app.services.pool import feature_folder
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker

NEW = [{"key": "a", "text": "it purrs and meows"}, {"key": "b", "text": "it barks and wags"}, {"text": "neither nor"}]
TEXTS = [row["text"] for row in NEW]


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def taught(api: Api, boss: Speaker, classes: list[str] | None = None, **given: Any) -> int:
    """A project with 60 imported labels and its first rounds."""
    project: int = boss.project(classes, audit_share=0.2, **given)["id"]
    multiple = (given.get("task") or {}).get("multiple")
    rows = pets(120)
    for place, row in enumerate(rows[:60]):
        name = "bird" if classes and place % 7 == 0 else row["key"][:3]
        row["label"] = {"classes": [name, "dog"][: 1 + place % 2]} if multiple else {"class": name}
    boss.push(project, rows)
    api.run_jobs()
    return project


def ask(boss: Speaker, project: int, items: Any = NEW) -> Any:
    return boss.post(f"/projects/{project}/predict", json={"items": items})


def take(boss: Speaker, project: int, kind: str, number: int = 1) -> dict[str, bytes]:
    answer = boss.get(f"/projects/{project}/rounds/{number}/learner", params={"format": kind})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def told(answer: Any, classes: list[str]) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([[row["probabilities"][name] for name in classes] for row in answer.json()["items"]])


def test_the_current_learner_answers_and_nothing_is_stored(api: Api, boss: Speaker) -> None:
    project = taught(api, boss)
    with api.db.read() as session:
        before = session.query(Item).count(), session.query(Annotation).count()

    answer = ask(boss, project)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["round"], [row["label"] for row in found["items"][:2]]) == (1, [{"class": "cat"}, {"class": "dog"}])
    assert [row["key"] for row in found["items"][:2]] == ["a", "b"]
    assert all(sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4) for row in found["items"])
    with api.db.read() as session:
        assert (session.query(Item).count(), session.query(Annotation).count()) == before


@pytest.mark.parametrize(
    "items", [[], [{"text": "x"}] * 201, [{"text": "x"}, {"key": "a"}], [{"text": 7}], [{"text": "x", "more": 1}]]
)
def test_items_that_the_project_would_not_take_are_named(api: Api, boss: Speaker, items: Any) -> None:
    project = taught(api, boss)

    refused = ask(boss, project, items)

    assert refused.status_code == 422
    assert "items" in refused.json()["detail"]


def test_before_the_first_model_and_for_outside_models_it_is_refused_with_what_to_do(api: Api, boss: Speaker) -> None:
    fresh, outside = boss.project()["id"], boss.project(learner={"name": "external"})["id"]
    first = ask(boss, fresh)
    boss.push(fresh, pets(20))
    api.run_jobs()

    refusals = [first, ask(boss, fresh), ask(boss, outside)]
    taken = boss.get(f"/projects/{fresh}/rounds/1/learner")

    assert [each.status_code for each in (*refusals, taken)] == [409, 409, 409, 409]
    assert "no round has been run yet" in refusals[0].json()["detail"]
    assert "label items of two classes first" in refusals[1].json()["detail"]
    assert "outside" in refusals[2].json()["detail"]
    assert "label items of two classes first" in taken.json()["detail"]


def test_vectors_are_asked_about_by_vectors(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    rows = [{**row, "features": [1, 0.01 * n] if n % 2 else [0.01 * n, 1]} for n, row in enumerate(pets(40), start=1)]
    boss.push(project, [{**row, "label": row["key"][:3]} for row in rows])
    api.run_jobs()

    lacking, given = ask(boss, project), ask(boss, project, [{"text": "x", "features": [1, 0.2]}])

    assert (lacking.status_code, "features is missing" in lacking.json()["detail"]) == (422, True)
    assert (given.status_code, given.json()["items"][0]["label"]) == (200, {"class": "cat"})
    assert ask(boss, project, [{"text": "x", "features": [1, 2, 3]}]).status_code == 422


@pytest.mark.parametrize("classes", [["cat", "dog"], ["dog", "bird", "cat"]])
@pytest.mark.parametrize("multiple", [False, True])
def test_the_scikit_learn_file_gives_the_same_probabilities_of_texts(
    api: Api, boss: Speaker, classes: list[str], multiple: bool
) -> None:
    project = taught(api, boss, classes if "bird" in classes else None, task={"multiple": multiple})
    wanted = told(ask(boss, project), classes)

    files = take(boss, project, "sklearn")
    learner = joblib.load(io.BytesIO(files["learner.joblib"]))

    card = json.loads(files["card.json"])
    assert list(learner.classes_) == card["classes"] == classes
    np.testing.assert_allclose(learner.predict_proba(TEXTS), wanted, atol=2e-5)
    if not multiple:
        assert list(learner.predict(TEXTS[:2])) == ["cat", "dog"]
    assert "scikit-learn==" in files["requirements.txt"].decode()


@pytest.mark.parametrize("multiple", [False, True])
def test_the_onnx_file_gives_the_same_probabilities_of_features(api: Api, boss: Speaker, multiple: bool) -> None:
    project = taught(api, boss, task={"multiple": multiple})
    wanted = told(ask(boss, project), ["cat", "dog"])

    files = take(boss, project, "onnx")
    card = json.loads(files["card.json"])
    featurizer = NGrams()
    state = featurizer.load(feature_folder(api.settings, project, card["features"]["version"]) / "state")
    block = featurizer.transform(TEXTS, state)
    assert block.sparse is not None
    session = onnxruntime.InferenceSession(files["learner.onnx"])
    [found] = session.run(None, {"features": np.hstack([block.sparse.toarray(), block.dense])})

    np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert card["features"]["width"] == 2**18 + block.dense.shape[1]
    assert session.get_modelmeta().custom_metadata_map["classes"] == '["cat", "dog"]'


def test_the_card_tells_where_the_learner_comes_from(api: Api, boss: Speaker) -> None:
    project = taught(api, boss)
    known = boss.get(f"/projects/{project}/rounds/1").json()

    card = json.loads(take(boss, project, "onnx")["card.json"])

    assert (card["annotations"], card["seed"], card["labels"]) == (known["annotations"], known["seed"], 60)
    assert card["metrics"] == known["metrics"]
    assert card["versions"]["scikit-learn"]


def test_formats_rounds_and_people_that_are_not_there_are_refused(api: Api, boss: Speaker) -> None:
    project = taught(api, boss)
    ann = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator"})
    where = f"/projects/{project}/rounds"

    assert boss.get(f"{where}/1/learner", params={"format": "pickle"}).status_code == 422
    assert boss.get(f"{where}/9/learner").status_code == 404
    assert ann.get(f"{where}/1/learner").status_code == 403
    assert ask(ann, project).status_code == 403
