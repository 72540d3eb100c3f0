// What the visitor answered, skipped or left a note on. Nothing of what others or the model say is asked for or shown.
import { html, nothing, render, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { QuestionView, Value } from "../editors/part";
import { Filter } from "../lib/filter";
import { Found, onRowKey } from "../lib/found";
import { call, message, pageData, Refusal } from "../lib/http";
import { briefly, labelChips } from "../lib/item-rows";
import { itemView, pictureOf, thumbnail } from "../lib/item-view";
import { LabelEditor } from "../lib/label-editor";
import type { ClassView, ItemView, LabelView } from "../lib/serving";
import { moment } from "../lib/versions";

interface Config {
  project: { id: number; slug: string; state: string };
  classes: ClassView[];
  form: boolean;
  questions: QuestionView[];
}

interface OwnItem extends ItemView {
  answer: { id: number; label: LabelView; version: number; created_at: string; changeable: boolean } | null;
  skipped: boolean;
  notes: { note: string; state: string; reply: string | null; created_at: string }[];
}

const { project, classes, form, questions } = pageData<Config>();
const driving = classes.filter(({ question }) => question === questions.find(({ drives }) => drives)?.id); // filters name these
const root = document.getElementById("mine") as HTMLElement;
const STATUS: [string, string][] = [
  ["", "answered"],
  ["skipped", "skipped"],
  ["flagged", "with a note of mine"],
];
const SORTS: [string, string][] = [
  ["", "last answered first"],
  ["answered", "first answered first"],
  ["key", "by key"],
];

let opened: OwnItem | null = null;
let said = "";
let trouble = ""; // of the opened item

const found = new Found<OwnItem>(`/projects/${project.id}/mine`, draw);
const editor = new LabelEditor({ project: project.id, form, questions }, draw);

function draw(): void {
  render(html`${fields()} ${list()} ${dialog()}`, root);
}

function fields(): TemplateResult {
  const { filter } = found;
  const named: [string, string][] = [["", "any"], ...driving.map(({ name }): [string, string] => [name, name])];
  return html`<form class="card" aria-label="Find my answers" @submit=${(event: Event) => event.preventDefault()}>
    <div class="fields tight">
      <label>Words<input type="search" .value=${filter.get("q")} placeholder="key or content" @change=${found.set("q")}></label>
      ${found.choice("Items that I", "status", STATUS)} ${named.length > 1 ? found.choice("My answer", "class", named) : nothing}
      ${found.choice("Order", "sort", SORTS)}
    </div>
    ${filter.parts.length ? html`<button type="button" class="quiet-button" @click=${() => found.search(new Filter(""))}>Show all my answers</button>` : nothing}</form>`;
}

function list(): TemplateResult {
  const { items, busy, fault, next } = found;
  return html`<section class="card" aria-label="My items">
    <p role="status" aria-busy=${busy}>${found.counted("Reading your answers")}</p>
    ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
    ${items.length ? rows() : busy || fault ? nothing : nobody()}
    ${next && !fault ? html`<button type="button" class="secondary" ?disabled=${busy} @click=${() => found.load(true)}>Show more</button>` : nothing}</section>`;
}

function rows(): TemplateResult {
  const { items } = found;
  const pictures = items.some(pictureOf);
  return html`<ul class="items ${pictures ? "pictures" : ""}" @keydown=${onRowKey}>${repeat(
    items,
    ({ id }) => id,
    (item) => html`<li><button type="button" class="open" @click=${() => open(item)}>
      ${picture(item) ?? html`<span class="text few-lines long" dir="auto">${briefly(item)}</span>`}</button>
      <span class="said">${item.answer ? html`${labelChips(item.answer.label, classes)} <span class="quiet">${moment(item.answer.created_at)}</span>` : nothing}
        ${item.skipped ? html`<span class="quiet">skipped</span>` : nothing}
        ${item.notes.length ? html`<span class="quiet">${item.notes.some(({ reply }) => reply) ? "note, with a reply" : "note"}</span>` : nothing}</span></li>`,
  )}</ul>`;
}

function picture(item: OwnItem): TemplateResult | undefined {
  const shown = pictureOf(item);
  return shown && thumbnail(shown, item.key);
}

function nobody(): TemplateResult {
  if (found.filter.parts.length) return html`<p>None of yours fits all of this. Take a condition away.</p>`;
  return html`<p>You have not answered anything here yet.
    ${project.state === "open" ? html`<a class="button" href=${`/projects/${project.slug}/annotate`}>Label</a>` : nothing}</p>`;
}

function open(item: OwnItem): void {
  opened = item;
  said = trouble = "";
  if (editor.open) editor.close();
  draw();
  const shown = document.querySelector<HTMLDialogElement>("dialog.item");
  if (shown && !shown.open) shown.showModal();
}

function step(by: number): void {
  const item = found.beside(opened?.id, by);
  if (item) open(item);
}

function close(): void {
  if (editor.open) editor.close();
  document.querySelector<HTMLDialogElement>("dialog.item")?.close();
  opened = null;
  draw();
}

function dialog(): TemplateResult {
  return html`<dialog class="item" aria-label="Item" @close=${close} @cancel=${(event: Event) => editor.open && event.preventDefault()} @keydown=${onDialogKey}>
    <article>${opened ? content(opened) : nothing}
      <footer><button type="button" @click=${close}>Close</button>
        <button type="button" class="secondary" @click=${() => step(-1)}>Previous</button>
        <button type="button" class="secondary" @click=${() => step(1)}>Next</button></footer></article></dialog>`;
}

function content(item: OwnItem): TemplateResult {
  const { answer } = item;
  return html`<header><h2 class="long few-lines" title=${item.key}>${item.key}</h2></header>
    <div class="shown" tabindex="0" role="region" aria-label="Content">${itemView(item)}</div>
    ${trouble ? html`<p role="alert" class="wrong">${trouble}</p>` : nothing}<p role="status">${said}</p>
    <h3>My answer</h3>
    ${answer ? html`<p>${labelChips(answer.label, classes)} <span class="quiet">${moment(answer.created_at)}</span></p>` : html`<p class="quiet">${item.skipped ? "You skipped it." : "None."}</p>`}
    ${answer && !editor.open ? change(item) : nothing} ${editor.view()}
    ${item.notes.length ? html`<h3>My notes</h3><ul class="plain">${item.notes.map(({ note, reply, state }) => html`<li class="long">“${note}” ${reply ? html`<br><span class="quiet">Reply:</span> ${reply}` : state === "closed" ? html`<span class="quiet">settled</span>` : nothing}</li>`)}</ul>` : nothing}`;
}

function change(item: OwnItem): TemplateResult {
  if (item.answer?.changeable)
    return html`<p><button type="button" class="secondary" @click=${() => askAgain(item)}>Change it <kbd>C</kbd></button></p>`;
  const why = project.state === "open" ? "This item is settled" : `The project is ${project.state}`;
  return html`<p class="quiet">${why}: your answer stays as it is.</p>`;
}

function askAgain(item: OwnItem): void {
  said = trouble = "";
  if (item.answer)
    editor.ask("Change my answer", item, item.answer.label, true, (label, words) => void store(item, label, words));
}

async function store(item: OwnItem, label: Value, words: string): Promise<void> {
  const { answer } = item;
  if (!answer) return;
  try {
    const headers = { "If-Match": `"${answer.version}"` };
    const path = `/annotations/${answer.id}`;
    const stored = await call<Omit<NonNullable<OwnItem["answer"]>, "changeable">>("PUT", path, {
      body: { label },
      headers,
    });
    const fresh = { ...item, answer: { ...answer, ...stored, changeable: true } };
    found.replace(fresh);
    if (opened?.id === item.id) opened = fresh;
    said = `Changed to ${words}.`;
  } catch (error) {
    trouble = message(error);
    if (error instanceof Refusal && [403, 409, 412].includes(error.status)) await reread(item);
  }
  draw();
}

/** It is not what it was here: show it as it is now. */
async function reread(item: OwnItem): Promise<void> {
  const status = "status=answered&status=skipped&status=flagged";
  const key = encodeURIComponent(item.key);
  const page = await call<{ items: OwnItem[] }>("GET", `/projects/${project.id}/mine?${status}&key=${key}`);
  const fresh = page.items.find(({ id }) => id === item.id);
  if (!fresh) return;
  found.replace(fresh);
  if (opened?.id === fresh.id) opened = fresh;
}

function onDialogKey(event: KeyboardEvent): void {
  if (editor.key(event) || editor.open || !opened) return;
  const target = event.target as HTMLElement;
  if (target.matches("select, input, textarea") || event.ctrlKey || event.metaKey || event.repeat) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by && !target.matches(".shown")) step(by);
  else if (event.key.toLowerCase() === "c" && opened.answer?.changeable) askAgain(opened);
  else return;
  event.preventDefault();
}

void found.load();
