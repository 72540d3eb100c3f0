"""How scikit-activeml's strategies are called: each of its classes takes other arguments."""

from typing import Any

import numpy as np

NO_MODEL = {"core_set", "typiclust", "prob_cover", "coverage"}
SEVERAL = {"vote_entropy", "bald", "batch_bald"}
MEMBERS = 8


def query(name: str, strategy: Any, matrix: Any, labels: Any, model: Any, batch: int) -> list[int]:
    """The rows that the library's strategy asks for, by our name of it."""
    if name in NO_MODEL:
        made = strategy(random_state=1)
        return [int(row) for row in made.query(matrix, labels, batch_size=batch)]
    if name in SEVERAL:
        from skactiveml.classifier import SklearnClassifier
        from sklearn.base import clone
        from sklearn.ensemble import BaggingClassifier

        bagged = SklearnClassifier(
            BaggingClassifier(clone(model.estimator), n_estimators=MEMBERS, random_state=1), classes=model.classes
        )
        chosen = {"method": "vote_entropy"} if name == "vote_entropy" else {}
        made = strategy(random_state=1, **chosen)
        return [int(row) for row in made.query(matrix, labels, ensemble=bagged, batch_size=batch)]
    if name == "discriminative":
        made = strategy(random_state=1, greedy_selection=True)
        return [int(row) for row in made.query(matrix, labels, discriminator=model, batch_size=batch)]
    if name in ("margin", "entropy"):
        made = strategy(method="margin_sampling" if name == "margin" else "entropy", random_state=1)
    else:
        made = strategy(random_state=1)
    return [int(row) for row in np.asarray(made.query(matrix, labels, model, batch_size=batch))]
