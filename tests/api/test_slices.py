"""Leases with a filter: an own slice of the order, which brings no audit items and tells nobody what others think."""

from typing import Any

from tests.api.test_labelling import answer, member
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


def take(speaker: Speaker, project: int, filter_: str, count: int = 5) -> dict[str, Any]:
    answer = speaker.post(f"/projects/{project}/leases", json={"count": count, "filter": filter_})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def two_sources(api: Api, **given: Any) -> tuple[Speaker, int]:
    boss = api.as_("boss")
    project = boss.project(**given)["id"]
    rows = [row | {"metadata": {"source": "web" if n % 3 else "mail"}} for n, row in enumerate(pets(120))]
    boss.push(project, rows)
    return boss, project


def test_a_slice_follows_the_order_of_the_round_and_then_runs_dry(api: Api) -> None:
    boss, project = two_sources(api, audit_share=0)
    api.worker().run_waiting()

    seen = []
    for _ in range(40):
        lease = take(boss, project, "metadata.source=mail", 1)["leases"][0]
        seen.append((lease["item"]["key"], lease["reason"]["kind"]))
        answer(boss, lease["id"], lease["item"]["key"][:3])
    rest = take(boss, project, "metadata.source=mail", 1)

    assert {key for key, _ in seen} == {row["key"] for n, row in enumerate(pets(120)) if n % 3 == 0}
    assert seen[0][1] == "query"
    assert (rest["state"], rest["leases"]) == ("exhausted", [])
    assert "filter" in rest["words"]
    assert take(boss, project, "metadata.source=web", 1)["state"] == "serving"


def test_a_slice_brings_no_audit_items_and_moves_no_draw_of_the_share(api: Api) -> None:
    boss, project = two_sources(api, audit_share=0.5)

    sliced = take(boss, project, "metadata.source=mail", 50)["leases"]
    boss.delete(f"/projects/{project}/leases")
    whole = boss.post(f"/projects/{project}/leases", json={"count": 20}).json()["leases"]

    assert {lease["reason"]["kind"] for lease in sliced} == {"random"}
    assert len(sliced) < 40
    assert any(lease["reason"]["kind"] == "audit" for lease in whole)


def test_an_annotator_chooses_by_content_only(api: Api) -> None:
    boss, project = two_sources(api)
    ann = member(api, boss, project, "ann")
    rita = member(api, boss, project, "rita", "reviewer")

    for filter_ in ("class=cat", "predicted.class=cat", "predicted.probability:<0.6", "status=open", "split=pool"):
        refused = ann.post(f"/projects/{project}/leases", json={"filter": filter_})
        assert refused.status_code == 403, filter_
        assert take(rita, project, filter_)["state"] in ("serving", "exhausted")
    for filter_ in ("metadata.source=mail", "q=purrs", "key=cat-0", "key=cat-0&q=cat"):
        assert take(ann, project, filter_)["state"] in ("serving", "exhausted")


def test_ones_own_leases_come_first_whatever_the_filter(api: Api) -> None:
    boss, project = two_sources(api, audit_share=0)
    first = take(boss, project, "metadata.source=mail", 2)["leases"]

    again = take(boss, project, "metadata.source=web", 2)["leases"]

    assert [each["id"] for each in again] == [each["id"] for each in first]


def test_a_bad_filter_gives_nothing_out(api: Api) -> None:
    boss, project = two_sources(api)

    for filter_ in ("colour=red", "class=fish", "predicted.probability:<x", "q=\u0000", "x" * 300_000):
        refused = boss.post(f"/projects/{project}/leases", json={"filter": filter_})
        assert refused.status_code in (400, 422), filter_[:20]
    assert boss.post(f"/projects/{project}/leases", json={"filter": ""}).json()["state"] == "serving"


def test_a_member_with_a_slice_is_given_its_items_alone_audit_items_among_them(api: Api) -> None:
    boss, project = two_sources(api, audit_share=0.3)
    ann = member(api, boss, project, "ann")
    mails = {row["key"] for n, row in enumerate(pets(120)) if n % 3 == 0}
    api.worker().run_waiting()
    user = next(
        each["id"] for each in boss.get(f"/projects/{project}/members").json()["items"] if each["user"] == "ann"
    )

    given = boss.patch(f"/projects/{project}/members/{user}", json={"slice": "metadata.source=mail"})
    seen, kinds = [], []
    for _ in range(40):
        (lease,) = ann.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"]
        seen.append(lease["item"]["key"])
        kinds.append(answer(ann, lease["id"], lease["item"]["key"][:3]).json()["id"])
    rest = ann.post(f"/projects/{project}/leases", json={"count": 5}).json()

    assert given.status_code == 204
    assert set(seen) == mails
    stored = boss.get(f"/projects/{project}/export?view=annotations").text
    assert 0 < stored.count('"kind":"audit"') < 40
    assert (rest["state"], rest["leases"]) == ("exhausted", [])
    assert rest["words"].startswith("every item of your slice (metadata.source=mail) is answered")
    boss.patch(f"/projects/{project}/members/{user}", json={"slice": None})
    assert ann.post(f"/projects/{project}/leases", json={"count": 5}).json()["state"] == "serving"


def test_a_filter_of_ones_own_narrows_the_slice_and_colleagues_may_hold_the_rest(api: Api) -> None:
    boss, project = two_sources(api, audit_share=0.3)
    ann = member(api, boss, project, "ann")
    user = next(
        each["id"] for each in boss.get(f"/projects/{project}/members").json()["items"] if each["user"] == "ann"
    )
    boss.patch(
        f"/projects/{project}/members/{user}", json={"slice": "metadata.source=mail&key=cat-0&key=dog-3&key=cat-6"}
    )

    held = take(ann, project, "key=cat-0&key=cat-2", 5)["leases"]
    ann.delete(f"/projects/{project}/leases")
    take(boss, project, "key=cat-0&key=dog-3&key=cat-6", 5)
    boss.post(f"/projects/{project}/leases", json={"count": 50})
    waiting = ann.post(f"/projects/{project}/leases", json={"count": 5}).json()

    assert {lease["item"]["key"] for lease in held} <= {"cat-0"}
    if waiting["leases"]:  # an audit item is never held by a filter of one's own
        assert {lease["item"]["key"] for lease in waiting["leases"]} <= {"cat-0", "dog-3", "cat-6"}
    else:
        assert "colleagues hold the last ones" in waiting["words"]
        assert waiting["retry_after_seconds"] > 0


def test_slices_come_with_invitations_and_are_checked(api: Api) -> None:
    boss, project = two_sources(api)
    link = boss.post(f"/projects/{project}/invitations", json={"slice": "metadata.source=mail"}).json()["url"]

    for bad in ("class=cat", "status=open", "colour=red", "predicted.probability:<0.5"):
        for path, body in (("members", {"user": "boss"}), ("invitations", {})):
            assert boss.post(f"/projects/{project}/{path}", json={**body, "slice": bad}).status_code == 422, bad
    joined = api.client.post(
        f"/api/v1/invitations/{link.rpartition('/')[2]}/accept",
        json={"name": "zoe", "password": "correct horse battery"},
    )

    assert joined.status_code in (200, 201), joined.text
    rows = {each["user"]: each["slice"] for each in boss.get(f"/projects/{project}/members").json()["items"]}
    assert rows == {"boss": None, "zoe": "metadata.source=mail"}
