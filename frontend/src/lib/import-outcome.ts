// What became of the rows of an import, and why some were not taken.
import { html, nothing, type TemplateResult } from "lit";
import type { ImportResult, Job } from "./importer";

const REJECTED_SHOWN = 20;

const words = (n: number, one: string, many: string): string => `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;

/** The counts in one sentence. */
export function outcomeWords({ created, updated, unchanged, rejected_count }: ImportResult, running: boolean): string {
  const stored = running
    ? [`${words(created, "new item", "new items")}`, ...(updated ? [`${words(updated, "item", "items")} changed`] : [])]
    : [words(created + updated, "item is stored", "items are stored")];
  const again = running
    ? ["row was here already", "rows were here already"]
    : ["row repeats another one", "rows repeat another one"];
  if (unchanged) stored.push(words(unchanged, again[0] as string, again[1] as string));
  if (rejected_count) stored.push(words(rejected_count, "row was not taken", "rows were not taken"));
  return `${stored.join("; ")}.`;
}

/** The rows that were not taken; nothing where all were. */
export function rejectedRows(job: Job | null, result: ImportResult): TemplateResult | typeof nothing {
  if (!result.rejected_count) return nothing;
  const shown = result.rejected.slice(0, REJECTED_SHOWN);
  const left = result.rejected_count - shown.length;
  return html`<h3>Rows that were not taken</h3>
    <div class="scroll" tabindex="0" role="region" aria-label="Rows that were not taken"><table>
      <thead><tr><th scope="col">Line</th><th scope="col">Key</th><th scope="col">Why</th></tr></thead>
      <tbody>${shown.map((row) => html`<tr><td>${row.line || "–"}</td><td>${row.key ?? "–"}</td><td>${row.error}</td></tr>`)}</tbody></table></div>
    ${left > 0 ? html`<p class="quiet">and ${left.toLocaleString("en-GB")} more</p>` : nothing}
    ${job ? html`<p><a href="/api/v1/jobs/${job.id}/rejected.csv" download>Download them as CSV</a></p>` : nothing}`;
}
