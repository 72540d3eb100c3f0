// What REST says of rounds: one of them, its worst slices, and two side by side; and how its numbers are said.
import { html, svg, type TemplateResult } from "lit";
import type { ClassRef } from "./balance";
import type { Estimate } from "./charts";
import { count, fromTo, isWide, percent } from "./figures";
import type { RoundRow } from "./overview";
import type { Stopping } from "./stopping";

export type Found = (filter: string) => string;

/** What the page knows of its project. */
export interface Place {
  id: number;
  slug: string;
  manager: boolean;
}

/** The judged items outside of a slice; rounds of earlier releases kept no interval. */
export type Rest = Pick<Estimate, "value" | "n"> & Partial<Pick<Estimate, "low" | "high">>;

export interface Slice {
  words: string;
  filter: string | null;
  accuracy: Estimate;
  rest: Rest;
  wrong: number;
  chance: number;
  worse: boolean; // at every look
  likely: boolean; // at this one alone
}

export interface Slices {
  looked_at: number;
  left_out: number;
  worse: number;
  worst: Slice[];
  stratum: "audit" | "imported";
  judged: number;
}

/** The probability from which on items are taken, the share of the class that is found, of the others that is taken too, and how much of what is taken is right. */
export type Threshold = [from: number, found: number, alarms: number, right: number];

/** At a threshold: how many items are taken, and the ends of what is found and of what is right. */
export type Bounds = [taken: number, ...found: [low: number, high: number], ...right: [low: number, high: number]];

export interface Ranked {
  class_id: number;
  roc_auc?: Estimate | null;
  average_precision?: Estimate | null;
  thresholds?: Threshold[] | null;
  bounds?: Bounds[] | null; // one a threshold; rounds of earlier releases kept none
}

/** Of a class that may hold beside others: items on which it was found, missed, said in vain, or rightly not said. */
export interface Counts {
  found: number;
  missed: number;
  false_alarms: number;
  rejected: number;
}

export interface ClassRow extends Ranked {
  recall: Estimate | null; // of the answers that name the class
  precision: Estimate | null; // of the items that were taken for it
  f1: Estimate | null;
  counts?: Counts;
}

/** How far what is said and what comes true are apart; rounds of earlier releases kept no interval, or no `from`. */
export interface Calibration {
  error: number;
  low?: number;
  high?: number;
  n?: number;
  bins: { from?: number; said: number; was: number; low?: number; high?: number; n: number }[];
}

export interface Metrics {
  accuracy: Estimate | null;
  macro_f1?: Estimate | null;
  balanced_accuracy?: Estimate | null;
  mean_absolute_error?: Estimate | null;
  stratum: "audit" | "imported" | null;
  reason: string | null;
  macro_average_precision?: Estimate | null;
  macro_roc_auc?: Estimate | null;
  classes?: ClassRow[];
  confusion?: number[][];
  calibration?: Calibration | null;
  slices?: Slices | null;
  how?: { choice: "random" | "active" }; // the audit items were drawn
  stopping?: { advice: Stopping };
}

export interface RoundDetail extends Omit<RoundRow, "metrics"> {
  metrics: Metrics | null;
  learner: Record<string, unknown>;
  featurizer: string;
  seed: number;
  classes: number[]; // the ids of the confusion's columns
  erased: number;
  judged: { right: number; wrong: number; tied: number } | null; // null where its record is not kept
  words: { how: string | null }; // what is done to the audit answers beside counting them
}

export interface Difference extends Estimate {
  gained: number;
  lost: number;
  chance: number;
  verdict: "better" | "worse" | "cannot tell";
}

interface Changed {
  count: number;
  filter: string | null; // null: too many for one
  items: { item: number; key: string | null; first: Named; second: Named; answer: Named }[];
}

export type Named = string | string[] | null;

export interface Comparison {
  rounds: (Pick<RoundRow, "number" | "labels" | "strategy" | "published_at"> & { accuracy: Estimate | null })[];
  words: string;
  accuracy: {
    stratum: "audit" | "imported";
    first: Estimate;
    second: Estimate;
    difference: Difference;
    ties: number;
    corrected: number;
  } | null;
  classes: { class: ClassRef; first: Estimate | null; second: Estimate | null; difference: Difference | null }[];
  gained: Changed | null; // null for those who may not know which items judge
  lost: Changed | null;
  predictions: {
    items: number;
    changed: number;
    share: Estimate | null;
    filter: string;
    moves: { from: { name: string }; to: { name: string }; count: number; filter: string }[];
  };
  labels: { first: number; second: number; added: number; gone: number; filter: string; gone_filter: string };
  settings: { name: string; first: unknown; second: unknown }[];
}

export const judges = (stratum: string | null): string => (stratum === "imported" ? "test items" : "audit answers");

/** A number with its band; a wide band alone. */
export function estimated(estimate: Estimate | null | undefined): TemplateResult | string {
  if (!estimate) return "–";
  if (isWide(estimate.low, estimate.high)) return fromTo(estimate.low, estimate.high);
  return html`<span>${percent(estimate.value, 1)} <small>${fromTo(estimate.low, estimate.high)}</small></span>`;
}

/** The same in a sentence, the band in brackets. */
export function inSentence(estimate: Estimate | null | undefined): TemplateResult | string {
  if (!estimate || isWide(estimate.low, estimate.high)) return estimated(estimate);
  return html`${percent(estimate.value, 1)} <small>(${fromTo(estimate.low, estimate.high)})</small>`;
}

/** What is right outside of a slice, and of how many. */
export function restOf(rest: Rest | null): TemplateResult | string {
  if (!rest) return "–";
  const { value, low, high, n } = rest;
  const said = low === undefined || high === undefined ? percent(value, 1) : estimated({ value, low, high, n });
  return html`<span>${said} <small>of ${count(n)}</small></span>`;
}

export const points = (share: number): string =>
  `${share > 0 ? "+" : share < 0 ? "−" : ""}${Math.abs(100 * share).toFixed(1)}`;

/** A difference in points with its ends: "+4.2 (−1.0 to +9.1)". */
export const difference = (given: Difference | null): TemplateResult | string =>
  given ? html`<span>${points(given.value)} <small>${points(given.low)} to ${points(given.high)}</small></span>` : "–";

const SIDE = 100; // of the drawing, from nought to either end

/** A difference as a dot with its band on an axis around nought, in points to `reach`. */
export function whisker(given: Difference, reach: number): TemplateResult {
  const at = (share: number): number => SIDE + (SIDE * Math.max(-reach, Math.min(reach, share))) / reach;
  const look = given.verdict === "better" ? "better" : given.verdict === "worse" ? "worse" : "unsure";
  return html`<svg class="whisker ${look}" viewBox="0 0 ${2 * SIDE} 12" preserveAspectRatio="none" aria-hidden="true">
    ${svg`<line class="nought" x1=${SIDE} x2=${SIDE} y1="0" y2="12"></line>
    <line class="band" x1=${at(given.low)} x2=${at(given.high)} y1="6" y2="6"></line>
    <rect class="value" x=${at(given.value) - 1.5} y="2" width="3" height="8"></rect>`}</svg>`;
}

/** A number that leads to the items behind it, where there are any and the reader may see them. */
export const linked = (n: number, filter: string | null, found: Found, words = ""): TemplateResult =>
  n && filter !== null ? html`<a href=${found(filter)}>${count(n)}${words}</a>` : html`${count(n)}${words}`;

export const strategyOf = ({ strategy }: Pick<RoundRow, "strategy">): string => {
  if (typeof strategy === "string") return strategy;
  return strategy.ran && strategy.ran !== strategy.name ? `${strategy.name}: ${strategy.ran}` : (strategy.name ?? "–");
};
