// What disturbed items cost the current learner, folded away: a row a kind, with its interval.
import { html, nothing, type TemplateResult } from "lit";
import type { Estimate } from "./charts";
import { count } from "./figures";
import { type Found, linked } from "./rounds";
import { stacked } from "./stacked";

export interface Robustness {
  round: number;
  labels: number;
  lack: string | null; // why nothing could be disturbed
  kinds: { name: string; words: string; loss: Estimate; broken?: number }[]; // shares, 0.1 is ten points less that are right
}

/** The sentence, and the table behind it; nothing before a look. */
export function robustness(
  found: Robustness | null,
  words: string | null,
  manager: boolean, // others may not know which items judge
  items: Found,
): TemplateResult | typeof nothing {
  if (!found || !words) return nothing;
  if (found.lack) return html`<p class="quiet">${words}</p>`;
  const judges = found.kinds[0]?.loss.n ?? 0;
  return html`<details class="values robustness"><summary>${words}</summary>
    <p class="quiet">${count(judges)} judges that the model did not learn from, as they are and disturbed, by round ${count(found.round)} with ${count(found.labels)} labels. Each interval holds for its row alone.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Loss by disturbance"><table ${stacked()}>
      <thead><tr><th scope="col">Disturbed by</th><th scope="col">What is done</th><th scope="col" class="number">Points lost</th><th scope="col" class="number">Between</th><th scope="col" class="number">Items it breaks</th></tr></thead>
      <tbody>${found.kinds.map(
        ({ name, words: done, loss, broken }) =>
          html`<tr><th scope="row">${name}</th><td>${done}</td><td class="number">${points(loss.value)}</td><td class="number">${points(loss.low)} and ${points(loss.high)}</td>
          <td class="number">${broken === undefined ? "–" : linked(broken, manager ? `broken=${found.round}:${name}` : null, items)}</td></tr>`,
      )}</tbody></table></div></details>`;
}

/** A share as points with one place; a gain is a negative loss. */
const points = (share: number): string => (100 * share).toFixed(1).replace("-", "\u2212");
