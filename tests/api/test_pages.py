"""Pages that say no: in words, with a way on, and never as JSON in a browser."""

from app.services import accounts
from app.services.access import Person
from tests.conftest import PASSWORD, Api

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def test_an_address_that_leads_nowhere_is_a_page_for_a_browser_and_json_for_a_script(api: Api) -> None:
    page = api.client.get("/nowhere", headers=BROWSER)
    script = api.client.get("/nowhere")
    rest = api.client.get("/api/v1/nowhere", headers=BROWSER)

    assert page.status_code == script.status_code == rest.status_code == 404
    assert "There is no such page." in page.text
    assert script.json()["error"] == rest.json()["error"] == "NotFound"


def test_a_bad_query_of_a_page_is_refused_by_a_page(api: Api) -> None:
    answer = api.client.get("/sign-in", params={"next": "/" * 600}, headers=BROWSER)

    assert answer.status_code == 422
    assert "at most 500 characters" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_a_link_that_ended_says_so_before_anybody_fills_in_the_form(api: Api) -> None:
    with api.db.write() as session:
        code = accounts.setup_link(session)
    assert "Make the account" in api.client.get(f"/setup/{code}", headers=BROWSER).text
    used = api.client.post(f"/api/v1/setup/{code}", json={"name": "Ann", "password": PASSWORD})
    assert used.status_code == 201

    for path in (f"/setup/{code}", "/setup/wrong", f"/invitations/{code}"):
        answer = api.client.get(path, headers=BROWSER)
        assert answer.status_code == 404
        words = "start the service again for a new one" if path.startswith("/setup") else "ask for a new one"
        assert words in answer.text


def test_looking_at_an_invitation_uses_nothing_up(api: Api) -> None:
    project = api.as_("boss").project()["id"]
    with api.db.write() as session:
        code = accounts.invite(session, Person(1, "boss", True), project, "annotator", 1, 24.0)

    for _ in range(3):
        assert "Choose a name" in api.client.get(f"/invitations/{code}", headers=BROWSER).text
    accepted = api.client.post(f"/api/v1/invitations/{code}/accept", json={"name": "Bea", "password": PASSWORD})

    assert accepted.status_code == 201
    assert api.client.get(f"/invitations/{code}", headers=BROWSER).status_code == 404


def test_a_project_without_items_says_so_to_the_annotator(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]

    served = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()

    assert served["state"] == "exhausted"
    assert served["words"] == "there are no items yet: a manager adds them"
