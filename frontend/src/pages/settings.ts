// A project's settings: its name and guidelines, classes, goal and state. Each part is saved by itself; what
// somebody else changed meanwhile is never overwritten (the ETag of what was read goes along).
import { html, nothing, render, type TemplateResult } from "lit";
import { Versions } from "../lib/guidelines-versions";
import { call, message, pageData, Refusal, send } from "../lib/http";
import {
  goalOf,
  type LearningForm,
  learningFields,
  learningOf,
  type Strategy,
  strategyOf,
  USUAL,
} from "../lib/learning-form";
import { type ClassRow, classesPart } from "../lib/project-classes";
import { ProjectQuestions, type StoredTask } from "../lib/project-questions";
import { type Learner, ScorerForm, type Tested } from "../lib/scorer-form";

interface ProjectRow {
  id: number;
  name: string;
  state: string;
  task: StoredTask;
  no_learner: string | null;
  guidelines: string;
  strategy: { name: string; [parameter: string]: unknown };
  learner: Learner;
  round_size: number | "auto" | null;
  overlap: number;
  audit_share: number;
  audit_use: string;
  cost_exponent: number;
  audit_choice: string;
  audit_estimate: string;
  goal: {
    accuracy?: number;
    labels?: number;
    hours?: number;
    date?: string;
    cost?: number;
    hour_price?: number;
    point_worth?: number;
    stops?: boolean;
  } | null;
}

const { project, strategies } = pageData<{
  project: { id: number; slug: string; modality: string };
  strategies: Strategy[];
}>();
const root = document.getElementById("settings") as HTMLElement;
const path = `/projects/${project.id}`;
const STATES: Record<string, string> = {
  open: "Open: people label, the loop runs",
  paused: "Paused: nothing is handed out; answers on their way are kept",
  closed: "Closed: no more answers are taken",
  archived: "Archived: closed, and out of the lists",
};

const versions = new Versions(path, draw);
const scorer = new ScorerForm(
  draw,
  (learner) => call<Tested>("POST", `${path}/scorer/test`, { body: { learner } }),
  async () => {
    if (row?.learner.name !== "http") throw new Error("Save the model server first: then it has a secret.");
    return (await call<{ secret: string }>("POST", `${path}/scorer/secret`)).secret;
  },
);
const questions = new ProjectQuestions(project.modality, draw, async (task) => {
  await save({ task }, "The questions were saved.");
  const words = said;
  await load(); // a new question brings classes of its own
  said = words;
  draw();
});
let row: ProjectRow | null = null;
let classes: ClassRow[] = [];
let etag = "";
let fault = "";
let said = "";
const texts = { name: "", guidelines: "", state: "", copy: "" };
let learning: LearningForm = { ...USUAL };

async function load(): Promise<void> {
  try {
    const counted = call<{ items: ClassRow[] }>("GET", `${path}/classes`);
    const answer = await send("GET", `/api/v1${path}`);
    classes = (await counted).items;
    take(answer.value as ProjectRow, answer.headers);
  } catch (error) {
    fault = message(error);
  }
  draw();
}

function take(given: ProjectRow, headers: Headers): void {
  if (row && row.guidelines !== given.guidelines) versions.forget();
  row = given;
  etag = headers.get("etag") ?? etag;
  questions.take(row.task);
  Object.assign(texts, { name: row.name, guidelines: row.guidelines, state: row.state });
  scorer.take(row.learner);
  learning = {
    strategy: row.strategy.name,
    parameters: typed(row.strategy),
    learner: row.learner.name,
    roundSize: typeof row.round_size === "number" ? String(row.round_size) : "",
    overlap: String(row.overlap),
    auditShare: inPercent(row.audit_share),
    goalAccuracy: row.goal?.accuracy ? inPercent(row.goal.accuracy) : "",
    goalLabels: row.goal?.labels ? String(row.goal.labels) : "",
    goalHours: row.goal?.hours ? String(row.goal.hours) : "",
    goalDate: row.goal?.date ?? "",
    auditUse: row.audit_use,
    costExponent: written(row.cost_exponent),
    auditChoice: row.audit_choice,
    auditEstimate: row.audit_estimate,
    goalCost: written(row.goal?.cost),
    hourPrice: written(row.goal?.hour_price),
    pointWorth: written(row.goal?.point_worth),
    goalStops: row.goal?.stops ? "yes" : "",
  };
}

/** As people typed it, without the last places that floats add: saved again, nothing changes. */
const inPercent = (share: number): string => String(Number((100 * share).toPrecision(12)));

const written = (number: number | undefined): string => (number ? String(number) : "");

/** The parameters of a stored strategy as the form holds them. */
function typed({ name: _, ...parameters }: ProjectRow["strategy"]): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
}

async function save(body: Record<string, unknown>, done: string): Promise<void> {
  fault = "";
  said = "";
  try {
    const answer = await send("PATCH", `/api/v1${path}`, { body, headers: { "If-Match": etag } });
    take(answer.value as ProjectRow, answer.headers);
    said = done;
  } catch (error) {
    fault = message(error);
    if (error instanceof Refusal && error.status === 412)
      fault = "Somebody changed the settings meanwhile: reload the page, then repeat your change.";
  }
  draw();
}

function draw(): void {
  render(page(), root);
}

function page(): TemplateResult {
  const notes = html`<p role="status">${said}</p>${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}`;
  if (!row) return html`${fault ? notes : html`<p class="quiet" aria-busy="true">Reading the settings</p>`}`;
  return html`${notes} ${basics()} ${questions.view(row.task, row.no_learner)} ${classLists(row.task)} ${learningPart()} ${statePart()} ${copyPart()} ${removal()}`;
}

/** The classes of each question that has any. */
function classLists(task: StoredTask): TemplateResult[] {
  const section = { run: classesChanged, draw };
  const asked = task.fields ?? [{ name: "label", type: task.type, title: "" }];
  return asked
    .filter(({ type }) => type === "classification" || type === "rating")
    .map(({ name, type, title }) => ({ name, type, title, own: classes.filter(({ question }) => question === name) }))
    .filter(({ type, own }) => type === "classification" || own.length > 0)
    .map(({ name, type, title, own }) => classesPart(own, section, { name, title, levels: type === "rating" }));
}

async function classesChanged(work: () => Promise<unknown>, done: string): Promise<void> {
  fault = "";
  said = "";
  try {
    await work();
    said = done;
  } catch (error) {
    fault = message(error);
  }
  await load();
}

function basics(): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    void save({ name: texts.name.trim(), guidelines: texts.guidelines }, "Saved.");
  };
  return html`<form class="card" @submit=${submit} aria-labelledby="basics"><h2 id="basics">Name and guidelines</h2>
    <label>Name<input type="text" maxlength="200" required .value=${texts.name} @input=${(event: Event) => {
      texts.name = (event.target as HTMLInputElement).value;
    }}></label>
    <label>Guidelines <small>Markdown; annotators open them with H</small><textarea rows="8" .value=${texts.guidelines} @input=${(
      event: Event,
    ) => {
      texts.guidelines = (event.target as HTMLTextAreaElement).value;
    }}></textarea></label>
    <p class="quiet">Changed guidelines show a dot on H; every answer remembers the version it was made under.</p>
    <button type="submit">Save</button>
    ${versions.view((text) => {
      texts.guidelines = text;
      draw();
    })}</form>`;
}

function learningPart(): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    const { fault: wrong, body: given } = learningOf(learning, strategies, scorer);
    if (wrong) {
      fault = wrong;
      draw();
      return;
    }
    const body = {
      strategy: strategyOf(learning, strategies),
      ...(learning.learner === row?.learner.name && learning.learner !== "http"
        ? {}
        : { learner: given.learner ?? { name: learning.learner } }),
      round_size: learning.roundSize ? Number(learning.roundSize) : "auto",
      audit_share: Number(learning.auditShare) / 100,
      audit_use: learning.auditUse,
      cost_exponent: Number(learning.costExponent),
      audit_choice: learning.auditChoice,
      audit_estimate: learning.auditEstimate,
      goal: goalOf(learning),
    };
    void save(body, "Saved. The next round goes by it.");
  };
  return html`<form class="card" @submit=${submit} aria-labelledby="learning" novalidate><h2 id="learning">Goal and learning</h2>
    ${learningFields(learning, strategies, draw, scorer, true)}<button type="submit">Save</button></form>`;
}

function statePart(): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    void save({ state: texts.state }, `The project is ${texts.state} now.`);
  };
  return html`<form class="card" @submit=${submit} aria-labelledby="state"><h2 id="state">State</h2>
    <fieldset><legend>The project is</legend>${Object.entries(STATES).map(
      ([state, words]) =>
        html`<label><input type="radio" name="state" .checked=${texts.state === state} @change=${() => {
          texts.state = state;
        }}> ${words}</label>`,
    )}</fieldset>
    <button type="submit">Save</button></form>`;
}

function copyPart(): TemplateResult {
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      const body = { copy_of: project.id, name: texts.copy.trim() };
      const made = await call<{ slug: string }>("POST", "/projects", { body });
      location.assign(`/projects/${made.slug}/settings`);
    } catch (error) {
      fault = message(error);
      draw();
    }
  };
  return html`<details class="card"><summary><h2>Copy the project</h2></summary>
    <p>The copy has these settings, classes, guidelines and people, and no items.</p>
    <form class="inline" @submit=${submit}><label>Name of the copy<input type="text" maxlength="200" required .value=${texts.copy} @input=${(
      event: Event,
    ) => {
      texts.copy = (event.target as HTMLInputElement).value;
    }}></label><button type="submit" class="secondary">Copy</button></form></details>`;
}

function removal(): TemplateResult {
  const erase = async (): Promise<void> => {
    try {
      await call("DELETE", path);
      location.assign("/projects");
    } catch (error) {
      fault = message(error);
      draw();
    }
  };
  return html`<details class="card"><summary><h2>Delete the project</h2></summary>
    <p>It leaves the lists at once and can be brought back for 7 days.</p>
    <button type="button" class="danger" @click=${erase}>Delete ${row?.name}</button></details>`;
}

draw();
void load();
