// The rounds of a project: is it worth going on, what each round gave; one of them; or two side by side.
import { html, nothing, render, type TemplateResult } from "lit";
import { LABELS } from "../lib/axis";
import type { ClassRef } from "../lib/balance";
import { curveChart } from "../lib/charts";
import { ColumnView } from "../lib/column-view";
import { compareView } from "../lib/compare-view";
import { count } from "../lib/figures";
import { call, message, pageData, Refusal } from "../lib/http";
import { LearnersView, type Offered } from "../lib/learners-view";
import { curves, type Overview, type RoundRow } from "../lib/overview";
import { roundView } from "../lib/round-view";
import type { Comparison, Place, RoundDetail } from "../lib/rounds";
import { roundsTable } from "../lib/rounds-table";
import { slicesSentence } from "../lib/slices-view";
import { advice } from "../lib/stopping";

interface Config {
  project: Place;
  classes: ClassRef[];
  rounds: number[]; // none: all of them; one; or two to be compared
  learners: Offered[];
  learner: string; // the project's own
}

const { project, classes, rounds: asked, learners, learner } = pageData<Config>();
const root = document.getElementById("rounds") as HTMLElement;
const base = `/projects/${project.id}`;
const pages = `/projects/${project.slug}/rounds`;
const byId = new Map(classes.map((each) => [each.id, each]));
const LIVE_SECONDS = 30;
const PAGE = 50;

let overview: Overview | null = null;
let rows: RoundRow[] = [];
let next: string | null = null;
let since: { words: string; first: number; second: number; labels: number } | null = null;
let one: RoundDetail | null = null;
let both: Comparison | null = null;
let trouble = "";
const picked: number[] = [];
const columns = new ColumnView(base, project.manager, draw, (filter) => found(filter));
const contest = new LearnersView(base, learners, learner, draw, (filter) => found(filter));

const found = (filter: string): string => `/projects/${project.slug}/items?${filter}`;

async function load(): Promise<void> {
  const [first, second] = asked;
  if (first && second) both = await call<Comparison>("GET", `${base}/rounds/${first}/compare/${second}`);
  else if (first) one = await call<RoundDetail>("GET", `${base}/rounds/${first}`);
  else overview = await call("GET", `${base}/overview`);
  const list = await call<{ items: RoundRow[]; next: string | null }>("GET", `${base}/rounds?limit=${PAGE}&brief=true`);
  const older = rows.filter((row) => row.number < (list.items.at(-1)?.number ?? 0));
  rows = [...list.items, ...older];
  if (older.length === 0) next = list.next;
  if (!first) await look();
}

/** What half of the labels brought: the newest judged round beside the one that had half of them. */
async function look(): Promise<void> {
  const judged = rows.filter((row) => row.metrics?.accuracy);
  const newest = judged[0];
  const half = newest && judged.find((row) => row.labels <= newest.labels / 2);
  if (!newest || !half || (since?.first === half.number && since.second === newest.number)) return;
  try {
    const { words } = await call<Comparison>("GET", `${base}/rounds/${half.number}/compare/${newest.number}`);
    since = { words, first: half.number, second: newest.number, labels: newest.labels - half.labels };
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 409) throw error; // rounds of before records were kept
  }
}

async function follow(): Promise<void> {
  for (;;) {
    try {
      if (overview && !trouble)
        await call("GET", `${base}/status?wait=${LIVE_SECONDS}&seen=${overview.status.version}`);
      await load();
      trouble = "";
    } catch (error) {
      trouble = message(error);
      draw();
      if (error instanceof Refusal && error.status < 500 && error.status > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
    draw();
    if (asked.length && !trouble && one?.state !== "published" && one?.state !== "running") return;
    if (asked.length) await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

async function earlier(): Promise<void> {
  if (!next) return;
  try {
    const more = await call<{ items: RoundRow[]; next: string | null }>(
      "GET",
      `${base}/rounds?limit=${PAGE}&brief=true&cursor=${encodeURIComponent(next)}`,
    );
    rows = [...rows, ...more.items];
    next = more.next;
  } catch (error) {
    trouble = message(error);
  }
  draw();
}

function draw(): void {
  render(page(), root);
}

function page(): TemplateResult {
  const wrong = trouble ? html`<p role="alert" class="wrong">${trouble}</p>` : nothing;
  if (!one && !both && !overview) {
    return html`${asked.length ? ways() : nothing} ${trouble ? wrong : html`<p class="quiet" aria-busy="true">Reading the figures</p>`}`;
  }
  if (both) return html`${ways()} ${wrong} ${compareView(both, found)}`;
  if (one) return html`${ways()} ${wrong} ${roundView(one, byId, project, found, columns)}`;
  return html`${wrong} ${everything(overview as Overview)}`;
}

/** The way back, to the neighbours, and to a comparison with any other round. */
function ways(): TemplateResult {
  const [first = 0, second] = asked;
  if (second)
    return html`<p class="ways"><a href=${pages}>All rounds</a> ${chooser(first, (number) => `${pages}/${number}/compare/${second}`, "First round")}
      ${chooser(second, (number) => `${pages}/${first}/compare/${number}`, "Second round")}
      <a href="${pages}/${second}/compare/${first}">The other way round</a></p>`;
  const newest = rows[0]?.number ?? first;
  return html`<p class="ways"><a href=${pages}>All rounds</a>
    ${first > 1 ? html`<a href="${pages}/${first - 1}">Round ${first - 1}</a>` : nothing}
    ${first < newest ? html`<a href="${pages}/${first + 1}">Round ${first + 1}</a>` : nothing}
    ${rows.length > 1 && one?.published_at ? chooser(0, (number) => `${pages}/${Math.min(first, number)}/compare/${Math.max(first, number)}`, "Compare with", first) : nothing}</p>`;
}

/** A list of the rounds that were published; choosing one goes where it leads. */
function chooser(chosen: number, to: (number: number) => string, label: string, without = 0): TemplateResult {
  const go = (event: Event): void => {
    const number = Number((event.target as HTMLSelectElement).value);
    if (number) window.location.href = to(number);
  };
  const listed = rows.filter((row) => row.published_at && row.number !== without);
  const known = chosen === 0 || listed.some((row) => row.number === chosen);
  return html`<label>${label} <select @change=${go}>
    ${chosen === 0 ? html`<option value="">a round</option>` : nothing}
    ${known ? nothing : html`<option value=${chosen} selected>Round ${chosen}</option>`}
    ${listed.map((row) => html`<option value=${row.number} ?selected=${row.number === chosen}>Round ${row.number}, ${row.labels} labels</option>`)}</select></label>`;
}

function everything(all: Overview): TemplateResult {
  const series = curves(all, LABELS);
  const judged = all.curve.some((each) => each.accuracy);
  const width = Math.max(280, Math.min(720, root.clientWidth - 48));
  const goal = all.status.goal?.accuracy ?? null;
  return html`<section class="card" aria-labelledby="worth"><h2 id="worth">Is it worth going on?</h2>
      ${advice(all.status.advice.text, all.stopping, all.words.unanswered)}
      ${
        judged
          ? html`<div class="columns even"><div>${curveChart(series, { label: "Learning curve", xLabel: "labels", width, height: 220, goal })}</div>
        <ul class="plain findings">
          <li><strong>How good</strong> ${all.words.accuracy}.</li>
          ${since ? html`<li><strong>What the last ${count(since.labels)} labels brought</strong> ${since.words} <a href="${pages}/${since.first}/compare/${since.second}">Side by side</a></li>` : nothing}
          ${all.words.slices && all.slices ? html`<li><strong>Where it is worst</strong> ${slicesSentence(all.words.slices, all.slices, `${pages}/${all.slices.round}#worst`, project.manager, found)}</li>` : nothing}
          ${all.words.saved ? html`<li><strong>What choosing saves</strong> ${all.words.saved}</li>` : nothing}
        </ul></div>`
          : html`<p>${all.words.accuracy}</p>`
      }
    </section>
    <section class="card" aria-labelledby="all"><h2 id="all">All rounds</h2>
      ${rows.length > 1 ? picking() : nothing}
      ${roundsTable(rows, found, { pages, manager: project.manager, picked, pick })}
      ${next ? html`<button type="button" class="secondary" @click=${earlier}>Earlier rounds</button>` : nothing}
    </section>
    ${project.manager && !all.status.no_learner ? contest.view() : nothing}`;
}

function picking(): TemplateResult {
  const [first, second] = [...picked].sort((a, b) => a - b);
  const ready = first !== undefined && second !== undefined;
  const words = ready ? `Compare rounds ${first} and ${second}` : "Compare two rounds";
  return html`<p class="go">${ready ? html`<a class="button" href="${pages}/${first}/compare/${second}">${words}</a>` : html`<button type="button" class="secondary" disabled>${words}</button>`}
    <span class="quiet" role="status">${ready ? "" : picked.length ? `Round ${picked[0]} is chosen; choose one more.` : "Tick two rounds in the table."}</span></p>`;
}

function pick(number: number): void {
  const at = picked.indexOf(number);
  if (at >= 0) picked.splice(at, 1);
  else picked.push(number);
  if (picked.length > 2) picked.shift();
  draw();
}

draw();
void follow();
