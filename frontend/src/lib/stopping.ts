// The advice whether to go on: one sentence, and the figures behind it folded away.
import { html, nothing, type TemplateResult } from "lit";

export interface Verdict {
  name: string;
  title: string;
  stop: boolean | null; // null: it cannot tell yet, or was not asked to
  words: string;
}

export interface Stopping {
  stop: boolean;
  text: string;
  because: string[];
  round: number;
  dials: Verdict[]; // the three that count first
  others: Verdict[];
}

/**
 * The sentence of the status, which knows more than the criteria, and what each criterion says behind it; with it the
 * audit items that nobody answered.
 */
export function advice(text: string, found: Stopping | null, unanswered: string | null): TemplateResult {
  if (!found) return html`<p class="advice">${text}</p>`;
  return html`<div class="advice"><p>${text}</p>
    <details><summary>The figures behind it</summary>
      <p class="quiet">After round ${found.round}. They advise, you decide.</p>
      <ul class="plain verdicts">${found.dials.map((each) => verdict(each, found.because))}</ul>
      <h2>Other criteria</h2>
      <ul class="plain verdicts">${found.others.map((each) => verdict(each, found.because))}</ul>
      ${unanswered ? html`<h2>Audit items without an answer</h2><p>${unanswered}</p>` : nothing}
    </details></div>`;
}

function verdict({ name, title, stop, words }: Verdict, because: string[]): TemplateResult {
  const said = stop === null ? "no answer" : stop ? "stop" : "go on";
  return html`<li><strong>${title}</strong> <span class=${stop ? "said stop" : "said"}>${said}</span>
    ${because.includes(name) ? html`<small>the advice follows it</small>` : nothing}<br>${words}</li>`;
}
