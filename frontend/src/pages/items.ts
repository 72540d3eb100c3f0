// The items of a project. The address holds the filter, word for word that of REST: it can be linked to and kept.

import { html, nothing, render, type TemplateResult } from "lit";
import type { QuestionView } from "../editors/part";
import { count } from "../lib/figures";
import { Filter, type Part } from "../lib/filter";
import { Found, onRowKey } from "../lib/found";
import { pageData } from "../lib/http";
import { ItemDialog } from "../lib/item-dialog";
import { type ItemRow, itemRows } from "../lib/item-rows";
import { Selection } from "../lib/selection";
import type { ClassView } from "../lib/serving";

interface Config {
  project: { id: number; slug: string; modality: string; multiple: boolean; manager: boolean };
  classes: ClassView[];
  form: boolean;
  questions: QuestionView[];
}

interface Page {
  items: ItemRow[];
  next: string | null;
  search: { indexed: number; waiting: number } | null; // while the full-text index lacks items
}

const { project, classes, form: isForm, questions } = pageData<Config>();
const driving = classes.filter(({ question }) => question === questions.find(({ drives }) => drives)?.id); // filters name these
const task = { project: project.id, form: isForm, questions };
const root = document.getElementById("items") as HTMLElement;
const STATUS: [string, string][] = [
  ["", "any"],
  ["open", "not answered"],
  ["answered", "answered"],
  ["skipped", "skipped by somebody"],
  ["stuck", "skipped by three people"],
  ["flagged", "with an open note"],
  ["excluded", "excluded"],
  ["failed", "could not be read"],
  ["test", "your own test set"],
];
const SORTS: [string, string][] = [
  ["", "oldest first"],
  ["-created", "newest first"],
  ["-updated", "changed last"],
  ["key", "by key"],
  ["probability", "least sure first"],
  ["-probability", "surest first"],
  ["-score", "asked next first"],
];
const FEW_PARTS = 3;
const MARKED: Record<string, string> = {
  disputed: "the votes are a tie",
  doubtful: "to look at again",
  drifted: "new, and unlike the earlier ones",
  queued: "waits in the order",
};
const FIELDS = new Set(["q", "status", "class", "predicted.class", "sort"]);

let lacking: Page["search"] = null;

const found = new Found<ItemRow, Page>(`/projects/${project.id}/items`, draw, {
  read: (page) => {
    lacking = page.search;
  },
  anew: () => selection.clear(),
});

const dialog = new ItemDialog(
  { manager: project.manager, classes, task },
  draw,
  (item: ItemRow) => found.replace(item),
  step,
);

const selection = new Selection(task, draw, () => void found.load());

function step(from: number, by: number): void {
  const item = found.beside(from, by);
  if (item) void dialog.open(item.id);
}

function draw(): void {
  render(html`${form()} ${list()} ${dialog.view()} ${selection.dialog()}`, root);
}

function form(): TemplateResult {
  const { filter } = found;
  const named: [string, string][] = [["", "any"], ...driving.map(({ name }): [string, string] => [name, name])];
  const others = filter.parts.filter((part) => !FIELDS.has(part.name));
  return html`<form class="card" aria-label="Find items" @submit=${(event: Event) => event.preventDefault()}>
    <div class="fields tight">
      <label>Words<input type="search" .value=${filter.get("q")} placeholder="key or content" @change=${found.set("q")}></label>
      ${found.choice("State", "status", STATUS)} ${found.choice("Answered", "class", named)}
      ${found.choice("The model says", "predicted.class", named)} ${found.choice("Order", "sort", SORTS)}
    </div>
    ${others.length ? html`<p class="parts">${parts(others)}</p>` : nothing}
    ${filter.parts.length ? html`<button type="button" class="quiet-button" @click=${() => found.search(new Filter(""))}>Show all items</button>` : nothing}</form>`;
}

/** What else the address asks for, each to be taken away; of many values of one name only their number is said. */
function parts(others: Part[]): TemplateResult[] {
  const taken = (label: string, words: string, rest: () => Filter): TemplateResult =>
    html`<button type="button" class="secondary" aria-label="Without ${label}" @click=${() => found.search(rest())}>${words} ×</button>`;
  const names = [...new Set(others.map(({ name }) => name))];
  return names.flatMap((name) => {
    const own = others.filter((part) => part.name === name);
    if (own.length > FEW_PARTS)
      return [
        taken(`the ${own.length} values of ${name}`, `${name}: ${own.length} chosen`, () =>
          found.filter.with(name, ""),
        ),
      ];
    return own.map(({ raw, value }) =>
      taken(raw, MARKED[name] ?? (value ? `${name} = ${value}` : name), () => found.filter.without(raw)),
    );
  });
}

function list(): TemplateResult {
  const { items, busy, fault, next, filter } = found;
  return html`<section class="card" aria-label="Items found">
    <p role="status" aria-busy=${busy}>${found.counted("Reading the items")}</p>
    ${lacking ? html`<p class="quiet">The search index holds ${count(lacking.indexed)} of ${count(lacking.indexed + lacking.waiting)} items so far. The others are searched without it: slower, and words are also found inside of longer words.</p>` : nothing}
    ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
    ${project.manager ? selection.view(items, filter.with("sort", "").toString(), next !== null) : nothing}
    ${items.length ? rows() : busy || fault ? nothing : nobody()}
    ${next && !fault ? html`<button type="button" class="secondary" ?disabled=${busy} @click=${() => found.load(true)}>Show more</button>` : nothing}</section>`;
}

function rows(): TemplateResult {
  const { items } = found;
  const box = project.manager ? (place: number) => selection.box(items, place) : undefined;
  return html`<div class="rows" @keydown=${onKey}>${itemRows(items, classes, (item) => void dialog.open(item.id), box)}</div>`;
}

/** As in every list, and X chooses a row. */
function onKey(event: KeyboardEvent): void {
  onRowKey(event, (key, place) => {
    if (key !== "x" || !project.manager) return false;
    selection.toggle(found.items, place);
    return true;
  });
}

function nobody(): TemplateResult {
  return found.filter.parts.length
    ? html`<p>No item fits all of this. Take a condition away.</p>`
    : html`<p>There are no items yet. ${project.manager ? html`<a href="/projects/${project.slug}/import">Add a file</a>, or push` : "A manager pushes"} them with <code>labelwise import ${project.slug} items.csv</code> or over REST.</p>`;
}

void found.load();
