// Which columns of the data hold what a comparison puts in order.
import { html, type TemplateResult } from "lit";
import type { DataDraft } from "./importer";

/** The first item's candidates. */
export function candidatesIn({ head, mapping }: DataDraft): string[] {
  const row = head.rows[0];
  if (!row) return [];
  const values = mapping.candidates.map((column) => row[column]);
  return (values.length === 1 && Array.isArray(values[0]) ? values[0] : values).map((each) => String(each ?? ""));
}

export function candidateColumns({ head, mapping }: DataDraft, changed: () => void): TemplateResult {
  const set = (name: string) => (event: Event) => {
    const chosen = new Set(mapping.candidates);
    if ((event.target as HTMLInputElement).checked) chosen.add(name);
    else chosen.delete(name);
    mapping.candidates = head.columns.filter((each) => chosen.has(each));
    changed();
  };
  const free = head.columns.filter((name) => ![mapping.text, mapping.label, mapping.key].includes(name));
  return html`<fieldset><legend>Candidates: a column each, or one with a list</legend>
    ${free.map((name) => html`<label><input type="checkbox" .checked=${mapping.candidates.includes(name)} @change=${set(name)}> ${name}</label>`)}</fieldset>`;
}
