"""What moves in a clip, which way, where and when: blocks of one picture found again in the next."""

import numpy as np

from app.core.arrays import AnyArray, Floats

BLOCK = 8  # pixels a side
REACH = 6  # pixels that a block may have moved, each way
DIRECTIONS = 8
GRID = 4  # places a side that change is told of
EFFORT = 0.002  # of the full range of grey, for a pixel of distance: where nothing is to be seen, nothing moves
MOVING = 0.01  # strength of a block that is said to move
THIRDS = 3
# Of one pair: directions, two of the mean velocity, speed, moving share, places of change, brightness and colours.
PAIR = DIRECTIONS + 4 + GRID * GRID + 8
WIDTH = 4 * PAIR + 1


MOVES = np.array(
    sorted(
        ((x, y) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1) if x * x + y * y <= REACH * REACH),
        key=lambda move: move != (0, 0),  # none first
    )
)


def describe(pixels: Floats, moments: Floats, seconds: float) -> Floats:
    """A clip's pairs of pictures (n, 2, side, side, 3) as a vector, n a multiple of three.

    Mean and deviation over the pairs, change from third to third, and the logarithm of the length.
    """
    gaps = np.maximum(moments[:, 1] - moments[:, 0], 1e-3)
    grey = pixels.mean(axis=4)
    velocity, strength = block_movement(grey[:, 0], grey[:, 1])
    pairs = np.concatenate([_moving(velocity, strength, gaps * grey.shape[-1]), _changing(pixels, grey)], axis=1)
    thirds = pairs.reshape(THIRDS, -1, PAIR).mean(axis=1)
    parts = (pairs.mean(axis=0), pairs.std(axis=0), thirds[1] - thirds[0], thirds[2] - thirds[1])
    return np.concatenate([*parts, [np.log(max(seconds, 0.01))]]).astype(np.float32)


def block_movement(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Where each block of the first pictures (n, side, side) went, in pixels to the right and down, and how surely.

    (n, side / 8, side / 8, 2) and (n, side / 8, side / 8): the strength is by how much the block's pixels differ
    less, on the mean, from those at its new place than from those at its old one. 113 places are tried.
    """
    n, side = first.shape[:2]
    around = np.pad(second, ((0, 0), (REACH, REACH), (REACH, REACH)), mode="edge")
    costs = np.empty((len(MOVES), n, side // BLOCK, side // BLOCK), dtype=np.float32)
    differing = np.empty_like(first)
    for place, (x, y) in enumerate(MOVES):
        np.subtract(first, around[:, REACH + y : REACH + y + side, REACH + x : REACH + x + side], out=differing)
        np.abs(differing, out=differing)
        rows = differing.reshape(n, side // BLOCK, BLOCK, side).sum(axis=2)
        costs[place] = rows.reshape(n, side // BLOCK, -1, BLOCK).sum(axis=3)
    costs = costs / BLOCK**2 + EFFORT * np.hypot(*MOVES.T).astype(np.float32)[:, None, None, None]
    best = costs.argmin(axis=0)
    return MOVES.astype(np.float32)[best], costs[0] - costs.min(axis=0)


def _moving(velocity: Floats, strength: Floats, scale: Floats) -> AnyArray:
    """Directions and speeds of each pair (n, 12); `scale` (n,) makes pixels widths a second."""
    angle = np.arctan2(velocity[..., 1], velocity[..., 0]) / (2 * np.pi) * DIRECTIONS
    low, part = np.floor(angle).astype(int), angle - np.floor(angle)
    near, far = low % DIRECTIONS, (low + 1) % DIRECTIONS
    directions = [
        (strength * ((near == each) * (1 - part) + (far == each) * part)).sum(axis=(1, 2)) for each in range(DIRECTIONS)
    ]
    total = np.maximum(strength.sum(axis=(1, 2)), 1e-9) * scale
    mean = (velocity * strength[..., None]).sum(axis=(1, 2)) / total[:, None]
    speed = (np.hypot(velocity[..., 0], velocity[..., 1]) * strength).sum(axis=(1, 2)) / total
    share = (strength > MOVING).mean(axis=(1, 2))
    return np.column_stack([np.sqrt(np.stack(directions, axis=1)), np.cbrt(mean), np.cbrt(speed), share])


def _changing(pixels: Floats, grey: Floats) -> AnyArray:
    """Where each pair (n, 24) changes, and how bright and colourful it is."""
    n, side = len(grey), grey.shape[-1] // GRID
    change = np.abs(grey[:, 1] - grey[:, 0]).reshape(n, GRID, side, GRID, side).mean(axis=(2, 4))
    colours = pixels.mean(axis=(2, 3))
    turned = colours[:, 1] - colours[:, 0]
    contrast = grey[:, 0].std(axis=(1, 2))
    return np.column_stack(
        [np.sqrt(change).reshape(n, -1), colours[:, 0], turned, contrast, np.abs(turned).max(axis=1)]
    )
