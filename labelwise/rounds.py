"""What the loop does: its status and its rounds."""

from typing import Any

from labelwise.handles import Job
from labelwise.speaking import Speaking


class InRounds:
    """The part of a project that learns in rounds."""

    _client: Speaking
    _path: str

    def status(self) -> dict[str, Any]:
        """What the loop is doing."""
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/status")
        return found

    def rounds(self) -> list[dict[str, Any]]:
        """Rounds, newest first."""
        found: list[dict[str, Any]] = self._client.call("GET", f"{self._path}/rounds")["items"]
        return found

    def round(self, number: int) -> dict[str, Any]:
        """One round with all its figures: `metrics` with intervals, the worst slices, each class."""
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/rounds/{number}")
        return found

    def compare_rounds(self, first: int, second: int) -> dict[str, Any]:
        """Two rounds side by side: accuracy on the same judges, predictions that moved, what was learned between them.

        Raises LabelwiseError (409) where one of them kept no record.
        """
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/rounds/{first}/compare/{second}")
        return found

    def slices(self, number: int, column: str | None = None) -> dict[str, Any]:
        """The items that judged a round, cut by a column of their metadata; without one, the `columns` there are.

        Raises LabelwiseError: 422 where no judged item has the column, 409 where no uniform sample judged the round.
        """
        params = {} if column is None else {"column": column}
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/rounds/{number}/slices", params=params)
        return found

    def compare_learners(self, first: dict[str, Any], second: dict[str, Any], timeout: float = 600) -> dict[str, Any]:
        """Two learners, as {"name": "ridge"}, fitted to the labels of now and held against each other, item by item.

        Waits for the job that does it. Raises LabelwiseError: 422 for what is no learner of ours, 409 where there are
        no features yet, and the reason of a job that failed, as where nothing judges both.
        """
        path = f"{self._path}/learner-comparisons"
        asked = self._client.call("POST", path, json={"learners": [first, second]})
        Job(self._client, asked["job"]["id"]).wait(timeout)
        found: dict[str, Any] = self._client.call("GET", f"{path}/{asked['job']['id']}")
        return found

    def start_round(self) -> Job:
        """Start a round now."""
        return Job(self._client, self._client.call("POST", f"{self._path}/rounds")["job"]["id"])

    def audit_request(self) -> dict[str, Any]:
        """The audit items that were asked for and are not answered (`request`), and how many are open (managers)."""
        found: dict[str, Any] = self._client.call("GET", f"{self._path}/audit-request")
        return found

    def ask_for_audit_items(self, count: int = 40) -> dict[str, Any]:
        """Let the next `count` items that people are served be audit items, which judge the model.

        Raises LabelwiseError: 409 where the project is not open, no audit item is, or a request runs already; 422 for
        more than are open.
        """
        found: dict[str, Any] = self._client.call("POST", f"{self._path}/audit-request", json={"count": count})
        return found

    def cancel_audit_request(self) -> None:
        """Go back to the audit share; what people hold stays theirs."""
        self._client.call("DELETE", f"{self._path}/audit-request")
