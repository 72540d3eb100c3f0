// New project: data, question, learning on one page, with the annotator's card beside it. Nothing is sent before
// "Create", except that a Parquet file is shown to the server to learn its columns.
import { html, nothing, render, type TemplateResult } from "lit";
import { annotatorCard } from "../lib/annotator-card";
import { candidateColumns, candidatesIn } from "../lib/candidates";
import { classDraft } from "../lib/class-editor";
import { type CopyMenu, copyMenu } from "../lib/copy-menu";
import { call, message, newId, pageData } from "../lib/http";
import {
  codeOf,
  createProject,
  type Draft,
  type ImportResult,
  importItems,
  type Job,
  labelledRows,
  type Project,
  parquetHead,
} from "../lib/importer";
import { type LearningForm, learningFields, learningOf, type Strategy } from "../lib/learning-form";
import { newScale, questionFault, questionFields } from "../lib/question-form";
import {
  classesIn,
  fromLines,
  guess,
  HEAD_BYTES,
  type Head,
  kindOf,
  type Modality,
  type Row,
  readHead,
} from "../lib/rows";
import { ScorerForm, type Tested } from "../lib/scorer-form";
import { TEMPLATES } from "../lib/templates";
import { folderOf, mediaFiles, modalityOf, previewUrl } from "../lib/zip";

const root = document.getElementById("new-project") as HTMLElement;
const ROWS_SHOWN = 5;
const COLUMNS_SHOWN = 6;
const CELL_SHOWN = 80;
const PARQUET_LIMIT = 64_000_000;
const REJECTED_SHOWN = 20;
const SCORER_ROWS = 3;
const MODALITIES: Record<Modality, string> = {
  text: "Text",
  image: "Images",
  audio: "Sound",
  video: "Video",
  table: "Table",
};
const FOUND: Partial<Record<Modality, string>> = { image: "images", audio: "sounds", video: "videos" };
const NO_HEAD: Head = { kind: "lines", columns: [], rows: [], whole: true };

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
  mapping: { text: "", label: "", key: "", candidates: [] },
  folderLabels: true,
};
const { strategies } = pageData<{ strategies: Strategy[] }>();
const learning: LearningForm = {
  strategy: "auto",
  parameters: {},
  learner: "auto",
  roundSize: "",
  overlap: "1",
  auditShare: "10",
  goalAccuracy: "",
  goalLabels: "",
  goalHours: "",
  goalDate: "",
};
const scorer = new ScorerForm(draw, testScorer);
const menu: CopyMenu = { open: null, said: "" };
let pasted = "";
let picture: string | null = null;
let fileFault = "";
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
      ${dataPart()} ${questionPart()}
      <details class="card"><summary><h2>3. Learning</h2> <span class="quiet">Automatic</span></summary>
        ${learningFields(learning, strategies, draw, scorer)}</details>
      ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
      ${busy ? progress() : html`<button type="submit">${created ? "Try again" : "Create the project"}</button> ${copyMenu(menu, code, draw)}`}
    </div>
    <aside aria-label="Preview"><h2>An annotator sees</h2>
      ${annotatorCard({ modality: draft.modality, row: draft.head.rows[0] ?? null, text: textOf(draft.head.rows[0]), picture, candidates: candidatesIn(draft), hidden: [draft.mapping.label, draft.mapping.key] }, draft)}</aside>
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

function dataPart(): TemplateResult {
  return html`<section class="card" aria-labelledby="data"><h2 id="data">1. Data</h2>
    <div class="drop" @dragover=${hover} @dragleave=${hover} @drop=${drop}>
      <label for="file">Drop a file here, or choose one</label>
      <input id="file" type="file" accept=".csv,.tsv,.jsonl,.ndjson,.json,.parquet,.txt,.zip" aria-describedby="kinds" @change=${choose}>
      <small id="kinds">CSV, JSONL, JSON, Parquet, text with one item a line, or a ZIP of images, sounds or videos.</small>
    </div>
    <label for="paste">Or paste text, one item a line</label>
    <textarea id="paste" rows="4" .value=${pasted} placeholder="The food was cold&#10;Friendly staff, will come again" @input=${paste}></textarea>
    ${fileFault ? html`<p role="alert" class="wrong">${fileFault}</p>` : nothing}
    ${draft.head.rows.length ? rowsSeen() : nothing}</section>`;
}

function rowsSeen(): TemplateResult {
  const { head } = draft;
  const size = head.whole
    ? `${head.rows.length.toLocaleString("en-GB")} ${(head.kind === "zip" && FOUND[draft.modality]) || "items"}`
    : "The beginning of the file";
  return html`<p role="status">${size} found${draft.source ? ` in ${draft.source.name}` : ""}.</p>
    ${head.kind === "zip" ? folderChoice() : head.columns.length > 1 || head.kind !== "lines" ? html`${mappingFields()} ${sampleTable()}` : nothing}`;
}

function folderChoice(): TemplateResult {
  const folders = classesIn(draft.head, "folder");
  if (folders.length < 2) return html`${nothing}`;
  return html`<label><input type="checkbox" .checked=${draft.folderLabels} @change=${(event: Event) => {
    draft.folderLabels = (event.target as HTMLInputElement).checked;
    suggestClasses();
    draw();
  }}>
    The folders are the labels (${folders.length} folders)</label>`;
}

function mappingFields(): TemplateResult {
  const { mapping, modality, head } = draft;
  const pick = (part: "text" | "label" | "key") => (event: Event) => {
    mapping[part] = (event.target as HTMLSelectElement).value;
    if (part === "label") suggestClasses();
    draw();
  };
  const found = labelledRows(draft.head, mapping.label);
  return html`<div class="fields">
    <label>Kind of items<select @change=${(event: Event) => {
      draft.modality = (event.target as HTMLSelectElement).value as Modality;
      draw();
    }}>
      ${(["text", "table"] as const).map((each) => html`<option value=${each} ?selected=${each === modality}>${MODALITIES[each]}</option>`)}</select></label>
    ${modality === "text" ? html`<label>Text${columnSelect(mapping.text, pick("text"), false)}</label>` : nothing}
    ${draft.kind === "form" ? nothing : html`<label>Label, if known${columnSelect(mapping.label, pick("label"))}</label>`}
    <label>Key, if there is one${columnSelect(mapping.key, pick("key"))}</label></div>
    ${modality === "text" && head.columns.length > 1 && (draft.kind === "comparison" || draft.kind === "form") ? candidateColumns(draft, draw) : nothing}
    ${draft.kind === "form" ? html`<p class="quiet">Answers that are known: a column a question, called label. and the question's name.</p>` : nothing}
    ${found && draft.kind !== "form" ? html`<p class="quiet">${found.toLocaleString("en-GB")} of these rows carry a label: they teach the model before anybody answers.</p>` : nothing}`;
}

function columnSelect(chosen: string, changed: (event: Event) => void, optional = true): TemplateResult {
  return html`<select @change=${changed}>${optional ? html`<option value="" ?selected=${chosen === ""}>none</option>` : nothing}
    ${draft.head.columns.map((name) => html`<option value=${name} ?selected=${name === chosen}>${name}</option>`)}</select>`;
}

function sampleTable(): TemplateResult {
  const columns = draft.head.columns.slice(0, COLUMNS_SHOWN);
  const more = draft.head.columns.length - columns.length;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="The first rows"><table class="sample">
    <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${draft.head.rows.slice(0, ROWS_SHOWN).map((row) => html`<tr>${columns.map((name) => html`<td>${cell(row[name])}</td>`)}</tr>`)}</tbody></table></div>
    ${more > 0 ? html`<p class="quiet">and ${more} more ${more === 1 ? "column" : "columns"}</p>` : nothing}`;
}

function cell(value: unknown): string {
  const text =
    value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const letters = [...text];
  return letters.length > CELL_SHOWN ? `${letters.slice(0, CELL_SHOWN).join("")} …` : text;
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

function hover(event: DragEvent): void {
  event.preventDefault();
  (event.currentTarget as HTMLElement).classList.toggle("over", event.type === "dragover");
}

function drop(event: DragEvent): void {
  event.preventDefault();
  (event.currentTarget as HTMLElement).classList.remove("over");
  const file = event.dataTransfer?.files[0];
  if (file) void take(file);
}

function choose(event: Event): void {
  const file = (event.target as HTMLInputElement).files?.[0];
  if (file) void take(file);
}

async function take(file: File): Promise<void> {
  fileFault = "";
  pasted = "";
  if (picture) URL.revokeObjectURL(picture);
  picture = null;
  try {
    const head = await headOf(file);
    Object.assign(draft, { head, source: file, ...guess(head) });
    if (head.kind === "zip") draft.modality = modalityOf(String(head.rows[0]?.name ?? ""));
    draft.name ||= file.name
      .replace(/\.[^.]+$/, "")
      .replace(/[-_]+/g, " ")
      .slice(0, 200);
    suggestClasses();
  } catch (error) {
    Object.assign(draft, { head: NO_HEAD, source: null });
    fileFault = message(error);
  }
  draw();
}

async function headOf(file: File): Promise<Head> {
  const kind = kindOf(file.name);
  if (kind === "zip") {
    const entries = await mediaFiles(file);
    if (entries[0]) picture = await previewUrl(file, entries[0]).catch(() => null);
    return {
      kind,
      columns: ["name"],
      rows: entries.map(({ name }) => ({ name, folder: folderOf(name) })),
      whole: true,
    };
  }
  if (kind !== "parquet") return readHead(file, kind);
  if (file.size > PARQUET_LIMIT)
    throw new Error(
      "A Parquet file of more than 64 MB is imported with the command line: labelwise import PROJECT FILE.",
    );
  return parquetHead(file);
}

function paste(event: Event): void {
  pasted = (event.target as HTMLTextAreaElement).value;
  fileFault =
    pasted.length > HEAD_BYTES
      ? "That is a lot to paste: save it as a text file, one item a line, and drop the file."
      : "";
  const head = fromLines(pasted);
  Object.assign(draft, {
    head,
    source: null,
    modality: "text",
    mapping: { text: "text", label: "", key: "", candidates: [] },
  });
  draw();
}

function complaint(): string | null {
  if (!draft.name.trim()) return "Give the project a name.";
  if (draft.head.rows.length === 0) return fileFault || "Drop a file or paste lines first.";
  if (draft.modality === "text" && !draft.mapping.text && !draft.mapping.candidates.length)
    return "Say which column is the text.";
  const compares =
    draft.kind === "comparison" || draft.fields.some(({ type }) => draft.kind === "form" && type === "comparison");
  if (compares && !draft.mapping.candidates.length) return "Say which columns are the candidates.";
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
  const taken = result.created + result.updated;
  const words = (n: number, one: string, many: string): string =>
    `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;
  return html`<section class="card"><h2 tabindex="-1">${project.name} is ready</h2>
    <p role="status">${words(taken, "item is", "items are")} stored${result.unchanged ? `; ${words(result.unchanged, "row repeats", "rows repeat")} another one` : ""}${result.rejected_count ? `; ${words(result.rejected_count, "row was", "rows were")} not taken` : ""}.</p>
    ${
      taken
        ? html`<p><a class="button" href="/projects/${project.slug}/annotate">Label now</a>
      <a class="button secondary" href="/projects/${project.slug}/people">Invite people</a>
      <a href="/projects/${project.slug}/overview">Overview</a></p>`
        : html`<p>Mend the rows below and import them with <code>labelwise import ${project.slug} FILE</code>.</p>`
    }
    ${result.rejected_count ? rejected(job, result) : nothing}</section>`;
}

function rejected(job: Job | null, result: ImportResult): TemplateResult {
  return html`<h3>Rows that were not taken</h3>
    <div class="scroll" tabindex="0" role="region" aria-label="Rows that were not taken"><table>
      <thead><tr><th scope="col">Line</th><th scope="col">Key</th><th scope="col">Why</th></tr></thead>
      <tbody>${result.rejected.slice(0, REJECTED_SHOWN).map((row) => html`<tr><td>${row.line || "–"}</td><td>${row.key ?? "–"}</td><td>${row.error}</td></tr>`)}</tbody></table></div>
    ${job ? html`<p><a href="/api/v1/jobs/${job.id}/rejected.csv" download>Download them as CSV</a></p>` : nothing}`;
}

draw();
