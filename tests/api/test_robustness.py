"""What disturbed items cost the learner: looked at behind the rounds, shown with them, said where it cannot be told."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.api.test_costs import texts
from tests.api.test_overview import answer
from tests.conftest import Api


def test_a_job_behind_the_round_tells_what_each_disturbance_costs(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.6, blind_share=0, round_size=60)["id"]
    boss.push(project, texts(160))
    api.run_jobs()
    answer(boss, project, 60)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()
    answer(boss, project, 5)
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    later = boss.get(f"/projects/{project}/overview").json()

    kinds: dict[str, Any] = {each["name"]: each["loss"] for each in found["robustness"]["kinds"]}
    assert list(kinds) == ["typos", "casing", "punctuation"]
    assert kinds["casing"]["value"] == 0  # n-grams fold the case
    assert all(each["low"] <= each["value"] <= each["high"] for each in kinds.values())
    assert kinds["typos"]["n"] == found["status"]["audit"]["answers"] >= 20
    assert found["words"]["robustness"]
    assert found["robustness"]["labels"] == 60
    assert later["robustness"] == found["robustness"]  # five labels more are no reason to look again
    rounds = boss.get(f"/projects/{project}/rounds").json()["items"]
    assert rounds[0]["metrics"]["robustness"] == found["robustness"]


def test_where_nothing_can_be_disturbed_it_says_why(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.6, blind_share=0, round_size=40)["id"]
    rows = [each | {"features": [1.0, float(number % 2)]} for number, each in enumerate(texts(100))]
    boss.push(project, rows)
    api.run_jobs()
    answer(boss, project, 40)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()

    assert found["robustness"]["kinds"] == []
    assert found["words"]["robustness"].startswith("How robust the model is cannot be told: its vectors were pushed")


def picture(cls: str, number: int) -> bytes:
    """A grainy picture of 24 pixels, light for cats and dark for dogs."""
    rng = np.random.default_rng(number)
    pixels = rng.normal(170 if cls == "cat" else 90, 40, (24, 24, 3)).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(("modality", "kinds"), [("table", ["missing", "noise"]), ("image", ["noise", "blur", "dark"])])
def test_rows_and_pictures_are_disturbed_too_and_the_clients_own_test_set_judges(
    api: Api, modality: str, kinds: list[str]
) -> None:
    boss = api.as_("boss")
    project = boss.project(modality=modality)["id"]
    rows: list[dict[str, Any]] = []
    for number in range(70):
        name = ("cat", "dog")[number % 2]
        content: dict[str, Any] = {"row": {"ears": 2.0 - number % 2 + 0.01 * number, "colour": f"c{number % 5}"}}
        if modality == "image":
            content = {"image": f"{number}.png"}
        split = {"split": "audit"} if number >= 40 else {}
        rows.append({"key": f"{name}-{number}", **content, "label": {"class": name}, **split})
    if modality == "image":
        files = [("files", (f"{number}.png", picture(("cat", "dog")[number % 2], number))) for number in range(70)]
        assert boss.post(f"/projects/{project}/media", files=files).status_code == 201
    boss.push(project, rows)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()["robustness"]

    assert [each["name"] for each in found["kinds"]] == kinds
    assert {each["loss"]["n"] for each in found["kinds"]} == {30}
    if modality == "image":
        assert found["kinds"][2]["loss"]["low"] > 0.1  # half as bright, a cat is a dog
