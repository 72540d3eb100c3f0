"""A scikit-learn pipeline in the loop: `python examples/own_model.py PROJECT [ROUNDS]`.

LABELWISE_URL and LABELWISE_TOKEN say where; the project's learner is {"name": "external"}.
"""

import sys

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from labelwise import Client


def fit_predict(items, labels, pool):
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=20, max_iter=500))
    model.fit([item["text"] for item in items], labels)
    for chunk in pool:
        yield model.classes_, model.predict_proba([item["text"] for item in chunk])


if __name__ == "__main__":
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else None
    Client().project(sys.argv[1]).learn_with(
        fit_predict,
        model="tf-idf",
        rounds=rounds,
        progress=lambda done: print(done["number"], done["labels"], done["rows"], done["seconds_all"], flush=True),
    )
