"""A sentence encoder that the operator gives: `auto` takes it, says so, and what was learned of it can be asked."""

from pathlib import Path

import pytest

from tests.conftest import Api
from tests.unit.featurizers.test_onnx import text_encoder  # noqa: F401  a fixture


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_auto_reads_texts_with_the_operators_encoder(api: Api, text_encoder: Path) -> None:  # noqa: F811
    given = api.settings.model_copy(update={"text_encoder": str(text_encoder)})
    api.client.app.state.settings = api.settings = given
    boss = api.as_("boss")
    project = boss.project(audit_share=0)["id"]
    rows = [{"key": f"{kind}-{n}", "text": kind, "label": kind} for n in range(10) for kind in ("cat", "dog")]

    boss.push(project, rows)
    api.run_jobs()
    features = boss.get(f"/projects/{project}/status").json()["features"]
    said = boss.post(f"/projects/{project}/predict", json={"items": [{"text": "cat cat"}, {"text": "dog"}]}).json()

    assert features["featurizer"] == "onnx-text"
    assert "this service's encoder" in features["sentence"]
    assert [item["label"]["class"] for item in said["items"]] == ["cat", "dog"]
