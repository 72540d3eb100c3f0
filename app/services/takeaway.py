"""A round's learner to take away: as ONNX or as a scikit-learn file, in a ZIP with the card that says what it is.

The head is linear, so both are its own weights written down, with the temperature folded in. Texts of n-grams become a
whole scikit-learn pipeline that reads texts; for everything else, and in ONNX, the input is the project's features.
"""

import io
import json
import platform
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from operator import itemgetter
from typing import Any

import joblib
import numpy as np

from app.core.arrays import AnyArray
from app.core.errors import Conflict, Invalid
from app.core.settings import Settings
from app.core.text import write_json
from app.db import Database, Project, Round
from app.featurizers import NGrams
from app.services import audit, heads, rounds, tasks
from app.services.access import Person
from app.services.heads import Head

OPSET = 17
IR_VERSION = 9  # so that runtimes of some years read it
SKLEARN_PARTS = ("scikit-learn", "numpy", "scipy", "joblib")


def learner(
    db: Database, settings: Settings, person: Person, project_ref: int | str, number: int, kind: str
) -> tuple[bytes, str]:
    """The ZIP with a round's learner and its name for people; for reviewers and managers.

    Raises:
        Invalid: no such format.
        NotFound: no such round.
        Conflict: the round has no model, or it is outside, or the package that writes the format is not installed.
    """
    if kind not in WRITERS:
        raise Invalid(f"format is one of {', '.join(WRITERS)}", fields={"format": kind[:50]})
    with db.read() as session:
        row = rounds.one(session, person, project_ref, number)
        project = session.get_one(Project, row.project_id)
        head = heads.of_round(session, settings, project, row)
        names = {each.number: each.name for each in tasks.classes_of(session, project.id)}
        classes = [names.get(each, str(each)) for each in row.class_ids]
        session.expunge_all()
    name, body, more = WRITERS[kind](head, classes)
    card = _card(project, row, head, classes) | more
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
        archive.writestr("card.json", json.dumps(json.loads(write_json(card)), indent=2, ensure_ascii=False))
        if kind == "sklearn":
            pinned = [f"{part}=={version(part)}" for part in SKLEARN_PARTS]
            archive.writestr("requirements.txt", "\n".join(pinned) + "\n")
    with db.write() as writing:  # what it learned is personal data, where items are
        audit.record(writing, "learner.taken", person.id, project_id=project.id, round=row.number, format=kind)
    return out.getvalue(), f"{project.slug}-round-{row.number}-{kind}.zip"


def _card(project: Project, row: Round, head: Head, classes: list[str]) -> dict[str, Any]:
    return {
        "project": project.slug,
        "round": row.number,
        "classes": classes,
        "class_ids": row.class_ids,
        "multiple": head.model.multiple,
        "learner": row.learner,
        "temperature": head.model.temperature,
        "features": {"featurizer": head.featurizer.name, "version": row.featurizer, "width": Whole.of(head).width},
        "strategy": row.strategy,
        "seed": row.seed,
        "labels": row.labels_count,
        "annotations": row.labels,
        "metrics": row.metrics,
        "published_at": row.published_at.isoformat() if row.published_at else None,
        "versions": {"python": platform.python_version(), **{part: version(part) for part in SKLEARN_PARTS}},
    }


@dataclass(frozen=True)
class Whole:
    """A head with its temperature in it: weights (k, c) of `columns` (k,) of its `width` columns, None for all of them.

    The columns of n-grams are followed by those of their space, also where the head gives these no weight: features are
    as wide in every round.
    """

    weights: AnyArray
    bias: AnyArray
    columns: AnyArray | None
    width: int

    @classmethod
    def of(cls, head: Head) -> "Whole":
        """What a round's learner is."""
        model, scale = head.model, np.float32(head.model.temperature)
        width = model.width + (head.state.projection.shape[1] if isinstance(head.featurizer, NGrams) else 0)
        if model.columns is None or model.space is None:
            return cls(model.weights / scale, model.bias / scale, model.columns, width)
        weights, dense = np.vstack([model.weights, model.space]), np.arange(len(model.space)) + model.width
        columns = np.concatenate([model.columns, dense])
        return cls(weights / scale, model.bias / scale, columns, width)


def _onnx(head: Head, classes: list[str]) -> tuple[str, bytes, dict[str, Any]]:
    """features (n, width) float32 -> probabilities (n, c) float32."""
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ModuleNotFoundError:
        raise Conflict(
            "the server lacks the package onnx: pip install 'labelwise[onnx]' there, or take format=sklearn"
        ) from None
    whole = Whole.of(head)
    constants = [numpy_helper.from_array(whole.weights, "weights"), numpy_helper.from_array(whole.bias, "bias")]
    nodes, source = [], "features"
    if whole.columns is not None:
        constants.append(numpy_helper.from_array(whole.columns.astype(np.int64), "columns"))
        nodes.append(helper.make_node("Gather", ["features", "columns"], ["used"], axis=1))
        source = "used"
    nodes.append(helper.make_node("Gemm", [source, "weights", "bias"], ["scores"]))
    last = helper.make_node("Sigmoid", ["scores"], ["probabilities"])
    if not head.model.multiple:
        last = helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1)
    nodes.append(last)
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", whole.width])
    told = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", len(classes)])
    graph = helper.make_graph(nodes, "head", [given], [told], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="labelwise")
    made.ir_version = IR_VERSION
    helper.set_model_props(made, {"classes": json.dumps(classes, ensure_ascii=False)})
    checker.check_model(made)
    return "learner.onnx", made.SerializeToString(), {"input": "features", "output": "probabilities"}


def _sklearn(head: Head, classes: list[str]) -> tuple[str, bytes, dict[str, Any]]:
    """A joblib file: a pipeline from texts where the features are n-grams of words, else the head over features."""
    whole = Whole.of(head)
    weights = whole.weights
    if whole.columns is not None:
        weights = np.zeros((whole.width, len(classes)), dtype=np.float32)
        weights[whole.columns] = whole.weights
    from app.learners import estimators  # brings scikit-learn: a second that only whoever asks for the file waits

    estimator = (estimators.several_of if head.model.multiple else estimators.one_of)(weights, whole.bias, classes)
    from_texts = _from_texts(head, estimator)
    out = io.BytesIO()
    joblib.dump(from_texts or estimator, out, compress=3)
    given = "texts" if from_texts else "features"
    return "learner.joblib", out.getvalue(), {"input": given, "output": "predict_proba"}


def _from_texts(head: Head, estimator: Any) -> Any:
    """The whole way from texts; characters would be a second branch, and are left to the features."""
    if not isinstance(head.featurizer, NGrams) or head.featurizer.characters or head.model.columns is None:
        return None
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, Normalizer

    weighting = TfidfTransformer(sublinear_tf=True)
    weighting.idf_ = head.state.idf.astype(np.float64)
    known = FunctionTransformer(itemgetter((slice(None), head.state.columns)))
    projection = TruncatedSVD(head.state.projection.shape[1])
    projection.components_ = head.state.projection.T
    both = make_union("passthrough", make_pipeline(known, projection, Normalizer()))
    return make_pipeline(head.featurizer.words(), weighting, both, estimator)


WRITERS: dict[str, Callable[[Head, list[str]], tuple[str, bytes, dict[str, Any]]]] = {
    "onnx": _onnx,
    "sklearn": _sklearn,
}
