"""A scorer that learns: `SCORER_SECRET=... uvicorn examples.scorer:app --port 9000`.

The project's learner is {"name": "http", "url": "http://127.0.0.1:9000/", "secret": the same}; a service that asks a
scorer on its own machine is started with --allow-fetch-from 127.0.0.1:9000.
"""

import json
import os

from fastapi import FastAPI, HTTPException, Request
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from labelwise import is_genuine

app = FastAPI()
model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=20, max_iter=500))
app.state.version = None


async def items_of(request: Request):
    body = await request.body()
    if not is_genuine(request.headers.get("Labelwise-Signature", ""), body, os.environ["SCORER_SECRET"]):
        raise HTTPException(403)
    return json.loads(body)["round"], json.loads(body)["items"]


@app.get("/")
def about():
    return {"trains": True, "version": app.state.version or "new"}


@app.post("/fit")
async def fit(request: Request):
    number, items = await items_of(request)
    told = [item for item in items if item["label"] is not None]  # null: the answers are torn between classes
    model.fit([item["text"] for item in told], [item["label"]["class"] for item in told])
    app.state.version = f"round-{number}"


@app.post("/")
async def score(request: Request):
    _, items = await items_of(request)
    if app.state.version is None:
        raise HTTPException(409, "not taught yet")
    said = model.predict_proba([item["text"] for item in items]).tolist()
    rows = [dict(zip(model.classes_, row, strict=True)) for row in said]
    return {"items": [{"key": item["key"], "probabilities": row} for item, row in zip(items, rows, strict=True)]}
