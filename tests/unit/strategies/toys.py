"""Small pools and labelled rows for the tests of strategies."""

from typing import Any

import numpy as np

from app.core.block import Block, Rows
from app.loop.executors import LocalExecutor
from app.loop.needs import Aims
from app.loop.propose import Labelled, Plan, Proposal, propose
from app.loop.simulate import OpenRows as Part
from app.strategies import POOL_STRATEGIES, Context, Need, ScoredRows


def unit(matrix: np.ndarray) -> np.ndarray:
    return (matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def pool(rows: int = 60, features: int = 5, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(rows, features)))


def clustered(rng: np.random.Generator, rows: int, width: int, clusters: int, noise: float) -> np.ndarray:
    centers = rng.normal(size=(clusters, width))
    return unit(centers[rng.integers(0, clusters, rows)] + noise * rng.normal(size=(rows, width)))


def ids_of(numbers: np.ndarray) -> np.ndarray:
    ids = np.zeros((len(numbers), 3), dtype=np.int64)
    ids[:, 0], ids[:, 2] = numbers, 1
    return ids


def labelled(matrix: np.ndarray, classes: list[int], columns: int = 3) -> Labelled:
    rows = len(classes)
    targets = np.eye(columns, dtype=np.float32)[classes].reshape(rows, columns)
    ids = ids_of(np.arange(100_000, 100_000 + rows))
    return Labelled(ids, Block(matrix[:rows]), targets, np.ones(rows), np.zeros(rows, dtype=bool))


def context_of(matrix: np.ndarray, given: Labelled, seed: int = 3) -> Context:
    """What a round knows that begins with these labelled rows, of a pool in one shard."""
    rows = Rows(ids_of(np.arange(len(matrix)) + 1), Block(matrix))
    return Context(
        labelled=given.block,
        targets=given.targets,
        classes=given.targets.shape[1],
        multiple=False,
        pool_rows=len(matrix),
        sample=ScoredRows(rows.ids, rows.block),
        modality="text",
        seed=seed,
        over=lambda function, *each: [function(0, rows, *(values[0] for values in each))],
    )


def takes_several(name: str) -> bool:
    """Whether the strategy is for questions in which several classes may hold, and no other."""
    return Need.SEVERAL_CLASSES in getattr(POOL_STRATEGIES.get(name), "needs", ())


def values_for(name: str) -> tuple[float, ...] | None:
    """The numbers of the three classes, for a strategy that asks for numbers."""
    return (1.0, 2.0, 3.0) if Need.NUMBERS in getattr(POOL_STRATEGIES.get(name), "needs", ()) else None


def run(
    name: str,
    matrix: np.ndarray | Block,
    given: Labelled,
    size: int = 10,
    cuts: int = 1,
    seed: int = 3,
    threads: int = 2,
    multiple: bool | None = None,
    aims: Aims | None = None,
    values: tuple[float, ...] | None = None,
    **parameters: Any,
) -> Proposal:
    """A round over the matrix in so many shards; rows are items from 1."""
    block = matrix if isinstance(matrix, Block) else Block(matrix)
    shards = [Part(block, rows) for rows in np.array_split(np.arange(len(matrix)), cuts)]
    several = takes_several(name) if multiple is None else multiple
    plan = Plan(
        (1, 2, 3),
        several,
        "text",
        strategy=name,
        strategy_parameters=parameters,
        size=size,
        seed=seed,
        values=values or values_for(name),
    )
    with LocalExecutor(threads) as executor:
        return propose(given, shards, plan, executor, lambda _step, _fraction: None, aims=aims)
