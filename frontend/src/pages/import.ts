// More items for a project that runs: what they are, what becomes of rows that are here already, and what was not taken.
import { html, nothing, render, type TemplateResult } from "lit";
import type { QuestionView } from "../editors/part";
import type { PushOptions } from "../lib/copy-as";
import { type CopyMenu, copyMenu } from "../lib/copy-menu";
import { DataPart, NO_HEAD } from "../lib/data-part";
import { message, pageData } from "../lib/http";
import { outcomeWords, rejectedRows } from "../lib/import-outcome";
import { type DataDraft, type ImportResult, importItems, type Job, labelledRows, pushCode } from "../lib/importer";
import type { Kind } from "../lib/question-form";
import { classesIn, type Modality } from "../lib/rows";

interface Config {
  project: { id: number; slug: string; name: string; modality: Modality };
  form: boolean;
  questions: QuestionView[];
}

const NAMES_SHOWN = 12;
const CHANGES: [PushOptions["on_change"], string][] = [
  ["reject", "Leave the item as it is, and name the row among those that were not taken"],
  ["replace", "Take the new content: the item is asked about again, its answers stay with the old content"],
];
const { project, form: isForm, questions } = pageData<Config>();
const root = document.getElementById("import") as HTMLElement;
const first = questions[0];
const own: { name: string }[] = isForm ? [] : (first?.classes ?? []);
const draft: DataDraft = {
  modality: project.modality,
  kind: isForm ? "form" : ((first?.type ?? "classification") as Kind),
  classes: own,
  source: null,
  encoding: "utf-8",
  rewritten: null,
  head: NO_HEAD,
  mapping: { text: "", label: "", key: "", candidates: [] },
  folderLabels: true,
  questions: () => questions.map(({ id }) => id),
  compares: () => questions.some(({ type }) => type === "comparison"),
};
const how: PushOptions = { create_classes: false, on_change: "reject" };
const data = new DataPart(draft, { draw, taken: fresh, mapped: fresh, running: true });
const menu: CopyMenu = { open: null, said: "" };
let fault = "";
let busy: { words: string; fraction: number | null } | null = null;
let outcome: { job: Job | null; result: ImportResult } | null = null;

/** Other rows: what was said of the last ones is gone. */
function fresh(): void {
  how.create_classes = false;
  draft.classes = own;
  outcome = null;
  fault = "";
}

function draw(): void {
  render(
    html`${outcome ? done(outcome) : nothing}
    <form @submit=${submit} novalidate aria-label="Add items">
      <section class="card" aria-labelledby="data"><h2 id="data">Data</h2>${data.view()}${draft.head.rows.length ? labels() : nothing}</section>
      <fieldset class="card"><legend>Where an item is here already, with answers, and its content differs</legend>
        ${CHANGES.map(
          ([value, words]) =>
            html`<label><input type="radio" name="change" .checked=${how.on_change === value} @change=${() => {
              how.on_change = value;
              draw();
            }}> ${words}</label>`,
        )}
        <p class="quiet">Items are told apart by their key; rows without one by their content. A row that is here already, word for word, is left alone, so the same file may be sent again. Metadata and labels of known items are taken in any case.</p></fieldset>
      ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
      ${busy ? progress() : html`<button type="submit">Add the items</button> ${copyMenu(menu, code, draw)}`}
    </form>`,
    root,
  );
}

function progress(): TemplateResult {
  return html`<div role="status"><label>${busy?.words}
    ${busy?.fraction == null ? html`<progress></progress>` : html`<progress max="1" value=${busy.fraction}></progress>`}</label></div>`;
}

/** What the labels of the first rows mean here: how many there are, and which are no classes of this project. */
function labels(): TemplateResult | typeof nothing {
  const column = draft.head.kind === "zip" ? (draft.folderLabels ? "folder" : "") : draft.mapping.label;
  if (draft.kind !== "classification" || !column) return nothing;
  const known = new Set(own.map(({ name }) => folded(name)));
  const strange = classesIn(draft.head, column).filter((name) => !known.has(folded(name)));
  const found = labelledRows(draft.head, column);
  return html`<p>${found ? `${found.toLocaleString("en-GB")} of these rows carry a label: they count as answers that came with the data.` : "None of these rows carries a label."}</p>
    ${strange.length ? strangers(strange) : nothing}`;
}

function strangers(names: string[]): TemplateResult {
  const shown = names
    .slice(0, NAMES_SHOWN)
    .map((name) => `“${name}”`)
    .join(", ");
  const more = names.length - NAMES_SHOWN;
  const files = draft.head.kind === "zip";
  return html`<p>Not among the classes by their present names: ${shown}${more > 0 ? ` and ${more} more` : ""}. ${files ? "Files in these folders come in without a label" : "Rows with a label that is no class are not taken"} unless they become classes.</p>
    <label><input type="checkbox" .checked=${how.create_classes} @change=${(event: Event) => {
      how.create_classes = (event.target as HTMLInputElement).checked;
      if (files) draft.classes = how.create_classes ? [...own, ...names.map((name) => ({ name }))] : own;
      draw();
    }}> Make ${names.length === 1 ? "a class" : `${names.length} classes`} of them</label>`;
}

const folded = (name: string): string => name.normalize("NFC").toLowerCase();

const code = () => data.complaint() ?? pushCode(project, draft, how);

async function submit(event: Event): Promise<void> {
  event.preventDefault();
  if (busy) return;
  fault = data.complaint() ?? "";
  outcome = null;
  if (fault) return draw();
  try {
    outcome = await importItems(project, draft, say, how);
  } catch (error) {
    fault = message(error);
  }
  busy = null;
  draw();
  if (outcome) root.querySelector<HTMLElement>("h2")?.focus();
}

function say(words: string, fraction: number | null): void {
  busy = { words, fraction };
  draw();
}

function done({ job, result }: { job: Job | null; result: ImportResult }): TemplateResult {
  return html`<section class="card"><h2 tabindex="-1">${result.created + result.updated ? "The items are here" : "Nothing new"}</h2>
    <p role="status">${outcomeWords(result, true)}</p>
    ${result.created + result.updated ? html`<p><a class="button" href="/projects/${project.slug}/items?sort=-updated">Look at them</a> <a href="/projects/${project.slug}/annotate">Label now</a></p>` : nothing}
    ${rejectedRows(job, result)}</section>`;
}

draw();
