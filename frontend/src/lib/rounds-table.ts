// The rounds as a table: what each one learned from, how good its model was, how long it took.
import { html, nothing, type TemplateResult } from "lit";
import type { Estimate } from "./charts";
import { count } from "./figures";
import { ago, type RoundRow } from "./overview";
import { estimated, linked, strategyOf } from "./rounds";
import { stacked } from "./stacked";

/** Where the rounds have pages of their own, and which of them are ticked to be compared. */
export interface Ways {
  pages: string;
  manager: boolean; // may see which items judge
  picked?: number[];
  pick?: (number: number) => void;
}

const SHOWN = 20;
const WORDS: Record<string, string> = { waiting_for_predictions: "waits for predictions" };

/** So many of the rounds, newest first. */
export const newest = (rows: RoundRow[], most = rows.length): RoundRow[] =>
  [...rows].sort((one, other) => other.number - one.number).slice(0, most);

/** Newest first; the metrics of a round that was just published are still being computed and say so. */
export function roundsTable(rows: RoundRow[], found: (filter: string) => string, ways: Ways): TemplateResult {
  if (rows.length === 0) return html`<p class="quiet">No round has been run yet.</p>`;
  const sorted = newest(rows);
  const [shown, more] = [sorted.slice(0, SHOWN), sorted.slice(SHOWN)];
  return html`${table(shown, "Rounds, table", found, ways)}
    ${more.length ? html`<details class="values"><summary>${count(more.length)} earlier rounds</summary>${table(more, "Earlier rounds", found, ways)}</details>` : nothing}`;
}

function table(rows: RoundRow[], label: string, found: (filter: string) => string, ways: Ways): TemplateResult {
  const finished = rows.every((each) => each.state === "done"); // then nobody need be told
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>
    <table class="rounds" ${stacked()}>
      <thead>
        <tr>
          <th scope="col">Round</th>${ways.pick ? html`<th scope="col">Compare</th>` : nothing}${finished ? nothing : html`<th scope="col">State</th>`}<th scope="col" class="number">Labels</th>
          <th scope="col">Accuracy</th><th scope="col">Macro F1</th><th scope="col">Chosen by</th>
          <th scope="col" class="number">Seconds</th><th scope="col">Published</th>
        </tr>
      </thead>
      <tbody>${rows.map((each) => row(each, found, ways, finished))}</tbody>
    </table>
  </div>`;
}

function row(each: RoundRow, found: (filter: string) => string, ways: Ways, finished: boolean): TemplateResult {
  const why = each.fallback ?? each.reason ?? each.sentence ?? "";
  return html`<tr>
    <th scope="row"><a href="${ways.pages}/${each.number}">${each.number}</a></th>
    ${ways.pick ? html`<td>${each.published_at ? tick(each, ways) : nothing}</td>` : nothing}
    ${finished ? nothing : html`<td>${WORDS[each.state] ?? each.state}${each.reason && each.state === "failed" ? html`: ${each.reason}` : nothing}</td>`}
    <td class="number">${each.labels ? html`<a href=${found(`learned=${each.number}`)}>${count(each.labels)}</a>` : "0"}</td>
    <td><span>${metric(each, each.metrics?.accuracy)}${each.metrics?.accuracy ? html` <small>of ${linked(each.metrics.accuracy.n, ways.manager ? `judged=${each.number}` : null, found)}</small>` : nothing}</span></td>
    <td>${metric(each, each.metrics?.macro_f1)}</td>
    <td title=${why}>${strategyOf(each)}${each.model ? html` <small>by ${each.model}</small>` : nothing}${each.fallback ? html` <small>(${each.fallback})</small>` : nothing}</td>
    <td class="number">${seconds(each.seconds)}</td>
    <td title=${each.published_at ?? ""}>${ago(each.published_at)}</td>
  </tr>`;
}

const tick = ({ number }: RoundRow, { picked = [], pick }: Ways): TemplateResult =>
  html`<input type="checkbox" aria-label="Compare round ${number}" .checked=${picked.includes(number)} @change=${() => pick?.(number)}>`;

function metric(each: RoundRow, estimate: Estimate | null | undefined): TemplateResult | string {
  if (estimate) return estimated(estimate);
  return each.metrics === null && each.state === "published" ? "being computed" : "–";
}

function seconds(steps: Record<string, number> | null): TemplateResult | string {
  if (!steps) return "–";
  const each = Object.entries(steps)
    .map(([step, taken]) => `${step.replace("_", " ")} ${taken.toFixed(2)} s`)
    .join("\n");
  return html`<span title=${each}>${(steps.to_published ?? steps.total ?? 0).toFixed(2)}</span>`;
}
