// What stands beside the card: guidelines, the reason, the last answers; and the states without an item, in words.
import { html, nothing, type TemplateResult } from "lit";
import type { Given } from "./history";
import { HABITS, type Habits } from "./remembered";
import type { LeaseView } from "./serving";

const LAST = 10;

export function sidePanel(
  panel: "guidelines" | "why" | "history",
  lease: LeaseView | undefined,
  given: Given[],
  goBack: (place: number) => void,
): TemplateResult {
  if (panel === "guidelines")
    return html`<aside class="side" aria-label="Guidelines"><h2>Guidelines</h2>${guidelines()}</aside>`;
  if (panel === "why") return why(lease);
  const last = given
    .map((each, place) => ({ each, place }))
    .slice(-LAST)
    .reverse();
  return html`<aside class="side" aria-label="Last answers"><h2>Last answers</h2>
    ${last.length ? html`<ol class="last">${last.map(({ each, place }) => html`<li><button type="button" class="link long" @click=${() => goBack(place)}>${each.brief}</button> <strong>${each.words}</strong></li>`)}</ol>` : html`<p class="quiet">Your answers appear here; choose one to go back to it.</p>`}</aside>`;
}

const written = (): DocumentFragment | undefined => document.querySelector<HTMLTemplateElement>("#guidelines")?.content;

export const hasGuidelines = (): boolean => Boolean(written()?.textContent?.trim());

function guidelines(): TemplateResult | Node | undefined {
  return hasGuidelines()
    ? written()?.cloneNode(true)
    : html`<p class="quiet">No guidelines were written for this project.</p>`;
}

function why(lease: LeaseView | undefined): TemplateResult {
  const reason = lease?.reason;
  return html`<aside class="side" aria-label="Why this item"><h2>Why this item</h2>
    ${
      reason?.words
        ? html`<p>${sentence(reason.words)}</p><dl class="facts"><dt>Strategy</dt><dd>${reason.strategy}</dd>${typeof reason.score === "number" ? html`<dt>Score</dt><dd>${reason.score.toFixed(3)}</dd>` : nothing}</dl>`
        : html`<p class="quiet">Some items are shown without a suggestion or a reason, so that your answer stays your own.</p>`
    }</aside>`;
}

const sentence = (words: string): string => `${words[0]?.toUpperCase() ?? ""}${words.slice(1)}.`;

const STATES: Record<string, string> = {
  loading: "Fetching the first items.",
  serving: "Fetching the next items.",
  preparing: "The model is preparing the first items.",
  paused: "The project is paused. Its manager opens it again.",
  closed: "The project is closed: no more answers are taken.",
  unreachable: "The server cannot be reached. Your answers are kept here; trying again.",
};

export function waiting(state: string, words: string | null): TemplateResult {
  const busy = state === "loading" || state === "serving" || state === "preparing";
  const more = busy && words ? html`<p class="quiet">${sentence(words)}</p>` : nothing;
  return html`<div class="waiting" aria-busy=${busy}><p>${STATES[state] ?? sentence(words ?? state)}</p>${more}</div>`;
}

const KEYS: [string, string][] = [
  ["1 to 9, 0", "choose a class; with Shift the next ten"],
  ["Enter", "submit what is chosen"],
  ["A", "accept the suggestion"],
  ["X", "reject the suggestion; of two classes, take the other"],
  ["Space", "skip: somebody else may answer"],
  ["Z or Ctrl+Z", "take the last answer back"],
  ["F", "flag: a note to the manager"],
  ["H", "guidelines"],
  ["← →", "move among the answers"],
  ["+ − 0", "zoom a picture, fit it (0 where no class has it)"],
  ["/", "type to find a class"],
  ["Esc", "close"],
];

export function helpDialog(close: () => void, habits: Habits, change: (habit: keyof Habits) => void): TemplateResult {
  return html`<dialog class="help" aria-label="Keys" @close=${close}><article><h2>Keys</h2>
    <dl class="keys">${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    ${HABITS.map(([habit, what]) => html`<label><input type="checkbox" role="switch" .checked=${habits[habit]} @change=${() => change(habit)}> ${what}</label>`)}
    <button type="button" @click=${close}>Close</button></article></dialog>`;
}
