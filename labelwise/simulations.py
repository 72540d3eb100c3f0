"""Simulations: which query strategy would have saved most of the labels that a project has?"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from labelwise.errors import LabelwiseError
from labelwise.speaking import Speaking

WAIT_SECONDS = 10
LIVE = ("waiting", "running")


class Simulation:
    """Strategies compared on a project's labels; `card` is what the service says of it, with its outcome in `found`."""

    def __init__(self, client: Speaking, project: str, number: int) -> None:
        self._client = client
        self._path = f"{project}/simulations/{number}"
        self.id = number
        self.card: dict[str, Any] = {}
        self.refresh()

    @property
    def winner(self) -> str | None:
        """The strategy that is ahead of all others beyond chance; None where nobody is."""
        found: str | None = self.card["found"]["verdict"]["winner"]
        return found

    @property
    def verdict(self) -> str:
        """Who won, or why nobody can tell, in one sentence."""
        return str(self.card["found"]["verdict"]["text"])

    def refresh(self) -> None:
        """Ask the service again."""
        self.card = self._client.call("GET", self._path)

    def wait(self, progress: Callable[[dict[str, Any]], Any] | None = None) -> "Simulation":
        """Wait for its end; `progress` hears of `fraction`, `done`, `total` runs and `seconds_left`.

        Raises LabelwiseError where it was stopped or failed.
        """
        while self.card["state"] in LIVE:
            self._client.call("GET", f"/jobs/{self.card['job']}", params={"wait": WAIT_SECONDS})
            self.refresh()
            if progress is not None and self.card["progress"]:
                progress(self.card["progress"])
        if self.card["state"] != "done":
            why = f"simulation {self.id} {self.card['state']}: {self.card['reason']}"
            raise LabelwiseError(0, "JobFailed", why, self.card)
        return self

    def stop(self) -> None:
        """Stop it; finished runs are kept."""
        self._client.call("DELETE", f"/jobs/{self.card['job']}")

    def resume(self) -> None:
        """Go on behind the finished runs."""
        self._client.call("POST", f"{self._path}/resume")
        self.refresh()

    def apply(self) -> dict[str, Any]:
        """Make the winner the project's strategy; the strategy that the project has now."""
        found: dict[str, Any] = self._client.call("POST", f"{self._path}/apply")["strategy"]
        return found

    def curves(self, kind: str = "csv") -> Iterator[bytes]:
        """Every accuracy of every run as `csv`, or the picture as `svg`."""
        return self._client.stream(f"{self._path}/curves.{kind}")

    def delete(self) -> None:
        """Delete it for good."""
        self._client.call("DELETE", self._path)


class Simulating:
    """The part of a project that compares strategies on its labels."""

    _client: Speaking
    _path: str

    def simulate(self, strategies: Iterable[str | Mapping[str, Any]] = ("auto",), **design: Any) -> Simulation:
        """Begin to replay the labelled items with each strategy, and with random; `wait` for the end.

        A strategy is a name, or `{"name": "vote_entropy", "heads": 4}`. `design` may have `seeds`, `labels`,
        `round_size`, `noise`, `imbalance` and `target`.
        """
        named = [{"name": each} if isinstance(each, str) else dict(each) for each in strategies]
        begun = self._client.call("POST", f"{self._path}/simulations", json={"strategies": named, **design})
        return Simulation(self._client, self._path, begun["simulation"])

    def simulation(self, number: int) -> Simulation:
        """The simulation of that number."""
        return Simulation(self._client, self._path, number)
