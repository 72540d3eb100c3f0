// Audit items asked for now: a number and a button, and while they are answered how many are left.
import { html, nothing, type TemplateResult } from "lit";
import { count } from "./figures";
import type { Overview } from "./overview";

export type Act = (method: "POST" | "DELETE", count?: number) => void;

const USUAL = 40;
const FIELD = "audit-count";

/** How many are offered: what the band needs, or 40, as far as so many are open. */
const offered = (needed: number, open: number): number => Math.max(1, Math.min(needed || USUAL, open));

/** The wide band in words, its last part leading to the button where there is one. */
export function leadTo({ words, audit_request: asked, status }: Overview): TemplateResult {
  const [band, more] = words.accuracy.split(": ");
  if (!asked || asked.request || !asked.needed || !asked.open || !more || status.state !== "open")
    return html`${words.accuracy}`;
  const lead = (event: Event): void => {
    const field = document.getElementById(FIELD) as HTMLInputElement | null;
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  };
  return html`${band}: <a href="#${FIELD}" @click=${lead}>${more}</a>`;
}

/** For managers of an open project; nothing for others, and where no audit item is there to be asked for. */
export function auditRequest(all: Overview, act: Act, busy: boolean): unknown {
  const { audit_request: asked, status } = all;
  if (!asked) return nothing;
  const { request } = asked;
  if (request) {
    const hands = request.in_hands ? ` (${count(request.in_hands)} of them in people's hands)` : "";
    return html`<p class="go audit-now" role="status"><span>${asked.words}${hands}.</span>
      <button class="secondary" type="button" ?disabled=${busy} @click=${() => act("DELETE")}>Back to the usual share</button></p>`;
  }
  if (status.state !== "open" || asked.open === 0) return nothing;
  const send = (event: SubmitEvent): void => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement).get("count");
    act("POST", Number(given));
  };
  return html`<form class="go audit-now" aria-label="Audit items now" @submit=${send}>
    <label for=${FIELD}>Label</label>
    <input id=${FIELD} name="count" type="number" required min="1" max=${asked.open} .defaultValue=${String(offered(asked.needed, asked.open))}>
    <button class="secondary" type="submit" ?disabled=${busy}>audit items now</button>
    <small class="quiet">${what(all)}</small></form>`;
}

/** How the next items are drawn, and what they are for: an own test set judges where there is one. */
function what({ audit_choice: choice, curve, status }: Overview): string {
  const last = curve.at(-1);
  const own = last ? last.stratum === "imported" : status.items.test > 0;
  const drawn = choice === "active" ? "drawn by chance, more often those that the model doubts" : "random ones";
  return own
    ? `The next items that people get are ${drawn}. They tell how the pool is made up; your own test set judges the model.`
    : `The next items that people get are ${drawn}; they judge the model.`;
}
