// What stands beside the card: guidelines, the reason, the last answers; and the states without an item, in words.
import { html, nothing, type TemplateResult } from "lit";
import type { Given } from "./history";
import { pictureOf, thumbnail } from "./item-view";
import type { Note } from "./progress-bar";

const LAST = 10;

const TITLES = { guidelines: "Guidelines", why: "Why this item", history: "Last answers" };

export interface Side {
  panel: keyof typeof TITLES;
  why: () => TemplateResult;
  given: Given[];
  notes: Note[];
  all: string; // the address of all own answers
  goBack: (place: number) => void;
  close: () => void;
}

export function sidePanel(side: Side): TemplateResult {
  const title = TITLES[side.panel];
  const content = { guidelines, why: side.why, history: () => html`${lastAnswers(side)} ${ownNotes(side.notes)}` }[
    side.panel
  ];
  return html`<aside class="side" aria-label=${title}>
    <header><h2>${title}</h2><button type="button" class="quiet-button" aria-label="Close: ${title}" @click=${side.close}>×</button></header>
    ${content()}</aside>`;
}

function lastAnswers({ given, goBack, all }: Side): TemplateResult {
  const last = given
    .map((each, place) => ({ each, place }))
    .slice(-LAST)
    .reverse();
  return last.length
    ? html`<ol class="last">${last.map(({ each, place }) => answered(each, () => goBack(place)))}</ol>
      <p class="quiet">Choose one to take its answer back and answer again.</p>
      <p><a href=${all}>All my answers</a></p>`
    : html`<p class="quiet">Your answers appear here; choose one to go back to it.</p>
      <p><a href=${all}>All my answers</a></p>`;
}

function ownNotes(notes: Note[]): TemplateResult | typeof nothing {
  if (!notes.length) return nothing;
  return html`<h3>Your notes</h3><ul class="plain own-notes" aria-label="Your notes">${notes.map(
    ({ key, note, reply, state }) =>
      html`<li class="long"><span class="quiet">${key}</span> ${note}${reply ? html`<br><strong>Reply:</strong> ${reply}` : state === "closed" ? html`<br><span class="quiet">settled</span>` : nothing}</li>`,
  )}</ul>`;
}

const written = (): DocumentFragment | undefined => document.querySelector<HTMLTemplateElement>("#guidelines")?.content;

export const hasGuidelines = (): boolean => Boolean(written()?.textContent?.trim());

function answered(each: Given, goBack: () => void): TemplateResult {
  const image = each.shown && pictureOf(each.shown.item);
  return html`<li class=${image ? "pictured" : ""}>${image ? thumbnail(image, "") : nothing}
    <button type="button" class="link long few-lines" dir="auto" title="Go back to it" @click=${goBack}>${each.brief}</button>
    <strong class="long few-lines">${each.words}</strong></li>`;
}

function guidelines(): TemplateResult | Node | undefined {
  return hasGuidelines()
    ? written()?.cloneNode(true)
    : html`<p class="quiet">No guidelines were written for this project.</p>`;
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
