// What the learning curve is drawn against: labels, hours of work or money.
import { html, nothing, type TemplateResult } from "lit";
import { count } from "./figures";
import type { CurvePoint, Overview } from "./overview";

export type Axis = "labels" | "hours" | "cost";

/** A measure of the way: how far a point is on it, where `labels` random answers would be, and how it is said. */
export interface Measure {
  name: string;
  of: (point: CurvePoint) => number | null;
  random: (labels: number) => number | null; // from the mean time of answers that chance asked for
  words?: (value: number) => string; // whole numbers unless told
}

const SHORT = 2; // hours, below which minutes are shown
export const LABELS: Measure = { name: "labels", of: (point) => point.labels, random: (labels) => labels };

/** Which axes can be drawn: hours once a round kept them, cost with a price of an hour. */
export function axesOf({ curve, cost }: Overview): Axis[] {
  if (!cost || !curve.some((each) => each.accuracy && each.hours)) return ["labels"];
  return cost.hour_price ? ["labels", "hours", "cost"] : ["labels", "hours"];
}

export function measureOf(overview: Overview, axis: Axis): Measure {
  const { cost, curve } = overview;
  if (axis === "labels" || !cost || !axesOf(overview).includes(axis)) return LABELS;
  const minutes = axis === "hours" && Math.max(...curve.map((each) => each.hours ?? 0)) < SHORT;
  const unit = axis === "cost" ? (cost.hour_price ?? 0) : minutes ? 60 : 1;
  const seconds = cost.asked.random;
  return {
    name: axis === "cost" ? "cost" : minutes ? "minutes of work" : "hours of work",
    of: ({ hours }) => (hours === null ? null : hours * unit),
    random: (labels) => (seconds === null ? null : ((labels * seconds) / 3600) * unit),
    words: said,
  };
}

/** A number with two places where it is small, and none where it is large. */
function said(value: number): string {
  return value < 100 ? String(Number(value.toFixed(2))) : count(Math.round(value));
}

/** The switch above the curve, nothing where there is only one axis. */
export function axisSwitch(
  overview: Overview,
  axis: Axis,
  choose: (axis: Axis) => void,
): TemplateResult | typeof nothing {
  const able = axesOf(overview);
  if (able.length < 2) return nothing;
  return html`<fieldset class="switch"><legend>Against</legend>${able.map(
    (each) =>
      html`<label><input type="radio" name="axis" .checked=${each === axis} @change=${() => choose(each)}> ${each}</label>`,
  )}</fieldset>`;
}

/** What the drawn axis leaves out or takes for granted. */
export function axisWords(overview: Overview, axis: Axis): string {
  const { cost, curve, random } = overview;
  if (axis === "labels" || !cost) return "";
  const missing = curve.filter((each) => each.accuracy && each.hours === null).length;
  const said = [
    axis === "cost" ? "Cost is active hours times their price today." : "Hours are active time, without pauses.",
  ];
  if (random && cost.asked.random !== null)
    said.push(`Random answers are counted at their own mean of ${cost.asked.random.toFixed(1)} s.`);
  if (random && cost.asked.random === null) said.push("Nobody timed random answers, so their curve is left out.");
  if (missing) said.push(`${count(missing)} earlier ${missing === 1 ? "round" : "rounds"} kept no hours.`);
  return said.join(" ");
}
