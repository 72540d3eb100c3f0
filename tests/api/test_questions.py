"""Forms, ratings, comparisons and free text, from the first push to the export; on both databases."""

from typing import Any
from uuid import uuid4

from tests.api.test_labelling import take
from tests.conftest import Api, Speaker

TOPIC = {"name": "topic", "type": "classification", "classes": ["war", "sport", "other"]}
TONE = {"name": "tone", "type": "rating", "minimum": 1, "maximum": 5, "step": 1}
WHY = {"name": "why", "type": "transcription", "required": False, "show_if": {"topic": "other"}}


def made(speaker: Speaker, task: dict[str, Any], **given: Any) -> int:
    answer = speaker.post("/projects", json={"name": "News", "modality": "text", "task": task, "seed": 7, **given})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def form(speaker: Speaker, *fields: dict[str, Any], **given: Any) -> int:
    return made(speaker, {"type": "form", "fields": list(fields)}, **given)


def texts(count: int) -> list[dict[str, Any]]:
    words = ("goal match team", "army front battle", "cake recipe oven")
    return [{"key": f"k{n}", "text": f"{words[n % 3]} number {n} {n * 7919}"} for n in range(count)]


def submit(speaker: Speaker, lease: int, label: dict[str, Any]):
    body = {"lease": lease, "label": label, "seconds_spent": 1}
    return speaker.post("/annotations", json=body, headers={"Idempotency-Key": str(uuid4())})


def fields(topic: str = "war", tone: float = 4, **more: Any) -> dict[str, Any]:
    return {"fields": {"topic": {"class": topic}, "tone": {"value": tone}, **more}}


def test_a_form_goes_from_the_push_to_the_export(api: Api) -> None:
    boss = api.as_("boss")
    project = form(boss, TOPIC, TONE, WHY, round_size=10, audit_share=0, blind_share=0)
    card = boss.get(f"/projects/{project}").json()
    assert [each["question"] for each in card["classes"]] == ["topic"] * 3 + ["tone"] * 5
    assert card["task"]["fields"][2]["show_if"] == {"topic": ["other"]}
    assert card["no_learner"] is None
    lines = ["body,label.topic,stars,label.why"]
    lines += [f"{row['text']},{'sport' if n % 3 == 0 else 'war'},{1 + n % 3}," for n, row in enumerate(texts(30))]
    lines += ["cake and cake,other,5,a recipe", "no label here,,,", "bad,war,9,", "worse,war,3,not asked here"]

    report = boss.post(
        f"/projects/{project}/items?map=text:body,label.topic:label.topic,label.tone:stars,label.why:label.why",
        content="\n".join(lines),
        headers={"Content-Type": "text/csv"},
    ).json()

    assert report["created"] == 32
    refused = [each["error"] for each in report["rejected"]]
    assert refused == ["tone: value is 1 to 5, not 9", "why is asked only where topic is other: leave it out"]
    boss.push(project, texts(60)[40:])
    api.run_jobs()
    lease = take(boss, project)[0]
    assert lease["suggestion"]["label"]["fields"].keys() == {"topic"}
    assert submit(boss, lease["id"], {"class": "war"}).status_code == 422
    stored = submit(boss, lease["id"], fields("other", 5, why={"text": " all of it "}))
    assert stored.json()["label"] == fields("other", 5.0, why={"text": "all of it"})

    found = boss.get(f"/projects/{project}/items?class=other").json()["items"]
    assert len(found) == 2
    csv = boss.get(f"/projects/{project}/export?format=csv&view=items").text.splitlines()
    assert csv[0].split(",")[:5] == ["key", "text", "label.topic", "label.tone", "label.why"]
    assert sum("other,5.0,a recipe" in line for line in csv) == 1
    again = form(boss, TOPIC, TONE, WHY)
    report = boss.post(f"/projects/{again}/items", content="\n".join(csv), headers={"Content-Type": "text/csv"}).json()
    assert (report["rejected"], report["created"]) == ([], 52)
    assert boss.get(f"/projects/{again}/items?class=other").json()["items"][0]["label"]["fields"]["tone"] == {
        "value": 5
    }
    assert boss.get(f"/projects/{project}/annotations?class=other").json()["items"]
    parquet = boss.get(f"/projects/{project}/export?format=parquet&view=annotations")
    assert parquet.status_code == 200


def test_a_rating_drives_the_queue_and_is_judged_by_its_error(api: Api) -> None:
    boss = api.as_("boss")
    project = made(boss, {"type": "rating", "minimum": 1, "maximum": 3, "step": 1}, blind_share=0, round_size=10)
    rows = [{**row, "label": 1 + n % 3, "split": "audit" if n % 2 else "pool"} for n, row in enumerate(texts(60))]
    boss.push(project, rows)
    boss.push(project, texts(90)[60:])
    api.run_jobs()

    lease = next(each for each in take(boss, project, 10) if each["suggestion"])
    assert lease["suggestion"]["label"]["value"] in (1.0, 2.0, 3.0)
    assert submit(boss, lease["id"], {"value": 2.5}).status_code == 422
    assert submit(boss, lease["id"], {"value": 2}).json()["label"] == {"value": 2.0}
    assert len(boss.get(f"/projects/{project}/items?class=2&limit=200").json()["items"]) == 21
    error = boss.get(f"/projects/{project}/rounds").json()["items"][0]["metrics"]["mean_absolute_error"]
    assert error["n"] == 30
    assert error["low"] <= error["value"] <= error["high"] <= 2
    assert boss.get(f"/projects/{project}/overview").json()["words"]["error"].startswith("Off by")
    level = boss.get(f"/projects/{project}/classes").json()["items"][0]
    assert boss.patch(f"/projects/{project}/classes/{level['id']}", json={"name": "one"}).status_code == 409
    assert boss.patch(f"/projects/{project}/classes/{level['id']}", json={"color": "#000000"}).status_code == 200
    assert boss.post(f"/projects/{project}/classes", json={"name": "4"}).status_code == 422
    assert boss.post(f"/projects/{project}/classes/1/merge", json={"into": 2}).status_code == 409
    said = boss.post(f"/projects/{project}/predict", json={"items": [{"text": "goal match team"}]}).json()
    assert set(said["items"][0]["label"]) == {"value"}


def test_a_comparison_covers_the_pool_and_its_rankings_fit_their_items(api: Api) -> None:
    boss = api.as_("boss")
    project = made(boss, {"type": "comparison"})
    rows: list[dict[str, Any]] = [
        {"key": f"k{n}", "text": f"Say {n}", "candidates": [f"a {n}", f"b {n}", f"c {n}"]} for n in range(8)
    ]
    rows += [
        {"key": "bare", "candidates": ["x", "y"], "label": {"ranking": [1, 0]}},
        {"key": "one", "candidates": ["x"]},
        {"key": "none", "text": "only a prompt"},
        {"key": "wrong", "candidates": ["x", "y"], "label": {"ranking": [1, 0, 2]}},
    ]
    report = boss.push(project, rows)
    assert report["created"] == 9
    assert [each["error"] for each in report["rejected"]] == [
        "candidates is a list of 2 to 10 texts",
        "candidates are missing: the texts that are compared",
        "the item has 2 candidates, and the ranking names 3",
    ]
    csv = b"key,first,second\nfrom-csv,one way,another way\n"
    where = f"/projects/{project}/items?map=key:key,candidates.0:first,candidates.1:second"
    assert boss.post(where, content=csv, headers={"Content-Type": "text/csv"}).json()["created"] == 1
    api.run_jobs()

    leases = take(boss, project, 20)
    three = next(each for each in leases if len(each["item"]["candidates"]) == 3)
    assert three["suggestion"] is None
    refused = submit(boss, three["id"], {"ranking": [1, 0]})
    assert "3 candidates" in refused.json()["detail"]
    assert submit(boss, three["id"], {"ranking": [2, 0, 1]}).json()["label"] == {"ranking": [2, 0, 1]}
    rows = [{"key": three["item"]["key"], "label": {"ranking": [0, 1]}, "origin": "import"}]
    bulk = boss.post(f"/projects/{project}/annotations", json=rows).json()
    assert "3 candidates" in bulk["rejected"][0]["error"]
    word = boss.put(f"/items/{three['item']['id']}/label", json={"label": {"ranking": [0, 1]}})
    assert "3 candidates" in word.json()["detail"]
    change = {"filter": "q=Say", "set": {"label": {"ranking": [0, 1]}}, "existing": "keep"}
    assert "3 candidates" in boss.post(f"/projects/{project}/items/bulk", json=change).json()["detail"]
    status = boss.get(f"/projects/{project}/status").json()
    assert status["no_learner"] == "A comparison teaches no learner: the order covers the pool."
    assert status["last_failure"] is None
    assert status["queue"]["round"] is not None
    predicted = boss.post(f"/projects/{project}/predict", json={"items": [{"text": "x"}]})
    assert predicted.status_code == 409
    line = boss.get(f"/projects/{project}/export?format=jsonl&view=items").text.splitlines()[-1]
    assert '"candidates":["one way","another way"]' in line
    assert boss.get(f"/projects/{project}/items?q=another").json()["items"][0]["key"] == "from-csv"
    audio = boss.post("/projects", json={"name": "x", "modality": "audio", "task": {"type": "comparison"}})
    assert audio.status_code == 422


def test_free_text_teaches_nothing_and_is_never_a_failure(api: Api) -> None:
    boss = api.as_("boss")
    project = made(boss, {"type": "transcription"}, overlap=2, strategy={"name": "margin"})
    boss.push(project, [*texts(5), {"key": "done", "text": "said", "label": " written "}])
    api.run_jobs()
    lease = take(boss, project)[0]

    assert submit(boss, lease["id"], {"text": " "}).status_code == 422
    stored = submit(boss, lease["id"], {"text": "what was said"})

    assert stored.json()["label"] == {"text": "what was said"}
    status = boss.get(f"/projects/{project}/status").json()
    assert status["no_learner"] == status["strategy"] == "Free text teaches no learner: the order covers the pool."
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    api.run_jobs()
    assert boss.get(f"/projects/{project}/rounds").json()["items"][0]["state"] == "done"
    assert boss.get(f"/projects/{project}/overview").json()["words"]["accuracy"].startswith("Free text")


def test_a_question_may_be_added_and_removed_while_people_answer(api: Api) -> None:
    boss = api.as_("boss")
    project = form(boss, TOPIC, TONE)
    boss.push(project, texts(12))
    early, later = take(boss, project, 2)
    assert submit(boss, early["id"], fields()).status_code == 201

    def change(*asked: dict[str, Any]) -> Any:
        headers = {"If-Match": f'"{boss.get(f"/projects/{project}").json()["version"]}"'}
        body = {"task": {"type": "form", "fields": list(asked)}}
        return boss.patch(f"/projects/{project}", json=body, headers=headers)

    topic = {"name": "topic", "type": "classification"}
    wider = change(topic, TONE, WHY)
    assert (wider.status_code, wider.json()["task_version"]) == (200, 1), wider.text
    narrower = change(topic, WHY, {**TOPIC, "name": "place", "classes": ["here", "there"]})
    assert narrower.json()["task_version"] == 2
    assert [each["name"] for each in narrower.json()["task"]["fields"]] == ["topic", "why", "place"]
    assert submit(boss, later["id"], fields("sport", 2)).json()["label"] == fields("sport", 2.0)
    fresh = next(each for each in take(boss, project, 12) if each["id"] not in (early["id"], later["id"]))
    assert "no question 'tone'" in submit(boss, fresh["id"], fields()).json()["detail"]
    whole = {"fields": {"topic": {"class": "war"}, "place": {"class": "there"}}}
    assert submit(boss, fresh["id"], whole).json()["label"] == whole
    answers = boss.get(f"/projects/{project}/export?format=jsonl&view=annotations").text
    assert '"tone":{"value":4.0}' in answers
    assert change({**topic, "multiple": True}, WHY).status_code == 409
    assert change({**topic, "classes": ["x"]}, WHY).status_code == 422
    assert boss.post(f"/projects/{project}/classes", json={"name": "near", "question": "place"}).json()["id"] == 11
    assert boss.post(f"/projects/{project}/classes", json={"name": "peace"}).json()["question"] == "topic"
    copied = boss.post("/projects", json={"name": "Copy", "copy_of": project}).json()
    assert copied["task"]["fields"][1]["show_if"] == {"topic": ["other"]}
    assert {each["question"] for each in copied["classes"]} == {"topic", "place"}
