// The classes as buttons with their keys; the suggestion is marked, never chosen beforehand.
import { html, nothing, type TemplateResult } from "lit";
import { ifDefined } from "lit/directives/if-defined.js";
import { swatch } from "../lib/figures";
import { keyName } from "../lib/keys";
import type { ClassView } from "../lib/serving";

export type Choice = { kind: "id"; id: number } | { kind: "submit" };

export interface Answers {
  classes: ClassView[];
  keys: string[]; // of the classes, in their order
  several: boolean; // chosen first, submitted afterwards
  submit: boolean; // with a button for it
  inForm: boolean; // Tab goes to the next question, the arrow keys from class to class
  title: string;
  chosen: ReadonlySet<number>;
  suggested: number[]; // ids of classes
  probability: number | null;
  filter: string;
  onFilter: (text: string) => void;
  onChoice: (choice: Choice) => void;
}

const TYPED_FROM = 11; // classes from which a field to type in appears
const FEW = 3;
const SHORT = 4; // characters of a name

/** How wide the buttons are: by the names alone, so that they stay in their places from item to item. */
function room(classes: ClassView[]): string {
  if (classes.length <= FEW) return "few";
  return classes.every(({ name }) => [...name].length <= SHORT) ? "short" : "";
}

export function answerButtons(answers: Answers): TemplateResult {
  const wanted = answers.filter.trim().toLowerCase();
  const shown = answers.classes
    .map((each, index) => ({ each, key: answers.keys[index] ?? "" }))
    .filter(({ each }) => !wanted || each.name.toLowerCase().includes(wanted));
  return html`${answers.classes.length >= TYPED_FROM ? filterField(answers) : nothing}
    <div class="answer-buttons ${room(answers.classes)}" role="group" aria-label=${answers.title}>
      ${shown.map(({ each, key }) => button(answers, each, key))}
      ${shown.length === 0 ? html`<span class="quiet">No class has this in its name.</span>` : nothing}
    </div>
    ${answers.submit ? html`<button type="button" class="submit" ?disabled=${!answers.chosen.size} @click=${() => answers.onChoice({ kind: "submit" })}>Submit <kbd>Enter</kbd></button>` : nothing}`;
}

function filterField(answers: Answers): TemplateResult {
  return html`<label class="filter"><span class="hidden-label">Type to find a class</span>
    <input class="class-filter" type="search" placeholder="Find a class (press /)" autocomplete="off" tabindex=${ifDefined(answers.inForm ? "-1" : undefined)}
      .value=${answers.filter} @input=${(event: Event) => answers.onFilter((event.target as HTMLInputElement).value)}></label>`;
}

function button(answers: Answers, each: ClassView, key: string): TemplateResult {
  const suggested = answers.suggested.includes(each.id);
  const pressed = answers.several ? String(answers.chosen.has(each.id)) : undefined;
  const chosen = (event: MouseEvent) => {
    // After a click of the mouse the keys go to the page again: Space must not answer the next item by this button.
    if (event.detail > 0) (event.currentTarget as HTMLElement).blur();
    answers.onChoice({ kind: "id", id: each.id });
  };
  return html`<button type="button" class=${suggested ? "class-button suggested" : "class-button"} aria-pressed=${ifDefined(pressed)}
    tabindex=${ifDefined(answers.inForm ? "-1" : undefined)} title=${each.description || each.name} @click=${chosen}>
    ${swatch(each.color)}<span class="long few-lines" dir="auto">${each.name}</span>
    ${suggested && answers.probability !== null ? html`<small class="share">${Math.round(100 * answers.probability)} %</small>` : nothing}
    ${key ? html`<kbd>${keyName(key)}</kbd>` : nothing}</button>`;
}
