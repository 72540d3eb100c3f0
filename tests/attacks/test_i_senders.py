"""d.I: models, scorers and webhooks as senders: what comes back is not believed."""

import json
import statistics
import time
from typing import Any

import numpy as np
import pytest

from labelwise.signatures import is_genuine
from tests.attacks.site import Site
from tests.attacks.test_c_pages import PAYLOADS
from tests.attacks.trap import Asked, Trap, answer
from tests.attacks.waiting import lease, wait_for_a_round, wait_for_features

case = pytest.mark.case

NOT_HERE = {
    "I-02": "no model, array, HDF5 or ONNX file is taken from anybody; Parquet rows are columns, see test_f13",
    "I-03": "no safetensors are read anywhere",
    "I-04": "no skops file is read; a learner is given away in it never, see takeaway",
}
GOOD = {"items": [{"key": "{key}", "probabilities": {"cat": 0.5, "dog": 0.5}}]}


def said(body: bytes | dict[str, Any] | list[Any], status: str = "200 OK", *headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: answer(content, status, *headers)


def of_all(row: dict[str, Any]) -> Any:
    """The same of every item that is asked about."""

    def speak(asked: Asked) -> bytes:
        if asked.method == "GET":
            return answer(b"", "404 Not Found")
        keys = [item["key"] for item in json.loads(asked.body)["items"]]
        return answer(json.dumps({"items": [{"key": key, **row} for key in keys]}).encode())

    return speak


LIES: dict[str, Any] = {
    "pickle": said(
        b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x05posix\x94.", "200 OK", "Content-Type: application/x-python-serialize"
    ),
    "yaml": said(b"!!python/object/apply:os.system ['touch marker']"),
    "html": said(b"<html><script>alert(1)</script>"),
    "nothing": said(b""),
    "error": said({"items": [], "error": "x"}),
    "no": said(b"secret words of theirs", "500 Oh no"),
    "redirect": said(b"", "302 Found", "Location: http://127.0.0.1:1/"),
    "list": said([]),
    "nan": said(b'{"items": [{"key": "1", "probabilities": {"cat": NaN, "dog": 1}}]}'),
    "deep": said(b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "packed": said(b"x", "200 OK", "Content-Encoding: gzip"),
    "large": said(b'{"items": "' + b"x" * 33_000_000 + b'"}'),
    "negative": of_all({"probabilities": {"cat": -1, "dog": 2}}),
    "seven": of_all({"probabilities": {"cat": 3, "dog": 4}}),
    "class": of_all({"probabilities": {"<img src=x onerror=alert(1)>": 1.0}}),
    "text": of_all({"probabilities": {"cat": "1", "dog": "0"}}),
    "infinite": of_all({"probabilities": {"cat": 1e400, "dog": 0}}),
    "short": of_all({"probabilities": {"cat": 1}}) if False else of_all({"probabilities": []}),
    "surrogate": said(b'{"items": [{"key": "\\ud800", "probabilities": {"cat": 1, "dog": 0}}]}'),
    "foreign": said({"items": [{"key": "of another project", "probabilities": {"cat": 1, "dog": 0}}]}),
    "twice": lambda asked: answer(
        json.dumps({"items": [{"key": "1", "probabilities": {"cat": 1, "dog": 0}}] * 3}).encode()
    ),
    "version": lambda asked: (
        answer(json.dumps({"version": "<script>\x1b[31m", "trains": True}).encode())
        if asked.method == "GET"
        else answer(b"{}")
    ),
}


@case("I-06", "I-07", "I-08")
@pytest.mark.parametrize("lie", LIES)
def test_i07_a_scorer_that_lies_is_named_and_not_believed(aimed: Site, trap: Trap, lie: str) -> None:
    trap.say["/scorer"] = LIES[lie]
    learner = {"name": "http", "url": trap.url("/scorer"), "timeout_seconds": 2}

    answered = aimed.M.post(f"/projects/{aimed.P1}/scorer/test", json={"learner": learner}, patient=True)

    assert answered.status_code == 200, answered.text
    assert answered.json()["fault"], answered.text
    assert answered.json()["items"] == []
    assert "secret words" not in answered.text


@case("I-07")
@pytest.mark.parametrize("trick", ["/hang", "/half", "/endless", "/chunks", "/rubbish", "/headers", "/hints"])
def test_i07_one_that_never_ends_is_left_in_time(aimed: Site, trap: Trap, trick: str) -> None:
    learner = {"name": "http", "url": trap.url(trick), "timeout_seconds": 1}

    began = time.monotonic()
    answered = aimed.M.post(f"/projects/{aimed.P1}/scorer/test", json={"learner": learner}, patient=True)

    assert answered.json()["fault"], answered.text
    assert time.monotonic() - began < 12


@case("I-07")
def test_i07_a_project_whose_scorer_lies_goes_on_labelling(aimed: Site, trap: Trap) -> None:
    trap.say["/liar"] = LIES["seven"]
    project = aimed.new_project(aimed.M, 12, learner={"name": "http", "url": trap.url("/liar"), "timeout_seconds": 1})
    aimed.join(aimed.M, project, aimed.U1)
    for number, held in enumerate(lease(aimed, aimed.U1, project, 6)):
        assert aimed.answer(aimed.U1, held, ["cat", "dog"][number % 2]).status_code == 201
    wait_for_features(aimed, project)
    end = time.monotonic() + 30
    while time.monotonic() < end and not trap.at("/liar"):
        aimed.M.post(f"/projects/{project}/rounds")
        time.sleep(0.5)

    assert trap.at("/liar")
    assert all(
        is_genuine(each.headers["labelwise-signature"], each.body, "x" * 20) is False for each in trap.at("/liar")
    )
    for held in lease(aimed, aimed.U1, project, 4):
        assert aimed.answer(aimed.U1, held).status_code == 201
    rounds = aimed.M.get(f"/projects/{project}/rounds").json()["items"]
    assert all(each["model"] is None for each in rounds)  # what was served came from nobody
    aimed.M.delete(f"/projects/{project}")


@case("I-01")
def test_i01_no_file_of_a_model_is_taken(aimed: Site) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(aimed.marker), "w"))

    content = pickle.dumps(Evil())
    aimed.marker.unlink(missing_ok=True)
    for path in (
        "/models",
        f"/projects/{aimed.P1}/models",
        f"/projects/{aimed.P1}/rounds/1/model",
        f"/projects/{aimed.P1}/learner",
    ):
        for method in ("POST", "PUT"):
            assert aimed.M.ask(method, f"/api/v1{path}", content=content).status_code in (404, 405)
    rejected = aimed.M.post(f"/projects/{aimed.pictures}/media", files=[("files", ("a.pkl", content))])
    assert rejected.json()["media"] == []
    objects = np.array([Evil()], dtype=object)
    path = aimed.data.parent / "objects.npy"
    np.save(path, objects, allow_pickle=True)
    for name, body in (("a.npy", path.read_bytes()), ("a.joblib", content), ("a.pt", b"PK\x03\x04" + content)):
        assert aimed.M.post(f"/projects/{aimed.pictures}/media", files=[("files", (name, body))]).json()["media"] == []
    headers = {"Content-Type": "application/x-python-serialize"}
    assert (
        aimed.M.post(
            f"/projects/{aimed.P1}/predictions?model=a&version=1", content=content, headers=headers
        ).status_code
        == 415
    )
    path.unlink()
    assert not aimed.marker.exists()


@case("I-05")
def test_i05_a_model_file_that_was_replaced_is_not_run(aimed: Site) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return (open, (str(aimed.marker), "w"))

    project = aimed.new_project(aimed.M, 30)
    aimed.join(aimed.M, project, aimed.U2)
    for held in lease(aimed, aimed.U2, project, 10):
        label = "dog" if int(held["item"]["key"].split("-")[1]) % 2 else "cat"
        aimed.answer(aimed.U2, held, label)
    wait_for_features(aimed, project)
    aimed.M.post(f"/projects/{project}/rounds")
    round_ = wait_for_a_round(aimed, project, labels=10)
    assert round_.get("state") in ("published", "done"), round_
    files = list((aimed.data / "models" / str(project)).glob("*.npz"))
    files += list((aimed.data / "features" / str(project)).rglob("state"))
    assert files
    for body in (pickle.dumps(Evil()), b"rubbish", b""):
        for file in files:
            file.write_bytes(body)
        answered = aimed.M.post(f"/projects/{project}/predict", json={"items": [{"text": "a dog"}]}, may_be_busy=True)
        assert answered.status_code in (404, 409, 422, 503), answered.text
        taken = aimed.M.get(f"/projects/{project}/rounds/{round_['number']}/learner", may_be_busy=True)
        assert taken.status_code in (404, 409, 422, 503), taken.text
    assert not aimed.marker.exists()
    aimed.M.delete(f"/projects/{project}")


@case("I-09", "I-10", "C-09")
def test_i09_a_webhook_that_hangs_holds_nobody_up_and_each_event_is_signed(aimed: Site, trap: Trap) -> None:
    trap.say["/hook-of-i09"] = said(b"x" * 100_000)
    secret = "a secret of sixteen"
    events = ["flag.created", "annotation.batch"]
    hooks = [
        aimed.M.post(f"/projects/{aimed.P1}/webhooks", json={"url": trap.url(path), "events": events, "secret": secret})
        for path in ("/hook-of-i09", "/hang", "/endless")
    ]
    assert [each.status_code for each in hooks] == [201] * 3, [each.text for each in hooks]
    assert all(secret not in aimed.M.get(f"/projects/{aimed.P1}/webhooks").text for _ in range(1))

    [held, *_] = lease(aimed, aimed.U1, aimed.P1, 1)
    took = []
    for number in range(12):
        flagged = aimed.U1.post(f"/items/{held['item']['id']}/flags", json={"note": f"{PAYLOADS[number]} {{{{7*7}}}}"})
        took.append(flagged.elapsed.total_seconds())
    end = time.monotonic() + 25
    while time.monotonic() < end and len(trap.at("/hook-of-i09")) < 12:
        time.sleep(0.2)

    assert statistics.median(took) < 0.3
    got = trap.at("/hook-of-i09")
    bodies = [json.loads(each.body) for each in got]
    assert [each["seq"] for each in bodies] == sorted(each["seq"] for each in bodies)
    assert len({each["id"] for each in bodies}) >= 12
    assert any("{{7*7}}" in each["data"].get("note", "") for each in bodies)
    for each in got:
        header = each.headers["labelwise-signature"]
        assert is_genuine(header, each.body, secret)
        assert not is_genuine(header, each.body + b" ", secret)
        assert not is_genuine(header, each.body, secret + "x")
        moment = int(header.split(",")[0].removeprefix("t="))
        assert not is_genuine(header.replace(str(moment), str(moment - 600)), each.body, secret)
        assert secret.encode() not in each.body
    for each in hooks:
        aimed.M.delete(f"/projects/{aimed.P1}/webhooks/{each.json()['id']}")


@case("I-11")
def test_i11_sets_that_teach_nothing_end_in_words_and_the_queue_goes_on(aimed: Site) -> None:
    texts: dict[str, list[dict[str, Any]]] = {
        "no labels": [{"text": f"a text {n}"} for n in range(6)],
        "one class": [{"text": f"a text {n}", "label": "cat"} for n in range(6)] + [{"text": "open"}],
        "empty": [{"key": f"{n}", "text": " " * (n + 1), "label": ["cat", "dog"][n % 2]} for n in range(6)]
        + [{"text": "."}],
        "equal": [{"key": f"{n}", "text": "the same", "label": ["cat", "dog"][n % 2]} for n in range(8)]
        + [{"text": "x"}],
        "one": [{"text": "alone", "label": "cat"}],
        "stop words": [{"key": f"{n}", "text": "the and of", "label": ["cat", "dog"][n % 2]} for n in range(6)]
        + [{"text": "a"}],
        "long": [
            {"key": "l", "text": "word " * 200_000 + "x"[:0], "label": "cat"},
            {"text": "dog", "label": "dog"},
            {"text": "y"},
        ],
    }
    made = {}
    for name, rows in texts.items():
        made[name] = aimed.new_project(aimed.M, 0)
        pushed = aimed.M.post(f"/projects/{made[name]}/items", json=rows[:], patient=True)
        assert pushed.status_code in (200, 413), (name, pushed.text)
    time.sleep(1)
    for number in made.values():
        aimed.M.post(f"/projects/{number}/rounds")
    deadline = time.monotonic() + 50
    for name, number in made.items():
        while time.monotonic() < deadline:
            status = aimed.M.get(f"/projects/{number}/status").json()
            if status["round"]["state"] not in ("running", "waiting"):
                break
            time.sleep(0.3)
        for each in aimed.M.get(f"/projects/{number}/rounds").json()["items"]:
            assert each["state"] in ("done", "published", "skipped", "failed"), (name, each)
            assert each["state"] != "failed" or each["reason"], name
        served = aimed.M.post(f"/projects/{number}/leases", json={"count": 1})
        assert served.status_code == 200, name
        assert served.json()["state"] in ("serving", "exhausted", "preparing"), (name, served.json())
        aimed.M.delete(f"/projects/{number}")


@case("I-12", "I-13")
def test_i12_parameters_out_of_range_are_refused(aimed: Site) -> None:
    wrong: list[dict[str, Any]] = [
        {"learner": {"name": "logistic", "strength": value}} for value in (0, -1, "1e5", None, [], True)
    ]
    wrong += [{"learner": each} for each in ({"name": "pickle"}, {"name": "__import__"}, {"name": ["ridge"]},
        {"x": 1}, "ridge", [],
              {"name": "logistic", "code": "import os"}, {"name": "ridge", "seed": 2**64},
              {"name": "os.system"})]  # fmt: skip
    wrong += [{"strategy": each} for each in ({"name": "unknown"}, {"name": "subsample", "rows": 10**9 + 0.5},
        {"name": "margin", "x": 1},
              {"name": "committee", "heads": 10**9}, {"name": "badge", "code": "x"},
              {"name": "vote_entropy", "heads": -1})]  # fmt: skip
    wrong += [{"featurizer": each} for each in ({"name": "ngrams", "bits": 10**9}, {"name": "ngrams", "dimensions": 0},
              {"name": "onnx-text", "model": "../../etc/passwd"}, {"name": "x"},
              {"name": "ngrams", "characters": "yes"})]  # fmt: skip
    wrong += [{"round_size": value} for value in (0, -1, 10**9, 1.5, "many", None, 2**63)]
    wrong += [{"audit_share": value} for value in (-0.1, 1.1, "x", [])] + [
        {"overlap": value} for value in (0, -1, 51, 2**63)
    ]
    for given in wrong:
        body = {"name": "odd", "modality": "text", "task": {"classes": ["a", "b"]}, **given}
        answered = aimed.M.post("/projects", json=body)
        if given == {"round_size": None}:
            continue
        assert answered.status_code == 422, (given, answered.text)
    for text in (
        b'{"learner": {"name": "logistic", "strength": NaN}}',
        b'{"learner": {"name": "logistic", "strength": 1e400}}',
    ):
        headers = {"Content-Type": "application/json", "If-Match": aimed.M.get(f"/projects/{aimed.P1}").headers["etag"]}
        assert aimed.M.patch(f"/projects/{aimed.P1}", content=text, headers=headers).status_code in (400, 422)
    for count in (0, -1, 10_001, 10**9, 2**63, "many", 1.5):
        assert aimed.M.post(f"/projects/{aimed.P1}/select", json={"count": count}).status_code == 422, count
    assert aimed.M.post(f"/projects/{aimed.P1}/select", json={"count": 1, "strategy": {"name": "x"}}).status_code == 422
