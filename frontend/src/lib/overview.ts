// What the overview's REST answer holds, and how its numbers are said.
import type { Measure } from "./axis";
import type { Balance, ClassRef } from "./balance";
import type { Estimate, Point, Series } from "./charts";
import { count, fromTo, isWide, percent } from "./figures";
import type { Robustness } from "./robustness";
import type { Slices } from "./rounds";
import type { Clip, Film, Picture } from "./serving";
import type { Stopping } from "./stopping";

export interface Status {
  version: string;
  state: string;
  items: {
    total: number;
    open: number;
    answered: number;
    skipped: number;
    stuck: number; // skipped by three people: not offered any more
    flagged: number; // with a note that nobody has closed
    excluded: number;
    failed: number;
    test: number;
  };
  annotations: number;
  audit: { answers: number; accuracy: Estimate | null };
  no_learner: string | null; // why none runs
  queue: { depth: number; round: number | null; age_seconds: number | null };
  worker: { alive: boolean; last_seen: string | null };
  round: {
    state: string | null;
    step: string | null;
    progress: number | null;
    due_in: number;
    size: number;
    reason?: string | null;
    number?: number; // of the round that waits for predictions
  };
  features: {
    featurizer: string | null;
    sentence: string | null;
    busy: boolean;
    done: number | null;
    total: number | null;
  };
  fallback: string | null;
  strategy: string | null;
  last_failure: { kind: string; reason: string | null; at: string } | null;
  goal: { accuracy?: number; labels?: number } | null;
  goal_parts: GoalPart[];
  advice: { stop: boolean; text: string };
}

/** A part of the goal; `share` of the way is null where it cannot be told. */
export interface GoalPart {
  name: "accuracy" | "labels" | "hours" | "cost" | "date";
  target: number | string;
  share: number | null;
  reached: boolean;
  words: string;
}

export interface CurvePoint {
  round: number;
  labels: number;
  hours: number | null; // of active work so far; null of rounds that kept none
  accuracy: Estimate | null;
  stratum: "audit" | "imported" | null;
  twin: { labels: number; random: Estimate | null; chosen: Estimate | null } | null;
}

export interface RoundRow {
  number: number;
  state: string;
  labels: number;
  strategy: { name?: string; ran?: string } | string;
  sentence: string | null;
  fallback: string | null;
  reason?: string | null;
  model: string | null; // an outside model and its version
  metrics: { accuracy?: Estimate | null; macro_f1?: Estimate | null } | null;
  seconds: Record<string, number> | null;
  published_at: string | null;
}

/** What the newest round knows of the time that answers take. */
export interface Cost {
  answers: number;
  needs: number;
  hours: number;
  hour_price: number | null;
  asked: { random: number | null; chosen: number | null }; // mean seconds of an answer
  exponent: number;
}

/** What a manager asked for: audit items ahead of the share; `open` are there to be asked for, 1,000 at most. */
export interface AuditRequest {
  request: { count: number; left: number; in_hands: number } | null;
  open: number;
  needed: number; // more audit answers for a band of plus or minus 10 points, 0 where it is narrow
  words: string;
}

export interface Overview {
  status: Status;
  curve: CurvePoint[];
  cost: Cost | null; // null until a round is evaluated
  drift: { alarm: boolean; items: number }; // new items that look unlike the earlier ones
  robustness: Robustness | null; // null before a look
  random: { name: string; points: { labels: number; accuracy: Estimate }[] } | null;
  balance: Balance[];
  balance_of: "audit" | "imported";
  balance_round: number | null; // that counted the labels; null: counted now
  audit_request: AuditRequest | null; // null for reviewers
  disputed: number; // items whose votes are a tie
  doubtful: number; // labelled items that the model takes for another class
  pace: {
    today: number;
    last_7_days: { day: string; answers: number; items: number }[];
    items_7_days: number;
    seconds_median: number | null;
  };
  audit_use: "taught" | "apart"; // whether audit answers teach beside judging
  audit_choice: "random" | "active"; // how the next audit items are drawn
  how: { choice: "random" | "active"; estimate: "counted" | "prediction_powered" } | null; // of the newest round
  stopping: Stopping | null; // null until a round is evaluated
  slices: (Slices & { round: number }) | null; // of the newest evaluated round
  rounds: RoundRow[];
  words: {
    accuracy: string;
    how: string | null; // what is done to the audit answers beside counting them
    unanswered: string | null; // audit items that were given out in vain
    error: string | null;
    cost: string | null; // what an answer takes, and how well that is known
    drift: string | null; // how the new items compare with the earlier ones; null where none came in
    slices: string | null; // where the model is worst
    robustness: string | null; // the worst disturbance
    saved: string | null; // labels saved by choosing, or that it cannot be told yet
    goal: string;
    loop: string;
    strategy: string | null;
  };
}

export interface WallItem {
  id: number;
  key: string;
  text?: string;
  image?: Picture;
  audio?: Clip;
  video?: Film;
  row?: Record<string, unknown>;
  probability: number;
}

export interface Wall {
  round: number | null;
  piles: { class: ClassRef; items: WallItem[]; total: number }[]; // `total` of all items that have a prediction
}

const REACH = 20; // labels

/** The curves of a project: its own, and beside it random's, where one is known. */
export function curves(overview: Overview, measure: Measure): Series[] {
  const own: Point[] = overview.curve.flatMap((each) => {
    const at = measure.of(each);
    return each.accuracy && at !== null ? [place(at, each.accuracy)] : [];
  });
  own.sort((one, other) => one.x - other.x); // an own model may have learned from fewer labels than the round before it
  const series: Series[] = [{ name: "this project", style: "chosen", points: own }];
  const random = overview.random;
  // A race of 200 labels beside ten answers would press the project's own curve into a corner.
  const reach = 2 * (overview.curve.at(-1)?.labels ?? 0) + REACH;
  const points = (random?.points ?? [])
    .filter(({ labels }) => labels <= reach)
    .flatMap(({ labels, accuracy }) => {
      const at = measure.random(labels);
      return at === null ? [] : [place(at, accuracy)];
    });
  if (random && points.length > 0) series.push({ name: random.name, style: "twin", points });
  return series;
}

const place = (x: number, accuracy: Estimate): Point => ({
  x,
  y: accuracy.value,
  low: accuracy.low,
  high: accuracy.high,
});

/** What chosen and as many random labels teach, each with its band of one look; whether that is chance, `saved` says. */
export function twinWords(overview: Overview): string | null {
  const last = overview.curve.at(-1);
  const twin = last?.twin;
  if (!twin?.random || !twin.chosen) return null;
  const { random, chosen } = twin;
  if (isWide(random.low, random.high) || isWide(chosen.low, chosen.high)) return null;
  const band = ({ value, low, high }: typeof random): string => `${percent(value)} (${fromTo(low, high)})`;
  const judges = last?.stratum === "imported" ? "test items" : "audit answers";
  return `${count(twin.labels)} chosen labels give ${band(chosen)}, as many random ones ${band(random)}, judged by ${count(random.n)} ${judges}.`;
}

const STEPS: Record<string, string> = {
  train: "training",
  sample: "sampling the pool",
  prepare: "preparing",
  score: "scoring the pool",
  choose: "choosing the next items",
  publish: "publishing the order",
  evaluate: "measuring its accuracy",
  compare: "comparing it with random answers",
};

/** What the loop is doing right now, in words. */
export function loopWords(status: Status): string {
  if (status.features.busy && !status.queue.round) return featureWords(status);
  const round = status.round;
  if (round.state === "running") return `A round is running: ${STEPS[round.step ?? ""] ?? round.step ?? "starting"}.`;
  if (round.state === "waiting_for_predictions") return `Round ${round.number} waits for predictions.`;
  if (round.state === "waiting" && round.due_in > 0) return "A round waits to start.";
  if (round.state === "waiting") return "A round is due and starts shortly.";
  if (status.features.busy) return featureWords(status);
  if (status.items.total === 0) return "There are no items yet.";
  if (status.items.open === 0) return "Every item is answered.";
  if (round.due_in > 0)
    return `The next round starts after ${count(round.due_in)} more ${round.due_in === 1 ? "answer" : "answers"}.`;
  return "A round is due.";
}

function featureWords({ features }: Status): string {
  if (!features.total) return "The items are being read.";
  return `The items are being read: ${count(features.done ?? 0)} of ${count(features.total)}.`;
}

/** A moment as a person says it; the exact one belongs into the element's title. */
export function ago(moment: string | null, now = Date.now()): string {
  if (!moment) return "–";
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (seconds < 60) return "just now";
  const [size, unit] = seconds < 3600 ? [60, "minute"] : seconds < 86_400 ? [3600, "hour"] : [86_400, "day"];
  const many = Math.floor(seconds / Number(size));
  return `${many} ${unit}${many === 1 ? "" : "s"} ago`;
}
