// Where the model is worst: a sentence, and the slices as a table, each with the items behind it.
import { html, nothing, type TemplateResult } from "lit";
import { count } from "./figures";
import { estimated, type Found, judges, linked, restOf, type Slice, type Slices } from "./rounds";
import { stacked } from "./stacked";

/** The filter behind a slice: for managers that of its judges, for others that of its items. */
export const behind = (round: number, which: string, filter: string | null, manager: boolean): string | null =>
  filter === null ? null : manager ? `judged=${round}${which}&${filter}` : filter;

/** The slices that are lowest, those first that are worse beyond chance. */
export function slicesTable(
  found: Slices | null | undefined,
  round: number,
  manager: boolean,
  to: Found,
  chosen = false,
): TemplateResult {
  if (!found && chosen) {
    return html`<p class="quiet">Audit items are chosen here, so they are no uniform sample: slices are not held against each other.</p>`;
  }
  if (!found) {
    return html`<p class="quiet">Nothing to cut by yet: a slice needs ten judged items with the same value in their metadata, and ten others.</p>`;
  }
  const bounds = found.left_out ? ` ${count(found.left_out)} more columns or values were left out.` : "";
  return html`<p class="quiet">${count(found.looked_at)} slices of ${count(found.judged)} ${judges(found.stratum)} were looked at, by metadata and by length.
      <em>Worse</em> holds after correcting for all of them, however often you look; <em>likely</em> for this look alone.${bounds}</p>
    ${found.worst.length ? table(found.worst, round, manager, to) : html`<p>None of them is behind the rest.</p>`}`;
}

function table(rows: Slice[], round: number, manager: boolean, to: Found): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Slices, table"><table ${stacked()}>
    <thead><tr><th scope="col">Slice</th><th scope="col">Verdict</th><th scope="col">Accuracy</th>
      <th scope="col">The rest</th><th scope="col" class="number">Wrong</th></tr></thead>
    <tbody>${rows.map(
      (each) => html`<tr><th scope="row" class="long">${each.words}</th>
      <td>${each.worse ? html`<strong>worse</strong>` : each.likely ? "likely worse" : html`<span class="quiet">cannot tell yet</span>`}</td>
      <td>${estimated(each.accuracy)}</td>
      <td>${restOf(each.rest)}</td>
      <td class="number"><span>${linked(each.wrong, behind(round, ":wrong", each.filter, manager), to)} of
        ${linked(each.accuracy.n, behind(round, "", each.filter, manager), to)}</span></td></tr>`,
    )}</tbody></table></div>`;
}

/** The sentence of the server, with ways to the items of the worst slice and to the page of all slices. */
export function slicesSentence(
  words: string,
  found: Slices & { round: number },
  all: string,
  manager: boolean,
  to: Found,
): TemplateResult {
  const first = found.worst[0];
  const filter = first ? behind(found.round, ":wrong", first.filter, manager) : null;
  const items = manager ? `The ${count(first?.wrong ?? 0)} wrong ones` : "Its items";
  return html`${words} ${first?.wrong && filter ? html`<a href=${to(filter)}>${items}</a>, ` : nothing}<a href=${all}>all slices</a>`;
}
