"""Who may do what: a line for each route, kept by hand and held against every role."""

from typing import Any
from uuid import uuid4

COLUMNS = ("-", "U1", "R", "X", "read", "M", "A")

# nobody, an annotator of the project, a reviewer of it, a manager of another one, a manager's token with the scope
# `read`, a manager of the project, an admin. `spent` says that what the route takes away or uses up is made anew for
# the admin.
TABLE = """
POST /annotations                                                    401 201 404 404 403 404 404
PUT /annotations/{annotation}                                        401 200 412 404 403 412 412
DELETE /annotations/{annotation}                                     401 403 412 404 403 412 200 spent
POST /items/{item}/flags                                             401 201 201 404 403 201 201
PATCH /flags/{flag}                                                  401 403 200 404 403 200 200
POST /projects/{project}/leases                                      401 200 200 404 403 200 200
DELETE /projects/{project}/leases                                    401 204 204 404 403 204 204 spent
GET /leases/{lease}/why                                              401 200 404 404 404 404 404
POST /leases/{lease}/renew                                           401 200 404 404 403 404 404
DELETE /leases/{lease}                                               401 204 404 404 403 404 404 spent
POST /leases/{lease}/skip                                            401 204 404 404 403 404 404
DELETE /leases/{lease}/annotation                                    401 200 404 404 403 404 404 spent
GET /session                                                         401 200 200 200 200 200 200
POST /session                                                        401 401 401 401 401 401 401
DELETE /session                                                      401 204 204 204 403 204 204 spent
DELETE /sessions                                                     401 204 204 204 403 204 204 spent
POST /session/password                                               401 403 403 403 403 403 403
GET /users                                                           401 403 403 403 403 403 200
POST /users                                                          401 403 403 403 403 403 201
PATCH /users/{user}                                                  401 403 403 403 403 403 200
POST /users/{user}/password-link                                      401 403 403 403 403 403 201
DELETE /users/{user}                                                 401 403 403 403 403 403 204 spent
GET /users/{user}/export                                             401 404 404 404 404 404 200
GET /audit-log                                                       401 403 403 403 403 403 200
GET /tokens                                                          401 200 200 200 200 200 200
POST /tokens                                                         401 201 201 201 403 201 201
DELETE /tokens/{token}                                               401 404 404 404 403 204 204 spent
POST /projects                                                       401 201 201 201 403 201 201
GET /projects                                                        401 200 200 200 200 200 200
GET /projects/{project}                                              401 200 200 404 200 200 200
PATCH /projects/{project}                                            401 403 403 404 403 412 412
DELETE /projects/{project}                                           401 403 403 404 403 204 204 spent
POST /projects/{project}/restore                                     401 404 404 404 403 404 404
GET /projects/{project}/members                                      401 403 403 404 200 200 200
POST /projects/{project}/members                                     401 403 403 404 403 200 200
PATCH /projects/{project}/members/{user}                             401 403 403 404 403 204 204
DELETE /projects/{project}/members/{user}                            401 403 403 404 403 204 204 spent
POST /projects/{project}/invitations                                 401 403 403 404 403 201 201
GET /projects/{project}/classes                                      401 403 200 404 200 200 200
POST /projects/{project}/classes                                     401 403 403 404 403 201 201
PATCH /projects/{project}/classes/{number}                           401 403 403 404 403 200 200
DELETE /projects/{project}/classes/{number}                          401 403 403 404 403 204 204 spent
POST /projects/{project}/classes/{number}/merge                      401 403 403 404 403 200 200
DELETE /projects/{project}/classes/{number}/merge                    401 403 403 404 403 200 409 spent
GET /projects/{project}/classes/{number}/affected                    401 403 200 404 200 200 200
GET /projects/{project}/guidelines                                   401 403 200 404 200 200 200
GET /projects/{project}/guidelines/{version}/changes                 401 403 200 404 200 200 200
GET /projects/{project}/status                                       401 200 200 404 200 200 200
GET /projects/{project}/overview                                     401 403 200 404 200 200 200
GET /projects/{project}/progress                                     401 200 200 404 200 200 200
GET /projects/{project}/wall                                         401 403 200 404 200 200 200
GET /projects/{project}/rounds                                       401 403 200 404 200 200 200
POST /projects/{project}/rounds                                      401 403 403 404 403 202|409 202|409
GET /projects/{project}/audit-request                                401 403 403 404 200 200 200
POST /projects/{project}/audit-request                               401 403 403 404 403 201|409 201|409
DELETE /projects/{project}/audit-request                             401 403 403 404 403 204 204
GET /projects/{project}/rounds/{number}                              401 403 200 404 200 200 200
GET /projects/{project}/pace                                         401 200 200 404 200 200 200
GET /jobs/{job}                                                      401 403 200 404 200 200 200
DELETE /jobs/{job}                                                   401 403 403 404 403 204 204 spent
POST /projects/{project}/select                                      401 403 403 404 403 200 200
GET /projects/{project}/queue                                        401 403 200 404 200 200 200
GET /projects/{project}/items/count                                  401 403 200 404 200 200 200
POST /projects/{project}/items/bulk                                  401 403 403 404 403 202 202
POST /projects/{project}/items/bulk/undo                             401 403 403 404 403 404 404
GET /projects/{project}/items                                        401 403 200 404 200 200 200
POST /projects/{project}/items                                       401 403 403 404 403 200 200
GET /items/{item}                                                    401 403 200 404 200 200 200
PATCH /items/{item}                                                  401 403 403 404 403 412 412
DELETE /items/{item}                                                 401 403 403 404 403 204 204 spent
PUT /items/{item}/label                                              401 403 403 404 403 200 200
POST /items/{item}/serve-again                                       401 403 403 404 403 200 200
GET /jobs/{job}/rejected.csv                                         401 403 200 404 200 200 200
GET /projects/{project}/mine                                         401 200 200 404 200 200 200
GET /media/{media_id}                                                401 200 200 404 200 200 200
GET /media/{media_id}/thumbnail                                      401 200 200 404 200 200 200
GET /buckets                                                         401 403 403 403 403 403 200
GET /projects/{project}/buckets                                      401 403 403 404 200 200 200
PUT /projects/{project}/buckets/{bucket}                             401 403 403 403 403 403 404
DELETE /projects/{project}/buckets/{bucket}                          401 403 403 403 403 403 204 spent
POST /projects/{project}/media/bucket                                401 403 403 404 403 422 422
GET /projects/{project}/export                                       401 403 200 404 200 200 200
GET /projects/{project}/annotations                                  401 403 200 404 200 200 200
POST /projects/{project}/annotations                                 401 403 403 404 403 200 200
POST /projects/{project}/predict                                     401 403 409 404 403 409 409
GET /projects/{project}/predictions                                  401 403 200 404 200 200 200
POST /projects/{project}/predictions                                 401 403 403 404 403 409 409
GET /projects/{project}/rounds/{number}/compare-predictions/{version} 401 403 404 404 404 404 404
GET /projects/{project}/rounds/{number}/compare/{other}              401 403 200|409 404 200|409 200|409 200|409
GET /projects/{project}/rounds/{number}/slices                       401 403 200|409 404 200|409 200|409 200|409
GET /projects/{project}/rounds/{number}/labels                       401 403 200 404 200 200 200
GET /projects/{project}/rounds/{number}/learner                      401 403 409 404 409 409 409
POST /projects/{project}/learner-comparisons                         401 403 403 404 403 202|409 202|409
GET /projects/{project}/learner-comparisons                          401 403 403 404 200 200 200
GET /projects/{project}/learner-comparisons/{job}                    401 403 403 404 404 404 404
POST /scorer/test                                                    401 422 422 422 403 422 422
POST /projects/{project}/scorer/test                                 401 403 403 404 403 422 422
POST /projects/{project}/scorer/secret                               401 403 403 404 403 409 409
GET /projects/{project}/simulations/ready                            401 403 403 404 200 200 200
POST /projects/{project}/simulations                                 401 403 403 404 403 422 422
GET /projects/{project}/simulations                                  401 403 403 404 200 200 200
GET /projects/{project}/simulations/{simulation}                     401 403 403 404 404 404 404
DELETE /projects/{project}/simulations/{simulation}                  401 403 403 404 403 404 404 spent
POST /projects/{project}/simulations/{simulation}/resume             401 403 403 404 403 404 404
POST /projects/{project}/simulations/{simulation}/apply              401 403 403 404 403 404 404
GET /projects/{project}/simulations/{simulation}/curves.csv          401 403 403 404 404 404 404
GET /projects/{project}/simulations/{simulation}/curves.svg          401 403 403 404 404 404 404
POST /projects/{project}/snapshots                                   401 403 403 404 403 202 202
GET /projects/{project}/snapshots                                    401 403 403 404 200 200 200
GET /projects/{project}/snapshots/{name}                             401 403 403 404 200 200 200
DELETE /projects/{project}/snapshots/{name}                          401 403 403 404 403 204 204 spent
GET /projects/{project}/snapshots/{name}/export                      401 403 403 404 200|409 200|409 200|409
GET /projects/{project}/snapshots/{name}/diff                        401 403 403 404 200|409 200|409 200|409
POST /projects/{project}/webhooks                                    401 403 403 404 403 201 201
GET /projects/{project}/webhooks                                     401 403 403 404 200 200 200
PATCH /projects/{project}/webhooks/{webhook}                         401 403 403 404 403 200 200
DELETE /projects/{project}/webhooks/{webhook}                        401 403 403 404 403 204 204 spent
POST /projects/{project}/webhooks/{webhook}/test                     401 403 403 404 403 202 202
GET /projects/{project}/webhooks/{webhook}/deliveries                401 403 403 404 200 200 200
POST /projects/{project}/media                                       401 403 403 404 403 201 201
POST /setup/{code}                                                   404 404 404 404 404 404 404
POST /invitations/{code}/accept                                      404 404 404 404 403 404 404
POST /password/{code}                                                404 404 404 404 404 404 404
GET /healthz                                                         200 200 200 200 200 200 200
GET /readyz                                             200|503 200|503 200|503 200|503 200|503 200|503 200|503
GET /metrics                                                         401 200 200 200 200 200 200
"""

# The pages, by the same columns; they are no part of the description of the API.
PAGES = """
GET /                                              303 303 303 303 303 303 303
GET /projects                                      303 200 200 200 200 200 200
GET /projects/new                                  303 200 200 200 200 200 200
POST /projects/new/parquet                         401 422 422 422 403 422 422
GET /account                                       303 200 200 200 200 200 200
GET /accounts                                      303 403 403 403 403 403 200
GET /tokens                                        303 200 200 200 200 200 200
GET /buckets                                       303 403 403 403 403 403 200
GET /audit-log                                     303 403 403 403 403 403 200
GET /docs                                          303 200 200 200 200 200 200
GET /sign-in                                       200 303 303 303 303 303 303
GET /setup/{code}                                  404 404 404 404 404 404 404
GET /invitations/{code}                            404 404 404 404 404 404 404
GET /password/{code}                               404 404 404 404 404 404 404
GET /enter/{code}                                  404 404 404 404 404 404 404
GET /projects/{project}                            303 303 303 404 303 303 303
GET /projects/{ref}/annotate                       303 200 200 404 200 200 200
GET /projects/{ref}/my-answers                     303 200 200 404 200 200 200
GET /projects/{project}/overview                   303 403 200 404 200 200 200
GET /projects/{ref}/rounds                         303 403 200 404 200 200 200
GET /projects/{ref}/rounds/{number}                303 403 200 404 200 200 200
GET /projects/{ref}/rounds/{number}/compare/{other} 303 403 200 404 200 200 200
GET /projects/{ref}/items                          303 303 200 404 200 200 200
GET /projects/{ref}/import                         303 403 403 404 200 200 200
GET /projects/{project}/people                     303 403 403 404 200 200 200
GET /projects/{project}/simulate                   303 403 403 404 200 200 200
GET /projects/{project}/export                     303 403 403 404 200 200 200
GET /projects/{project}/settings                   303 403 403 404 200 200 200
GET /projects/{project}/webhooks                   303 403 403 404 200 200 200
GET /projects/{project}/watch                      303 403 404 404 404 404 404
GET /projects/{project}/demo/race                  303 200 200 404 200 200 200
POST /projects/{project}/demo/race                 401 403 403 404 403 409 409
POST /projects/{project}/demo/reset                401 403 403 404 403 409 409
POST /demo                                         401 403 403 403 403 403 201
"""

LABEL = {"class": "cat"}
ROWS = [{"key": "item-0", "label": LABEL, "origin": "import"}]
TASK = {"type": "classification", "classes": ["cat", "dog"]}
HTTP = {"name": "http", "url": "https://127.0.0.1/score"}


def bodies(ids: dict[str, Any]) -> dict[str, Any]:
    """A body for each route that needs one to get as far as its guard."""
    return {
        "POST /annotations": {"lease": ids["lease"], "label": LABEL},
        "PUT /annotations/{annotation}": {"label": LABEL},
        "POST /items/{item}/flags": {"note": "look at this"},
        "PATCH /flags/{flag}": {"state": "closed"},
        "POST /projects/{project}/leases": {"count": 1},
        "POST /leases/{lease}/skip": {},
        "POST /session": {"name": "nobody of this name", "password": "no password of this kind"},
        "POST /session/password": {"old_password": "x", "new_password": "words of some length"},
        "POST /users": {"name": f"new-{uuid4()}", "password": "words of some length"},
        "PATCH /users/{user}": {"active": True},
        "POST /tokens": {"name": "one more", "scopes": ["read"], "expires_in": 60},
        "POST /projects": {"name": "One more", "modality": "text", "task": TASK},
        "PATCH /projects/{project}": {"name": "Other"},
        "POST /projects/{project}/members": {"user": "U2", "role": "annotator"},
        "PATCH /projects/{project}/members/{user}": {"role": "annotator"},
        "POST /projects/{project}/invitations": {},
        "POST /projects/{project}/classes": {"name": f"class {uuid4()}"},
        "PATCH /projects/{project}/classes/{number}": {"description": "Lows"},
        "POST /projects/{project}/classes/{number}/merge": {"into": 1},
        "POST /projects/{project}/select": {"count": 1},
        "POST /projects/{project}/audit-request": {"count": 1},
        "POST /projects/{project}/items/bulk": {"keys": ["item-5"], "set": {"priority": 1}},
        "POST /projects/{project}/items/bulk/undo": {"undo_token": "none"},
        "POST /projects/{project}/items": [{"key": f"{uuid4()}", "text": "one more"}],
        "PATCH /items/{item}": {"priority": 1},
        "PUT /items/{item}/label": {"label": LABEL},
        "POST /projects/{project}/media/bucket": {"bucket": "none"},
        "POST /projects/{project}/annotations": ROWS,
        "POST /projects/{project}/predict": {"items": [{"text": "bark"}]},
        "POST /projects/{project}/predictions": [{"key": "item-0", "probabilities": {"cat": 1, "dog": 0, "cow": 0}}],
        "POST /projects/{project}/learner-comparisons": {"learners": [{"name": "ridge"}, {"name": "logistic"}]},
        "POST /scorer/test": {"learner": HTTP, "items": [{"text": "bark"}], "classes": ["cat", "dog"]},
        "POST /projects/{project}/scorer/test": {"learner": HTTP},
        "POST /projects/{project}/simulations": {"strategies": [{"name": "margin"}]},
        "POST /projects/{project}/snapshots": {"name": f"s{uuid4().hex[:8]}"},
        "POST /projects/{project}/webhooks": {"url": "https://1.1.1.1/hook", "events": ["goal.reached"]},
        "PATCH /projects/{project}/webhooks/{webhook}": {"active": False},
        "POST /setup/{code}": {"name": "Another", "password": "words of some length"},
        "POST /password/{code}": {"password": "words of some length"},
        "POST /invitations/{code}/accept": {"name": "Another", "password": "words of some length"},
    }


QUERIES = {
    "GET /projects/{project}/items/count": "?status=open",
    "POST /projects/{project}/predictions": "?model=m&version=1",
    "GET /projects/{project}/snapshots/{name}/diff": "?with=first",
}
