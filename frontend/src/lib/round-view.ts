// One round: how good its model is, what it confuses, where it is worst, and what it rests on.
import { html, nothing, type TemplateResult } from "lit";
import type { ClassRef } from "./balance";
import type { Estimate } from "./charts";
import type { ColumnView } from "./column-view";
import { bar, count, percent, swatch } from "./figures";
import { ago } from "./overview";
import {
  type Calibration,
  type ClassRow,
  estimated,
  type Found,
  inSentence,
  judges,
  linked,
  type Metrics,
  type Place,
  type RoundDetail,
  strategyOf,
} from "./rounds";
import { slicesTable } from "./slices-view";
import { stacked } from "./stacked";
import { thresholds } from "./thresholds-view";

const MATRIX = 12; // classes up to which the whole matrix is drawn
const LARGEST = 8; // confusions in words
const HEATS = 5;

export function roundView(
  round: RoundDetail,
  classes: Map<number, ClassRef>,
  place: Place,
  found: Found,
  columns: ColumnView,
): TemplateResult {
  const { metrics } = round;
  const body = metrics?.accuracy
    ? measured(round, metrics, classes, place, found, columns)
    : html`<section class="card"><h2>How good it is</h2><p>${unmeasured(round)}</p></section>`;
  return html`${body} ${basis(round, place, found)}`;
}

function unmeasured({ state, reason, metrics }: RoundDetail): string {
  if (state === "published") return "Its metrics are being computed.";
  if (reason) return `Nothing is measured: ${reason}.`;
  if (metrics?.reason) return `Cannot tell yet: ${metrics.reason}.`;
  return state === "done"
    ? "Cannot tell yet: it had no model, for want of labels of two classes."
    : `The round is ${state.replaceAll("_", " ")}.`;
}

function measured(
  round: RoundDetail,
  metrics: Metrics,
  classes: Map<number, ClassRef>,
  place: Place,
  found: Found,
  columns: ColumnView,
): TemplateResult {
  const judged = (which: string): string | null => (place.manager ? `judged=${round.number}${which}` : null);
  const name = (id: number): ClassRef => classes.get(id) ?? { id, name: `class ${id}`, color: "#888888" };
  return html`<section class="card" aria-labelledby="good"><h2 id="good">How good it is</h2>
      <p class="figure">${estimated(metrics.accuracy)} <small>right, of ${linked(metrics.accuracy?.n ?? 0, judged(""), found)} ${judges(metrics.stratum)}${wrongOf(round, judged, found)}</small></p>
      <p class="quiet">Balanced accuracy ${inSentence(metrics.balanced_accuracy)}, macro F1 ${inSentence(metrics.macro_f1)}${metrics.mean_absolute_error ? offBy(metrics.mean_absolute_error) : nothing}.</p>
      ${made(round, metrics)}
    </section>
    <section class="card" aria-labelledby="worst"><h2 id="worst">Where it is worst</h2>
      ${slicesTable(metrics.slices, round.number, place.manager, found, metrics.how?.choice === "active")}
      ${columns.view(round.number)}</section>
    ${metrics.confusion ? confusion(round, metrics.confusion, name, judged, found) : nothing}
    ${metrics.classes ? perClass(metrics.classes, name, judged, found) : nothing}
    ${metrics.classes ? thresholds(metrics.classes, metrics, name, keptProbabilities(metrics) ? judged : null, found) : nothing}
    ${metrics.calibration ? calibration(metrics.calibration, judged, found) : nothing}`;
}

/** How many it is wrong about, as the link finds them: not what the accuracy leaves, where answers are weighed or divided. */
const wrongOf = ({ judged: of }: RoundDetail, judged: Judged, found: Found): TemplateResult | typeof nothing =>
  of
    ? html`; ${linked(of.wrong, judged(":wrong"), found)} wrong${of.tied ? `; of ${count(of.tied)} the answers are a tie` : ""}`
    : nothing;

const SPECK = 1e-5; // of a unit of the last place, much more than floats err

/** How far a rating lies from the answers, in its own unit, the ends rounded outward. */
function offBy({ value, low, high }: Estimate): TemplateResult {
  const [from, to] = [Math.floor(100 * low + SPECK) / 100, Math.ceil(100 * high - SPECK) / 100];
  return html`, off by ${value.toFixed(2)} <small>(${from.toFixed(2)} to ${to.toFixed(2)})</small> on the mean`;
}

/** What is done to the audit answers beside counting them, and what counts them as they are. */
function made({ words }: RoundDetail, { stratum, how }: Metrics): TemplateResult | typeof nothing {
  if (stratum !== "audit" || !words.how) return nothing;
  const counted =
    how?.choice === "active"
      ? " The other figures go by these chances too; the numbers of answers, of those that it is wrong about and of what it confuses count each answer once."
      : "";
  return html`<p class="quiet">${words.how}${counted}</p>`;
}

const keptProbabilities = ({ calibration }: Metrics): boolean => calibration?.bins[0]?.from !== undefined;

type Judged = (which: string) => string | null;

function confusion(
  { classes }: RoundDetail,
  matrix: number[][],
  name: (id: number) => ClassRef,
  judged: Judged,
  found: Found,
): TemplateResult {
  const cell = (truth: number, said: number): string | null => judged(`:${classes[truth]}:${classes[said]}`);
  const mistakes = matrix
    .flatMap((row, truth) => row.map((n, said) => ({ truth, said, n })))
    .filter((each) => each.n && each.truth !== each.said)
    .sort((one, other) => other.n - one.n);
  const wide = classes.length > MATRIX;
  return html`<section class="card" aria-labelledby="confusion"><h2 id="confusion">What it confuses</h2>
    ${mistakes.length === 0 ? html`<p>Nothing, so far.</p>` : nothing}
    <ul class="plain">${mistakes
      .slice(0, wide ? 3 * LARGEST : LARGEST)
      .map(
        ({ truth, said, n }) =>
          html`<li>${linked(n, cell(truth, said), found)}: <span class="long">${name(classes[truth] ?? 0).name}</span> taken for <span class="long">${name(classes[said] ?? 0).name}</span></li>`,
      )}</ul>
    ${wide ? nothing : grid(matrix, classes, name, cell, found)}</section>`;
}

function grid(
  matrix: number[][],
  classes: number[],
  name: (id: number) => ClassRef,
  cell: (truth: number, said: number) => string | null,
  found: Found,
): TemplateResult {
  return html`<details class="values"><summary>All pairs of classes</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion">
      <caption>Rows: what was answered. Columns: what the model takes it for.</caption>
      <thead><tr><td></td>${classes.map((id) => html`<th scope="col" class="number">${name(id).name}</th>`)}</tr></thead>
      <tbody>${matrix.map((row, truth) => {
        const all = Math.max(
          1,
          row.reduce((sum, n) => sum + n, 0),
        );
        return html`<tr><th scope="row">${name(classes[truth] ?? 0).name}</th>${row.map(
          (n, said) =>
            html`<td class="number heat-${Math.ceil((HEATS * n) / all)} ${truth === said ? "right" : ""}">${linked(n, cell(truth, said), found)}</td>`,
        )}</tr>`;
      })}</tbody></table></div></details>`;
}

function perClass(rows: ClassRow[], name: (id: number) => ClassRef, judged: Judged, found: Found): TemplateResult {
  const counted = rows.some((each) => each.counts);
  return html`<section class="card" aria-labelledby="classes"><h2 id="classes">Class by class</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Classes, table"><table ${stacked()}>
      <thead><tr><th scope="col">Class</th><th scope="col">Found (recall)</th><th scope="col">Right (precision)</th><th scope="col">F1</th>
        ${counted ? html`<th scope="col" class="number">Missed</th><th scope="col" class="number">False alarms</th>` : nothing}<th scope="col" class="number">Judged by</th></tr></thead>
      <tbody>${rows.map((each) => {
        const { name: words, color } = name(each.class_id);
        return html`<tr><th scope="row" class="long">${swatch(color)} ${words}</th><td>${estimated(each.recall)}</td>${precision(each, words)}
          <td>${estimated(each.f1)}</td>${counted ? html`<td class="number">${count(each.counts?.missed ?? 0)}</td><td class="number">${count(each.counts?.false_alarms ?? 0)}</td>` : nothing}
          <td class="number">${linked(each.recall?.n ?? 0, judged(`:${each.class_id}`), found)}</td></tr>`;
      })}</tbody></table></div></section>`;
}

/** Of how many items it is, where these are not as many as the class has answers. */
function precision({ precision: right, recall }: ClassRow, name: string): TemplateResult {
  if (!right || right.n === recall?.n) return html`<td>${estimated(right)}</td>`;
  const title = `${count(right.n)} ${right.n === 1 ? "item was" : "items were"} taken for ${name}`;
  return html`<td title=${title}><span>${estimated(right)} <small>of ${count(right.n)}</small></span></td>`;
}

function calibration({ error, low, high, n, bins }: Calibration, judged: Judged, found: Found): TemplateResult {
  const inside = (from?: number): string | null =>
    from === undefined ? null : judged(`:sure:${Math.round(10 * from)}`);
  const points = (share: number): string => (100 * share).toFixed(1);
  const band =
    low === undefined || high === undefined || n === undefined
      ? nothing
      : html` <small>(${points(low)} to ${points(high)}, ${linked(n, judged(""), found, n === 1 ? " item" : " items")}; with few of them chance alone keeps both apart)</small>`;
  return html`<section class="card" aria-labelledby="calibration"><h2 id="calibration">Does it know how sure it is?</h2>
    <p>What it says and what comes true are ${points(error)} points apart on the mean${band}.</p>
    <details class="values"><summary>Said and come true</summary><div class="scroll" tabindex="0" role="region" aria-label="Calibration, table"><table>
      <thead><tr><th scope="col" class="number">Said</th><th scope="col" class="number">Came true</th><th scope="col" class="number">Between</th><th scope="col" class="number">Items</th><td></td></tr></thead>
      <tbody>${bins.map(
        (each) =>
          html`<tr><td class="number">${percent(each.said)}</td><td class="number">${percent(each.was)}</td>
          <td class="number">${each.low === undefined || each.high === undefined ? "–" : `${percent(each.low)} and ${percent(each.high)}`}</td><td class="number">${linked(each.n, inside(each.from), found)}</td>
          <td>${bar(each.was, 1, "var(--accent)", { low: Math.min(each.said, each.was), high: Math.max(each.said, each.was) })}</td></tr>`,
      )}</tbody></table></div></details></section>`;
}

function basis(round: RoundDetail, place: Place, found: Found): TemplateResult {
  const learner = Object.entries(round.learner)
    .map(([key, value]) => (key === "name" ? String(value) : `${key} ${JSON.stringify(value)}`))
    .join(", ");
  const rows: [string, unknown][] = [
    [
      "Labels",
      html`${linked(round.labels, `learned=${round.number}`, found)}${round.erased ? ` (${count(round.erased)} erased since)` : ""}`,
    ],
    [
      "Chosen by",
      html`${strategyOf(round)}${round.sentence ? html`<br><span class="quiet">${round.sentence}</span>` : nothing}`,
    ],
    ["Learner", learner],
    ["Features", round.featurizer || "–"],
    ["Seed", round.seed],
    ["Published", html`<span title=${round.published_at ?? ""}>${ago(round.published_at)}</span>`],
  ];
  return html`<section class="card" aria-labelledby="basis"><h2 id="basis">What it rests on</h2>
    ${round.fallback ? html`<p class="wrong">Fallback: ${round.fallback}.</p>` : nothing}
    <dl class="pairs">${rows.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>
    ${round.published_at ? html`<p class="quiet">The same data, seed and versions give the same choice and figures: <code>labelwise rounds replay ${place.slug} ${round.number}</code></p>` : nothing}</section>`;
}
