"""A linear head as the scikit-learn estimator of the same probabilities. Importing this brings scikit-learn."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import LabelBinarizer

from app.core.arrays import AnyArray


def one_of(weights: AnyArray, bias: AnyArray, classes: list[str]) -> LogisticRegression:
    """Softmax over the classes; two of them are one difference, as scikit-learn keeps it."""
    if len(classes) == 2:
        return _fitted(weights[:, 1:] - weights[:, :1], bias[1:] - bias[:1], np.array(classes))
    return _fitted(weights, bias, np.array(classes))


def several_of(weights: AnyArray, bias: AnyArray, classes: list[str]) -> OneVsRestClassifier:
    """A sigmoid a class."""
    made = OneVsRestClassifier(LogisticRegression())
    parts = range(len(classes))
    made.estimators_ = [_fitted(weights[:, i : i + 1], bias[i : i + 1], np.array([0, 1])) for i in parts]
    made.label_binarizer_ = LabelBinarizer(sparse_output=True)
    made.label_binarizer_.classes_ = made.classes_ = np.array(classes)
    made.label_binarizer_.y_type_, made.label_binarizer_.sparse_input_ = "multilabel-indicator", False
    return made


def _fitted(weights: AnyArray, bias: AnyArray, classes: AnyArray) -> LogisticRegression:
    made = LogisticRegression()
    made.classes_, made.n_features_in_ = classes, weights.shape[0]
    made.coef_, made.intercept_ = weights.T.astype(np.float64), bias.astype(np.float64)
    made.n_iter_ = np.zeros(1, dtype=np.int32)
    return made
