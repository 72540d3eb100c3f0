// The items of a project. The address holds the filter, word for word that of REST: it can be linked to and kept.

import { html, nothing, render, type TemplateResult } from "lit";
import type { QuestionView } from "../editors/part";
import { count } from "../lib/figures";
import { Filter, type Part } from "../lib/filter";
import { call, message, pageData } from "../lib/http";
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
const PAGE = 50;
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
  queued: "waits in the order",
};
const FIELDS = new Set(["q", "status", "class", "predicted.class", "sort"]);

let filter = new Filter(location.search);
let items: ItemRow[] = [];
let next: string | null = null;
let lacking: Page["search"] = null;
let busy = false;
let fault = "";
let asked = 0; // answers to an older question are dropped

const dialog = new ItemDialog({ manager: project.manager, classes, task }, draw, stored, step);

const selection = new Selection(task, draw, () => void load());

async function load(more = false): Promise<void> {
  const mine = ++asked;
  busy = true;
  fault = "";
  if (!more) next = null;
  draw();
  try {
    const place = more && next ? `&cursor=${encodeURIComponent(next)}` : "";
    const words = filter.toString();
    const found = await call<Page>(
      "GET",
      `/projects/${project.id}/items?${words}${words ? "&" : ""}limit=${PAGE}${place}`,
    );
    if (mine !== asked) return;
    items = more ? [...items, ...found.items] : found.items;
    next = found.next;
    lacking = found.search;
  } catch (error) {
    if (mine !== asked) return;
    fault = message(error);
    if (!more) items = [];
  }
  busy = false;
  draw();
}

function search(wanted: Filter): void {
  filter = wanted;
  selection.clear();
  const words = filter.toString();
  history.replaceState(null, "", words ? `?${words}` : location.pathname);
  void load();
}

function stored(item: ItemRow): void {
  items = items.map((each) => (each.id === item.id ? { ...each, ...item } : each));
}

function step(from: number, by: number): void {
  const place = items.findIndex((each) => each.id === from) + by;
  const found = items[place];
  if (found) void dialog.open(found.id);
  if (next && !busy && place >= items.length - 5) void load(true);
}

function draw(): void {
  render(html`${form()} ${list()} ${dialog.view()} ${selection.dialog()}`, root);
}

function form(): TemplateResult {
  const set = (name: string) => (event: Event) => search(filter.with(name, (event.target as HTMLInputElement).value));
  const named: [string, string][] = [["", "any"], ...driving.map(({ name }): [string, string] => [name, name])];
  const others = filter.parts.filter((part) => !FIELDS.has(part.name));
  return html`<form class="card" aria-label="Find items" @submit=${(event: Event) => event.preventDefault()}>
    <div class="fields tight">
      <label>Words<input type="search" .value=${filter.get("q")} placeholder="key or content" @change=${set("q")}></label>
      ${choice("State", "status", STATUS, set)} ${choice("Answered", "class", named, set)}
      ${choice("The model says", "predicted.class", named, set)} ${choice("Order", "sort", SORTS, set)}
    </div>
    ${others.length ? html`<p class="parts">${parts(others)}</p>` : nothing}
    ${filter.parts.length ? html`<button type="button" class="quiet-button" @click=${() => search(new Filter(""))}>Show all items</button>` : nothing}</form>`;
}

/** What else the address asks for, each to be taken away; of many values of one name only their number is said. */
function parts(others: Part[]): TemplateResult[] {
  const taken = (label: string, words: string, rest: () => Filter): TemplateResult =>
    html`<button type="button" class="secondary" aria-label="Without ${label}" @click=${() => search(rest())}>${words} ×</button>`;
  const names = [...new Set(others.map(({ name }) => name))];
  return names.flatMap((name) => {
    const own = others.filter((part) => part.name === name);
    if (own.length > FEW_PARTS)
      return [
        taken(`the ${own.length} values of ${name}`, `${name}: ${own.length} chosen`, () => filter.with(name, "")),
      ];
    return own.map(({ raw, value }) =>
      taken(raw, MARKED[name] ?? (value ? `${name} = ${value}` : name), () => filter.without(raw)),
    );
  });
}

function choice(
  words: string,
  name: string,
  options: [string, string][],
  set: (name: string) => (event: Event) => void,
): TemplateResult {
  const now = filter.get(name);
  return html`<label>${words}<select @change=${set(name)}>${options.map(([value, said]) => html`<option value=${value} ?selected=${value === now}>${said}</option>`)}</select></label>`;
}

function list(): TemplateResult {
  const shown = html`${count(items.length)}${next ? " and more" : ""} ${items.length === 1 && !next ? "item" : "items"}`;
  return html`<section class="card" aria-label="Items found">
    <p role="status" aria-busy=${busy}>${busy ? "Reading the items" : fault ? "" : shown}</p>
    ${lacking ? html`<p class="quiet">The search index holds ${count(lacking.indexed)} of ${count(lacking.indexed + lacking.waiting)} items so far. The others are searched without it: slower, and words are also found inside of longer words.</p>` : nothing}
    ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
    ${project.manager ? selection.view(items, filter.with("sort", "").toString(), next !== null) : nothing}
    ${items.length ? rows() : busy || fault ? nothing : nobody()}
    ${next && !fault ? html`<button type="button" class="secondary" ?disabled=${busy} @click=${() => load(true)}>Show more</button>` : nothing}</section>`;
}

function rows(): TemplateResult {
  const box = project.manager ? (place: number) => selection.box(items, place) : undefined;
  return html`<div class="rows" @keydown=${onKey}>${itemRows(items, classes, (item) => void dialog.open(item.id), box)}</div>`;
}

/** J and K or the arrows go from row to row, X chooses one; Enter opens it, as a button does. */
function onKey(event: KeyboardEvent): void {
  const row = (event.target as HTMLElement).closest("li");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const siblings = [...(row.parentElement?.children ?? [])];
  const place = siblings.indexOf(row);
  const key = event.key.toLowerCase();
  const by = { j: 1, arrowdown: 1, k: -1, arrowup: -1 }[key];
  if (by) siblings[place + by]?.querySelector<HTMLElement>("button.open")?.focus();
  else if (key === "x" && project.manager) selection.toggle(items, place);
  else return;
  event.preventDefault();
}

function nobody(): TemplateResult {
  return filter.parts.length
    ? html`<p>No item fits all of this. Take a condition away.</p>`
    : html`<p>There are no items yet. ${project.manager ? html`<a href="/projects/${project.slug}/import">Add a file</a>, or push` : "A manager pushes"} them with <code>labelwise import ${project.slug} items.csv</code> or over REST.</p>`;
}

void load();
