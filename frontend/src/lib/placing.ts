// Where the words of a chart stand: on nothing that is written, and on as little as can be of what is drawn.

/** A rectangle of a drawing, in its units. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Where words may stand: their baseline, and whether they begin or end at `x`. */
export interface Spot {
  x: number;
  y: number;
  anchor: "start" | "end";
}

const LETTER = 8; // pixels of a letter, about
const [ABOVE, BELOW] = [12, 4]; // of the baseline
const NEAR = 3; // a line is as good as covered at this distance
const STEP = 6; // between the places of a line that are looked at
const ON_WORDS = 1_000;
const ON_LINE = 12; // covering one place of a line is as bad as being so many pixels further away

/** The spot with the least in the way, the earlier of two alike; `wanted` is the place that the words belong to. */
export function place(words: string, wanted: number, spots: Spot[], written: Box[], drawn: [number, number][]): Spot {
  const costs = spots.map((spot) => {
    const box = boxOf(words, spot);
    const texts = written.filter((each) => touches(box, each)).length;
    const lines = drawn.filter((each) => covers(box, each)).length;
    return ON_WORDS * texts + ON_LINE * lines + Math.abs(spot.y - wanted);
  });
  return spots[costs.indexOf(Math.min(...costs))] as Spot;
}

/** What words cover that stand there. */
export function boxOf(words: string, { x, y, anchor }: Spot): Box {
  const width = LETTER * words.length;
  const left = anchor === "start" ? x : x - width;
  return { left, top: y - ABOVE, right: left + width, bottom: y + BELOW };
}

/** Words moved sideways until they are within two ends; left of all where there is no room for them. */
export function within(words: string, spot: Spot, left: number, right: number): Spot {
  const box = boxOf(words, spot);
  const shift = Math.max(left - box.left, Math.min(0, right - box.right));
  return { ...spot, x: spot.x + shift };
}

/** Places along a line through some points, so that one can ask whether words would cover it. */
export function along(points: [number, number][]): [number, number][] {
  return points.flatMap((point, place) => {
    const [x, y] = points[place - 1] ?? point;
    const steps = Math.max(1, Math.ceil(Math.hypot(point[0] - x, point[1] - y) / STEP));
    return Array.from({ length: steps }, (_, step): [number, number] => {
      const share = (step + 1) / steps;
      return [x + (point[0] - x) * share, y + (point[1] - y) * share];
    });
  });
}

const touches = (one: Box, other: Box): boolean =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

const covers = (box: Box, [x, y]: [number, number]): boolean =>
  x > box.left - NEAR && x < box.right + NEAR && y > box.top - NEAR && y < box.bottom + NEAR;
