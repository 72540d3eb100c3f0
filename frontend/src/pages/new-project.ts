// New project: data, question, learning on one page, with the annotator's card beside it. Nothing is sent before
// "Create", except that a Parquet file is shown to the server to learn its columns.
import { html, nothing, render, type TemplateResult } from "lit";
import { annotatorCard } from "../lib/annotator-card";
import { candidatesIn } from "../lib/candidates";
import { classDraft } from "../lib/class-editor";
import { type CopyMenu, copyMenu } from "../lib/copy-menu";
import { DataPart, NO_HEAD } from "../lib/data-part";
import { call, message, newId, pageData } from "../lib/http";
import { outcomeWords, rejectedRows } from "../lib/import-outcome";
import {
  codeOf,
  createProject,
  type Draft,
  type ImportResult,
  importItems,
  type Job,
  type Project,
} from "../lib/importer";
import { type LearningForm, learningFields, learningOf, type Strategy, USUAL } from "../lib/learning-form";
import { fieldNames, newScale, questionFault, questionFields } from "../lib/question-form";
import { classesIn, type Row } from "../lib/rows";
import { ScorerForm, type Tested } from "../lib/scorer-form";
import { TEMPLATES } from "../lib/templates";

const root = document.getElementById("new-project") as HTMLElement;
const SCORER_ROWS = 3;

const draft: Draft = {
  name: "",
  modality: "text",
  kind: "classification",
  multiple: false,
  classes: [classDraft("", 0), classDraft("", 1)],
  scale: newScale(),
  fields: [],
  guidelines: "",
  learning: {},
  source: null,
  head: NO_HEAD,
  encoding: "utf-8",
  rewritten: null,
  mapping: { text: "", label: "", key: "", candidates: [] },
  folderLabels: true,
  questions: () => fieldNames(draft.fields),
  compares: () =>
    draft.kind === "comparison" || (draft.kind === "form" && draft.fields.some(({ type }) => type === "comparison")),
};
const data = new DataPart(draft, { draw, taken: named, mapped: suggestClasses, running: false });
const { strategies } = pageData<{ strategies: Strategy[] }>();
const learning: LearningForm = { ...USUAL };
const scorer = new ScorerForm(draw, testScorer);
const menu: CopyMenu = { open: null, said: "" };
let fault = "";
let edited = false; // the classes were edited by hand: suggestions no longer replace them
let busy: { words: string; fraction: number | null } | null = null;
let created: Project | null = null;
let outcome: { job: Job | null; result: ImportResult } | null = null;
const key = newId();

function draw(): void {
  render(outcome && created ? finishedPage(created, outcome) : form(), root);
}

function form(): TemplateResult {
  return html`<form class="with-preview" @submit=${submit} novalidate>
    <div>
      <label>Begin with<select @change=${begin}><option value="">an empty question</option>
        ${TEMPLATES.map(({ words }, place) => html`<option value=${place}>${words}</option>`)}</select></label>
      <label for="name">Name</label>
      <input id="name" type="text" maxlength="200" required .value=${draft.name} autocomplete="off" @input=${(
        event: Event,
      ) => {
        draft.name = (event.target as HTMLInputElement).value;
        draw();
      }}>
      <section class="card" aria-labelledby="data"><h2 id="data">1. Data</h2>${data.view()}</section>
      ${questionPart()}
      <details class="card"><summary><h2>3. Learning</h2> <span class="quiet">Automatic</span></summary>
        ${learningFields(learning, strategies, draw, scorer)}</details>
      ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
      ${busy ? progress() : html`<button type="submit">${created ? "Try again" : "Create the project"}</button> ${copyMenu(menu, code, draw)}`}
    </div>
    <aside aria-label="Preview"><h2>An annotator sees</h2>
      ${annotatorCard({ modality: draft.modality, row: draft.head.rows[0] ?? null, text: textOf(draft.head.rows[0]), picture: data.picture, candidates: candidatesIn(draft), hidden: [draft.mapping.label, draft.mapping.key] }, draft)}</aside>
  </form>`;
}

/** Fill in a built-in beginning; everything may be changed afterwards. */
function begin(event: Event): void {
  const value = (event.target as HTMLSelectElement).value;
  const chosen = value === "" ? undefined : TEMPLATES[Number(value)];
  const { name, classes, guidelines, multiple } = chosen ?? {
    name: "",
    classes: ["", ""],
    guidelines: "",
    multiple: false,
  };
  if (!draft.name || TEMPLATES.some((each) => each.name === draft.name)) draft.name = name;
  Object.assign(draft, { kind: "classification", guidelines, multiple, classes: classes.map(classDraft) });
  edited = chosen !== undefined;
  draw();
}

function progress(): TemplateResult {
  return html`<div role="status"><label>${busy?.words}
    ${busy?.fraction == null ? html`<progress></progress>` : html`<progress max="1" value=${busy.fraction}></progress>`}</label></div>`;
}

const textOf = (row: Row | undefined): string => (row ? String(row[draft.mapping.text || "text"] ?? "") : "");

function questionPart(): TemplateResult {
  const changed = (): void => {
    edited = true;
    draw();
  };
  return html`<section class="card" aria-labelledby="question"><h2 id="question">2. Question</h2>
    ${questionFields(draft, changed, addClass)}
    <label for="guidelines">Guidelines, if any <small>Markdown; annotators open them with H</small></label>
    <textarea id="guidelines" rows="3" .value=${draft.guidelines} @input=${(event: Event) => {
      draft.guidelines = (event.target as HTMLTextAreaElement).value;
    }}></textarea></section>`;
}

/** Send the first rows to a model server that nobody relies on yet. */
async function testScorer(learner: Record<string, unknown>): Promise<Tested> {
  if (draft.modality !== "text" && draft.modality !== "table")
    throw new Error("With files it is tested in the settings, once the project holds some.");
  const rows = draft.head.rows.slice(0, SCORER_ROWS);
  const classes = draft.classes.map((each) => each.name.trim()).filter(Boolean);
  if (!rows.length || !classes.length)
    throw new Error("Drop a file and name the classes first: they are what is sent.");
  const items = rows.map((row) => (draft.modality === "text" ? { text: textOf(row) } : { row }));
  return call<Tested>("POST", "/scorer/test", { body: { learner, items, classes, multiple: draft.multiple } });
}

function addClass(): void {
  draft.classes.push(classDraft("", draft.classes.length));
  edited = true;
  draw();
  root.querySelector<HTMLInputElement>(".class-row:last-child input[type=text]")?.focus();
}

function suggestClasses(): void {
  if (edited && draft.classes.some((each) => each.name.trim())) return;
  const column = draft.head.kind === "zip" ? (draft.folderLabels ? "folder" : "") : draft.mapping.label;
  const found = classesIn(draft.head, column);
  draft.classes = found.length > 1 ? found.map(classDraft) : [classDraft("", 0), classDraft("", 1)];
  draft.multiple = found.length > 1 && draft.head.rows.some((row) => Array.isArray(row[column]));
}

/** A project without a name is called as its file. */
function named(file: File): void {
  draft.name ||= file.name
    .replace(/\.[^.]+$/, "")
    .replace(/[-_]+/g, " ")
    .slice(0, 200);
}

function complaint(): string | null {
  if (!draft.name.trim()) return "Give the project a name.";
  const lacking = data.complaint();
  if (lacking) return lacking;
  return questionFault(draft, draft.modality) ?? learningOf(learning, strategies, scorer).fault;
}

/** The code that does what the form says, or what the form lacks for it. */
const code = () => complaint() ?? codeOf({ ...draft, learning: learningOf(learning, strategies, scorer).body });

async function submit(event: Event): Promise<void> {
  event.preventDefault();
  if (busy) return;
  fault = complaint() ?? "";
  if (fault) return draw();
  draft.learning = learningOf(learning, strategies, scorer).body;
  try {
    say("Creating the project", null);
    created ??= await createProject(draft, key);
    outcome = await importItems(created, draft, say);
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

function finishedPage(project: Project, { job, result }: { job: Job | null; result: ImportResult }): TemplateResult {
  return html`<section class="card"><h2 tabindex="-1">${project.name} is ready</h2>
    <p role="status">${outcomeWords(result, false)}</p>
    ${
      result.created + result.updated
        ? html`<p><a class="button" href="/projects/${project.slug}/annotate">Label now</a>
      <a class="button secondary" href="/projects/${project.slug}/people">Invite people</a>
      <a href="/projects/${project.slug}/overview">Overview</a></p>`
        : nothing
    }
    ${rejectedRows(job, result)}
    ${result.rejected_count ? html`<p>Mend them and <a href="/projects/${project.slug}/import">add them to the project</a>: rows that are here already are left alone.</p>` : nothing}</section>`;
}

draw();
