// A small picture of what an annotator will see: the item, the buttons with their keys and colours.
import { html, nothing, type TemplateResult } from "lit";
import type { ClassDraft } from "./class-editor";
import { swatch } from "./figures";
import { type Kind, levels, type QuestionDraft, type Scale } from "./question-form";
import type { Modality, Row } from "./rows";

const BUTTONS_SHOWN = 20;
const LEVELS_SHOWN = 10;
const TEXT_SHOWN = 600;
const COLUMNS_SHOWN = 12;

export interface CardContent {
  modality: Modality;
  row: Row | null;
  text: string;
  picture: string | null;
  candidates: string[]; // that are compared
  hidden: string[]; // columns that are not shown: label and key
}

/** The card; buttons are drawn, not pressed. */
export function annotatorCard(content: CardContent, draft: QuestionDraft): TemplateResult {
  const { kind } = draft;
  return html`<div class="annotator-card" role="img" aria-label="How annotators will see an item">
    <div class="item">${item(content)}</div>
    ${
      kind === "form"
        ? draft.fields.map(
            (
              field,
              place,
            ) => html`<div class="asked"><strong class="long">${field.title.trim() || `Question ${place + 1}`}</strong>
      ${field.required ? nothing : html`<small class="quiet">optional</small>`} ${field.when ? html`<small class="quiet">only after “${field.is}”</small>` : nothing}
      ${answer(field.type, field.classes, field.multiple, field, content.candidates)}</div>`,
          )
        : answer(kind, draft.classes, draft.multiple, draft.scale, content.candidates)
    }
  </div>`;
}

function answer(
  kind: Kind,
  classes: ClassDraft[],
  multiple: boolean,
  scale: Scale,
  candidates: string[],
): TemplateResult {
  if (kind === "rating") return ratingLooks(scale);
  if (kind === "comparison") return candidateLooks(candidates);
  if (kind === "transcription") return html`<div class="answers"><span class="answer field">Write here</span></div>`;
  const named = classes.filter((each) => each.name.trim());
  return html`<div class="answers">
      ${named
        .slice(0, BUTTONS_SHOWN)
        .map(
          (each) =>
            html`<span class="answer">${multiple ? html`<span class="box"></span>` : nothing}${swatch(each.color)} <span class="long">${each.name.trim()}</span> ${each.hotkey ? html`<kbd>${each.hotkey}</kbd>` : nothing}</span>`,
        )}
      ${named.length > BUTTONS_SHOWN ? html`<span class="quiet">and ${named.length - BUTTONS_SHOWN} more, found by typing</span>` : nothing}
      ${named.length === 0 ? html`<span class="quiet">The classes become buttons here.</span>` : nothing}
    </div>`;
}

function ratingLooks(scale: Scale): TemplateResult {
  const found = levels(scale);
  if (found.length && found.length <= LEVELS_SHOWN)
    return html`<div class="answers">${found.map((level) => html`<span class="answer">${level}</span>`)}</div>`;
  return html`<div class="answers"><span class="quiet">${scale.minimum}</span><span class="answer track"></span><span class="quiet">${scale.maximum}</span></div>`;
}

function candidateLooks(candidates: string[]): TemplateResult {
  const shown = candidates.length ? candidates : ["First candidate", "Second candidate"];
  return html`<div class="answers">${shown.map((text, place) => html`<span class="answer field"><kbd>${place + 1}</kbd> <span class="long few-lines" dir="auto">${text}</span></span>`)}</div>`;
}

function item(content: CardContent): TemplateResult {
  if (content.modality === "image") {
    return content.picture
      ? html`<img src=${content.picture} alt="">`
      : html`<p class="quiet">Drop a ZIP of images to see one here.</p>`;
  }
  if (content.modality === "audio") {
    return content.picture
      ? html`<audio controls src=${content.picture}></audio>`
      : html`<p class="quiet">Drop a ZIP of sounds to hear one here.</p>`;
  }
  if (content.modality === "video") {
    return content.picture
      ? html`<video src=${content.picture} preload="auto" muted playsinline></video>`
      : html`<p class="quiet">Drop a ZIP of videos to see one here.</p>`;
  }
  if (!content.row) return html`<p class="quiet">Drop a file or paste lines to see the first item here.</p>`;
  if (content.modality === "table") return columns(content.row, content.hidden);
  const letters = [...content.text];
  return html`<p dir="auto">${letters.length > TEXT_SHOWN ? `${letters.slice(0, TEXT_SHOWN).join("")} …` : content.text}</p>`;
}

function columns(row: Row, hidden: string[]): TemplateResult {
  const shown = Object.entries(row).filter(([name]) => !hidden.includes(name));
  return html`<dl>
    ${shown.slice(0, COLUMNS_SHOWN).map(([name, value]) => html`<dt>${name}</dt><dd>${value === "" || value === null ? "–" : String(value)}</dd>`)}
    ${shown.length > COLUMNS_SHOWN ? html`<dt></dt><dd class="quiet">and ${shown.length - COLUMNS_SHOWN} more columns</dd>` : nothing}
  </dl>`;
}
