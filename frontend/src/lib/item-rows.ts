// Items as rows, or as pictures in a grid: what they say, what was answered, what the model thinks of them.
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { percent, swatch } from "./figures";
import { pictureOf, thumbnail } from "./item-view";
import { labelWords } from "./label-words";
import { type ClassView, type ItemView, type LabelView, names } from "./serving";

export interface Answer {
  id: number;
  label: LabelView;
  annotator: string | null;
  seconds_spent: number;
  origin: string;
  version: number;
  counted: boolean;
  late: boolean;
  round: number | null;
  created_at: string;
}

export interface Predicted {
  label: LabelView;
  probability: number;
  round: number;
}

export interface ItemRow extends ItemView {
  metadata: Record<string, unknown>;
  split: string;
  state: string;
  reason: string | null;
  priority: number;
  answered: boolean;
  skips: number;
  predicted: Predicted | null;
  answers: Answer[];
  label: LabelView | null; // that an export gives it
  disputed: boolean;
}

const TEXT_SHOWN = 240;
const COLUMNS_SHOWN = 6;

/** The rows; choosing one opens it. */
export function itemRows(
  items: ItemRow[],
  classes: ClassView[],
  open: (item: ItemRow) => void,
  box?: (place: number) => TemplateResult, // what chooses a row, where rows are chosen
): TemplateResult {
  const pictures = items.some(pictureOf);
  return html`<ul class="items ${pictures ? "pictures" : ""} ${box ? "picking" : ""}">${repeat(
    items,
    (item) => item.id,
    (
      item,
      place,
    ) => html`<li class=${item.state}>${box ? box(place) : nothing}<button type="button" class="open" @click=${() => open(item)}>
      ${picture(item) ?? html`<span class="text few-lines long" dir="auto">${briefly(item)}</span>`}</button>
      <span class="said">${item.answers.length ? item.answers.map((answer) => labelChips(answer.label, classes)) : nothing}
        ${item.predicted && (!item.answers.length || differs(item)) ? html`<span class="quiet">${modelSays(item.predicted)}</span>` : nothing}
        ${item.state === "open" ? nothing : html`<span class="quiet">${item.state}</span>`}</span></li>`,
  )}</ul>`;
}

function picture(item: ItemRow): TemplateResult | undefined {
  const shown = pictureOf(item);
  return shown && thumbnail(shown, item.key);
}

/** An item in a few words, for lists. */
export function briefly(item: ItemView): string {
  const columns = Object.entries(item.row ?? {})
    .slice(0, COLUMNS_SHOWN)
    .map(([name, value]) => `${name}: ${value === null || value === "" ? "–" : value}`);
  const text = item.text || item.candidates?.join(" · ") || columns.join(" · ") || item.key;
  const letters = [...text.slice(0, 2 * TEXT_SHOWN)];
  return letters.length > TEXT_SHOWN ? `${letters.slice(0, TEXT_SHOWN).join("")} …` : letters.join("");
}

/** Whether the model takes a labelled item for another class; of a form it knows one question only. */
function differs({ label, predicted }: ItemRow): boolean {
  return label !== null && predicted !== null && !label.fields && labelWords(label) !== labelWords(predicted.label);
}

/** The classes of a label, each with its colour. */
export function labelChips(label: LabelView, classes: ClassView[]): TemplateResult {
  const given = names(label);
  if (label.fields)
    return html`${Object.entries(label.fields).map(([name, each]) => html`<span class="quiet">${name}</span> ${labelChips(each, classes)} `)}`;
  if (!label.class && !label.classes)
    return html`<strong class="chip long"><span class="few-lines" dir="auto">${labelWords(label) || "no answer"}</span></strong>`;
  return given.length
    ? html`${given.map((name) => html`<strong class="chip long">${swatch(classes.find((each) => each.name === name)?.color ?? "#888888")} <span class="few-lines">${name}</span></strong>`)}`
    : html`<strong class="chip">no class</strong>`;
}

export const modelSays = ({ label, probability, round }: Predicted): TemplateResult =>
  html`<span title=${`Round ${round}`}>${labelWords(label) || "no class"}? ${percent(probability)}</span>`;
