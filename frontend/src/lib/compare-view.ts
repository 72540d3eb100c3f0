// Two rounds side by side: which is better, what changed hands, what differs between them.
import { html, nothing, type TemplateResult } from "lit";
import { count, percent, swatch } from "./figures";
import {
  type Comparison,
  type Difference,
  difference,
  estimated,
  type Found,
  judges,
  linked,
  type Named,
  whisker,
} from "./rounds";
import { stacked } from "./stacked";

const MOVES = 12; // shown at once

export function compareView(found: Comparison, to: Found): TemplateResult {
  const numbers = found.rounds.map((each) => each.number);
  const names = numbers.map((each) => `round ${each}`);
  return html`${headline(found, numbers, to)} ${changes(found, names, to)} ${moves(found, numbers, to)}
    ${classes(found.classes, names)} ${differs(found, numbers, to)}`;
}

function headline({ words, accuracy, rounds }: Comparison, [first, second]: number[], to: Found): TemplateResult {
  if (!accuracy)
    return html`<section class="card" aria-labelledby="better"><h2 id="better">Which is better?</h2><p class="verdict">${words}</p></section>`;
  const { difference: apart } = accuracy;
  const notes = [
    accuracy.ties ? `${count(accuracy.ties)} whose answers are a tie are left out.` : "",
    accuracy.corrected
      ? `${count(accuracy.corrected)} were answered otherwise meanwhile; both are judged by the later answer.`
      : "",
  ].filter(Boolean);
  return html`<section class="card" aria-labelledby="better"><h2 id="better">Which is better?</h2>
    <p class="verdict">${words}</p>
    <div class="axis">${whisker(apart, reach([apart]))}<p aria-hidden="true"><span>round ${first} better</span><span>alike</span><span>round ${second} better</span></p></div>
    <p>${difference(apart)} points of accuracy on the same ${count(apart.n)} ${judges(accuracy.stratum)}:
      ${percent(accuracy.first.value, 1)} in round ${first}, ${percent(accuracy.second.value, 1)} in round ${second}.
      ${linked(rounds[0]?.labels ?? 0, `learned=${first}`, to)} and ${linked(rounds[1]?.labels ?? 0, `learned=${second}`, to)} labels.</p>
    ${notes.length ? html`<p class="quiet">${notes.join(" ")}</p>` : nothing}</section>`;
}

/** How far the axis goes, so that every band is whole. */
export const reach = (given: (Difference | null)[]): number =>
  Math.max(0.02, ...given.flatMap((each) => (each ? [Math.abs(each.low), Math.abs(each.high)] : [])));

/** What only one of two, by their names, is right about. */
export function changes(
  { gained, lost }: Pick<Comparison, "gained" | "lost">,
  [first = "", second = ""]: string[],
  to: Found,
): TemplateResult {
  if (!gained || !lost)
    return html`<section class="card" aria-labelledby="hands"><h2 id="hands">What changed hands</h2>
      <p class="quiet">Which items judge is for managers to see.</p></section>`;
  const none = html`<p>${capital(second)} is right and wrong about the same items as ${first}.</p>`;
  return html`<section class="card" aria-labelledby="hands"><h2 id="hands">What changed hands</h2>
    ${gained.count + lost.count ? html`${list(`Right with ${second} alone`, gained, names(first, second), to)} ${list(`Right with ${first} alone`, lost, names(first, second), to)}` : none}</section>`;
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
const names = (first: string, second: string): [string, string] => [
  `${capital(first)} says`,
  `${capital(second)} says`,
];

function list(
  words: string,
  { count: n, filter, items }: NonNullable<Comparison["gained"]>,
  [first, second]: [string, string],
  to: Found,
): TemplateResult {
  if (n === 0) return html`<h3>${words}: none</h3>`;
  return html`<h3>${words}: ${linked(n, filter, to, n === 1 ? " item" : " items")}</h3>
    <details class="values" ?open=${n <= 5}><summary>${n > items.length ? `The first ${items.length}` : "Which"}</summary>
    <div class="scroll high" tabindex="0" role="region" aria-label="${words}, table"><table ${stacked()}>
      <thead><tr><th scope="col">Item</th><th scope="col">${first}</th><th scope="col">${second}</th><th scope="col">Answered</th></tr></thead>
      <tbody>${items.map(
        (
          each,
        ) => html`<tr><th scope="row" class="long"><a href=${to(`key=${encodeURIComponent(each.key ?? "")}`)}>${each.key}</a></th>
        <td>${said(each.first)}</td><td>${said(each.second)}</td><td>${said(each.answer)}</td></tr>`,
      )}</tbody></table></div></details>`;
}

const said = (named: Named): string => (Array.isArray(named) ? named.join(", ") || "none" : (named ?? "–"));

function moves({ predictions }: Comparison, [first, second]: number[], to: Found): TemplateResult {
  const { items, changed, share, moves: rows, filter } = predictions;
  const line = (each: (typeof rows)[number]): TemplateResult =>
    html`<li>${linked(each.count, each.filter, to)}: <span class="long">${each.from.name}</span> to <span class="long">${each.to.name}</span></li>`;
  return html`<section class="card" aria-labelledby="moved"><h2 id="moved">Predictions that moved</h2>
    ${
      items === 0
        ? html`<p class="quiet">One of them had no model, or no item of the sample is open in both.</p>`
        : html`<p>${linked(changed, filter, to)} of ${count(items)} items of the fixed sample that were open in both are taken for another class in round ${second} than in round ${first}${share ? html`: ${percent(share.value, 1)} <small>(${percent(share.low, 1)} to ${percent(share.high, 1)})</small>. Items that were labelled in between, often the doubtful ones, are not among them` : nothing}.</p>
      <ul class="plain two">${rows.slice(0, MOVES).map(line)}</ul>
      ${rows.length > MOVES ? html`<details class="values"><summary>${count(rows.length - MOVES)} more pairs</summary><ul class="plain two">${rows.slice(MOVES).map(line)}</ul></details>` : nothing}`
    }</section>`;
}

/** Recall of each class with both of two, by their names, and the difference. */
export function classes(
  rows: Comparison["classes"],
  [first = "", second = ""]: string[],
): TemplateResult | typeof nothing {
  const judged = rows.filter((each) => each.difference);
  if (judged.length === 0) return nothing;
  const far = reach(judged.map((each) => each.difference));
  return html`<section class="card" aria-labelledby="by-class"><h2 id="by-class">Class by class</h2>
    <p class="quiet">How many of each class are found (recall). Each line is judged for itself.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Classes, table"><table ${stacked()}>
      <thead><tr><th scope="col">Class</th><th scope="col">${capital(first)}</th><th scope="col">${capital(second)}</th><th scope="col">Points</th><td></td>
        <th scope="col" class="number">Judged by</th></tr></thead>
      <tbody>${judged.map(
        (
          each,
        ) => html`<tr><th scope="row" class="long">${swatch(each.class.color)} ${each.class.name}</th><td>${estimated(each.first)}</td><td>${estimated(each.second)}</td>
        <td>${difference(each.difference)}</td><td class="drawn">${each.difference ? whisker(each.difference, far) : nothing}</td><td class="number">${count(each.difference?.n ?? 0)}</td></tr>`,
      )}</tbody></table></div></section>`;
}

function differs({ labels, settings }: Comparison, [first, second]: number[], to: Found): TemplateResult {
  return html`<section class="card" aria-labelledby="differs"><h2 id="differs">Labels and settings</h2>
    <p>Round ${second} learned from ${linked(labels.added, labels.filter, to)} items that round ${first} did not know, or from other answers to them${labels.gone ? html`; from ${linked(labels.gone, labels.gone_filter, to)} it did no more` : nothing}.</p>
    ${settings.length === 0 ? html`<p>All settings and versions are the same.</p>` : table(settings, first, second)}</section>`;
}

const table = (rows: Comparison["settings"], first?: number, second?: number): TemplateResult =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Settings, table"><table ${stacked()}>
    <thead><tr><th scope="col">Setting</th><th scope="col">Round ${first}</th><th scope="col">Round ${second}</th></tr></thead>
    <tbody>${rows.map((each) => html`<tr><th scope="row">${each.name.replaceAll("_", " ")}</th><td>${written(each.first)}</td><td>${written(each.second)}</td></tr>`)}</tbody></table></div>`;

/** A setting as a person writes it: a name with its parameters, a list, or a word. */
function written(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value !== "object") return String(value);
  const { name, ...more } = value as Record<string, unknown>;
  return [name, ...Object.entries(more).map(([key, each]) => `${key} ${JSON.stringify(each)}`)]
    .filter(Boolean)
    .join(", ");
}
