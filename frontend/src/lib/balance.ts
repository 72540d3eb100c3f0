// Class balance as two bars a class: its share of the labels, and of the pool as the audit answers estimate it.
import { html, nothing, type TemplateResult } from "lit";
import { bar, count, percent, swatch } from "./figures";
import { stacked } from "./stacked";

export interface ClassRef {
  id: number;
  name: string;
  color: string;
}

export interface Balance {
  class: ClassRef;
  labels: number;
  items: number; // of which at least one answer says so
  label_share: number;
  pool: { value: number; low: number; high: number } | null;
}

/** One row a class, its count leading to its items by `found`; the band of the pool's share is drawn as a thin line over its bar. */
export function balanceTable(
  rows: Balance[],
  of: "audit" | "imported",
  found: (filter: string) => string,
): TemplateResult {
  const largest = Math.max(0.01, ...rows.flatMap((row) => [row.label_share, row.pool?.high ?? 0]));
  const judged = of === "imported" ? "status=test" : "kind=audit"; // the items behind the estimate
  const estimated = rows.some((row) => row.pool);
  return html`<div class="scroll high" tabindex="0" role="region" aria-label="Class balance, table">
    <table class="balance" ${stacked()}>
      <thead>
        <tr>
          <th scope="col">Class</th>
          <th scope="col">In your labels</th>
          ${estimated ? html`<th scope="col">${of === "imported" ? "In your test set" : "In the pool, estimated"}</th>` : nothing}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr>
            <th scope="row">${swatch(row.class.color)} ${row.class.name}</th>
            <td><div>${bar(row.label_share, largest, row.class.color)} <a href=${found(`state=open&split=pool&class=${encodeURIComponent(row.class.name)}`)}>${count(row.labels)}</a>${row.items > row.labels ? ` on ${count(row.items)} items` : ""} (${percent(row.label_share)})</div></td>
            ${estimated ? html`<td>${row.pool ? html`<div>${bar(row.pool.value, largest, row.class.color, row.pool)} <a href=${found(`${judged}&class=${encodeURIComponent(row.class.name)}`)}>${between(row.pool)}</a></div>` : "–"}</td>` : nothing}
          </tr>`,
        )}
      </tbody>
    </table>
    ${estimated ? nothing : html`<p class="quiet">The pool's shares follow once audit answers are in.</p>`}
  </div>`;
}

const between = (pool: { value: number; low: number; high: number }): string =>
  pool.high - pool.low > 0.2
    ? `${percent(pool.low)} to ${percent(pool.high)}`
    : `${percent(pool.value)} (${percent(pool.low)} to ${percent(pool.high)})`;
