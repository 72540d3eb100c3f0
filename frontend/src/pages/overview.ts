// The overview: is it learning, is it worth going on? It reads all figures when the status changes, and asks for
// the status with a long wait, so that a new round shows within a second and an idle page costs two requests a minute.
import { html, nothing, render, type TemplateResult } from "lit";
import { type Act, auditRequest, leadTo } from "../lib/audit-request";
import { type Axis, axesOf, axisSwitch, axisWords, measureOf } from "../lib/axis";
import { balanceTable } from "../lib/balance";
import { curveChart, dayColumns } from "../lib/charts";
import { count, fromTo, isWide, percent } from "../lib/figures";
import { call, message, newId, pageData, Refusal, send } from "../lib/http";
import { nextBatch, type Places } from "../lib/next-batch";
import {
  ago,
  curves,
  type GoalPart,
  loopWords,
  type Overview,
  type Status,
  twinWords,
  type Wall,
} from "../lib/overview";
import { recall, remember } from "../lib/remembered";
import { robustness } from "../lib/robustness";
import { newest, roundsTable } from "../lib/rounds-table";
import { slicesSentence } from "../lib/slices-view";
import { advice } from "../lib/stopping";
import { wall } from "../lib/wall";

interface Config {
  project: { id: number; slug: string; modality: string; multiple: boolean; demo: boolean; manager: boolean };
}

const { project } = pageData<Config>();
const root = document.getElementById("overview") as HTMLElement;
const base = `/projects/${project.id}`;
const rounds = `/projects/${project.slug}/rounds`;
const WALL_ITEMS = 200;
const LIVE_SECONDS = 30;
const IN_POOL = "status=open&status=answered&status=excluded&status=fetching&status=failed"; // all but the test set
const PLACES = 8;
const ROUNDS_HERE = 6; // the others have a page of their own
const BANDS = "The bands of all rounds hold the truth together in 95 of 100 projects, however often you look.";
const LOWER_ENDS =
  "The lower ends of the bands stay valid however often you look; while labels are few, the number errs on the low side.";
const ABOUT =
  "The bands are made to hold together, however often you look, as far as the normal approximation does; docs/evaluation.md shows how often they did.";
const LOWER_ABOUT =
  "The lower ends of the bands are made to stay valid, however often you look, as far as the normal approximation does (docs/evaluation.md shows how often bands did); while labels are few, the number errs on the low side.";

let overview: Overview | null = null;
let piles: Wall | null = null;
let places: Places | null = null;
let trouble = "";
let working = "";
let axis: Axis = recall("axis of the curve", "labels");

async function load(): Promise<void> {
  overview = await call<Overview>("GET", `${base}/overview`);
  if (project.manager) places = await call<Places>("GET", `${base}/queue?limit=${PLACES}`);
  const round = overview.status.queue.round;
  if (round !== null && piles?.round !== round && !project.multiple) {
    piles = await call<Wall>("GET", `${base}/wall?count=${WALL_ITEMS}`);
  }
}

async function follow(): Promise<void> {
  for (;;) {
    try {
      // With nothing on the page, or something wrong with it, there is nothing to wait for.
      if (overview && !trouble)
        await call<Status>("GET", `${base}/status?wait=${LIVE_SECONDS}&seen=${overview.status.version}`);
      await load();
      trouble = "";
    } catch (error) {
      trouble = message(error);
      draw();
      if (error instanceof Refusal && [401, 403, 404].includes(error.status)) return;
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
    draw();
  }
}

function draw(): void {
  render(page(), root);
}

/** The address of the items behind a number. */
const found = (filter: string): string => `/projects/${project.slug}/items${filter && `?${filter}`}`;

function page(): TemplateResult {
  if (!overview) {
    return trouble
      ? html`<p role="alert" class="wrong">${trouble}</p>`
      : html`<p class="quiet" aria-busy="true">Reading the figures</p>`;
  }
  const { status } = overview;
  return html`
    ${trouble ? html`<p role="alert" class="wrong">${trouble} The figures below are from before.</p>` : nothing}
    ${notices(status)} ${status.items.total === 0 ? empty() : figures(overview)}`;
}

function notices(status: Status): TemplateResult {
  const worker = html`<p role="alert" class="wrong">
    No worker is running, so nothing is learned. Answers are kept. Start one with <code>labelwise worker</code>,
    or restart <code>labelwise serve</code>, which starts one itself.
    ${status.worker.last_seen ? html`<span class="quiet">Last seen ${ago(status.worker.last_seen)}.</span>` : nothing}</p>`;
  const failure = html`<p role="alert" class="wrong">The last ${status.last_failure?.kind} failed:
    ${status.last_failure?.reason ?? "no reason was given"}. It is tried again with the next answers.</p>`;
  return html`${status.worker.alive ? nothing : worker} ${status.last_failure ? failure : nothing}`;
}

function empty(): TemplateResult {
  return html`<section class="card"><h2>No items yet</h2>
    <p>${project.manager ? html`<a href="/projects/${project.slug}/import">Add a file</a>, or push` : "A manager pushes"} items with the command line or over REST; they appear here within a second.</p>
    <pre tabindex="0"><code>labelwise import ${project.slug} items.csv</code></pre></section>`;
}

function figures(all: Overview): TemplateResult {
  const hasWall = piles?.piles.some((pile) => pile.items.length > 0);
  return html`
    ${advice(all.status.advice.text, all.stopping, all.words.unanswered)}
    ${all.drift.alarm ? drifted(all) : nothing}
    <div class="columns">
      <div>${learning(all)}</div>
      <div>${progress(all)} ${loop(all)}</div>
    </div>
    ${hasWall && piles ? wall(piles, found) : nothing}
    <div class="columns">
      <div>${balance(all)}</div>
      <div>${pace(all)}</div>
    </div>
    ${places ? nextBatch(places, all.status.queue.depth, found) : nothing}
    <section class="card" aria-labelledby="rounds"><h2 id="rounds">Rounds</h2>${roundsTable(newest(all.rounds, ROUNDS_HERE), found, { pages: rounds, manager: project.manager })}
      ${all.rounds.length ? html`<p><a href=${rounds}>All rounds, and any two side by side</a></p>` : nothing}</section>`;
}

/** New items look unlike the earlier ones: the sentence, and the items behind it. */
function drifted({ words, drift }: Overview): TemplateResult {
  const behind = drift.items
    ? html` Look at <a href=${found("drifted=true")}>the ${count(drift.items)} most unlike</a>, and label some of them or have them asked first.`
    : nothing;
  return html`<p class="advice drift" role="note">${words.drift}${behind}</p>`;
}

function progress({ status, disputed, doubtful }: Overview): TemplateResult {
  const { items } = status;
  return html`<section class="card" aria-labelledby="progress">
    <h2 id="progress">Labels</h2>
    <p class="figure"><a href=${found("status=answered")}>${count(items.answered)}</a> <small>of <a href=${found(items.test ? IN_POOL : "")}>${count(items.total - items.test)} items</a> labelled</small></p>
    ${status.goal_parts.length ? html`<p class="quiet">The goal</p><ul class="plain goal" aria-label="Goal">${status.goal_parts.map(goalPart)}</ul>` : nothing}
    <ul class="plain">
      ${items.test ? html`<li><a href=${found("status=test")}>${count(items.test)} more</a> are your own test set: they judge, and are never asked.</li>` : nothing}
      ${items.flagged ? html`<li><a href=${found("status=flagged")}>${count(items.flagged)} with an open note</a></li>` : nothing}
      ${items.stuck ? html`<li><a href=${found("status=stuck")}>${count(items.stuck)} skipped by three people</a>: look at them, they are not asked about any more</li>` : nothing}
      ${disputed ? html`<li><a href=${found("disputed=true")}>${count(disputed)} disputed</a>: the votes are a tie, and a manager's word decides</li>` : nothing}
      ${doubtful ? html`<li><a href=${found("doubtful=true&sort=-probability")}>${count(doubtful)} to look at again</a>: a model that did not see ${doubtful === 1 ? "its answer takes it" : "their answers takes them"} for another class</li>` : nothing}
      ${items.skipped ? html`<li><a href=${found("status=skipped")}>${count(items.skipped)} skipped</a></li>` : nothing}
      ${items.excluded ? html`<li><a href=${found("status=excluded")}>${count(items.excluded)} excluded</a></li>` : nothing}
      ${items.failed ? html`<li><a href=${found("status=failed")}>${count(items.failed)} could not be read</a></li>` : nothing}
    </ul></section>`;
}

/** One part of the goal in words, with a bar where the way to it can be measured. */
const goalPart = ({ words, share, reached }: GoalPart): TemplateResult =>
  html`<li>${reached ? html`<strong>${words}</strong>` : words}${share === null ? nothing : html`<progress aria-label=${words} max="1" value=${share}></progress>`}</li>`;

function learning(all: Overview): TemplateResult {
  const drawn = axesOf(all).includes(axis) ? axis : "labels";
  const measure = measureOf(all, drawn);
  const series = curves(all, measure);
  const last = [...all.curve].reverse().find((each) => each.accuracy)?.accuracy ?? null;
  if (!last) return beginning(all);
  const imported = all.curve.at(-1)?.stratum === "imported";
  const chosen = !imported && all.how?.choice === "active";
  const exact = imported || (!chosen && all.how?.estimate !== "prediction_powered");
  const share = chosen
    ? "audit items that the model chose, weighed by their chances"
    : "the audit share, a random part of the answers";
  const judged = imported ? "your own test set" : share;
  const both = imported || all.audit_use === "apart"; // where audit answers teach, lower ends alone are claimed
  const bands = both ? (exact ? BANDS : ABOUT) : exact ? LOWER_ENDS : LOWER_ABOUT;
  const judges = imported ? "test items" : "audit answers";
  const behind = html`<a href=${found(imported ? "status=test" : "kind=audit")}>${count(last.n)} ${judges}</a>`;
  const width = Math.max(280, Math.min(720, root.clientWidth - 48));
  const options = {
    label: "Learning curve",
    xLabel: measure.name,
    ...(measure.words ? { xWords: measure.words } : {}),
    width,
    goal: all.status.goal?.accuracy ?? null,
  };
  const against = (chosen: Axis): void => {
    axis = chosen;
    remember("axis of the curve", axis);
    draw();
  };
  const twin = twinWords(all);
  return html`<section class="card wide" aria-labelledby="learning">
    <h2 id="learning">Is it learning?</h2>
    <p class="figure">${isWide(last.low, last.high) ? html`<span class="said">${leadTo(all)}</span>` : html`${percent(last.value)} <small>${fromTo(last.low, last.high)}, ${behind}</small>`}</p>
    ${all.words.error ? html`<p>${all.words.error}.</p>` : nothing}
    ${axisSwitch(all, drawn, against)}
    ${curveChart(series, options)}
    ${drawn === "labels" ? nothing : html`<p class="quiet">${axisWords(all, drawn)}</p>`}
    <p class="quiet">Accuracy on ${judged}. ${bands}</p>
    ${!imported && all.words.how ? html`<p class="quiet">${all.words.how}</p>` : nothing}
    ${auditRequest(all, act, working === "audit")}
    ${twin ? html`<p>${twin}</p>` : nothing}
    ${all.words.saved ? html`<p>${all.words.saved}</p>` : nothing}
    ${all.words.slices && all.slices ? html`<p>${slicesSentence(all.words.slices, all.slices, `${rounds}/${all.slices.round}#worst`, project.manager, found)}</p>` : nothing}
    ${robustness(all.robustness, all.words.robustness, project.manager, found)}</section>`;
}

/** Before the first point: why there is none, and the way to it. */
function beginning(all: Overview): TemplateResult {
  const { words, status } = all;
  return html`<section class="card wide beginning" aria-labelledby="learning">
    <h2 id="learning">Is it learning?</h2>
    <p class="figure"><span class="said">${words.accuracy}</span></p>
    ${status.no_learner ? html`<p class="quiet">A class, or a number in steps, would teach one; a form may ask for it beside.</p>` : html`<p class="quiet">Here the accuracy will be drawn, round by round, with a band that stays valid however often you look.</p>`}
    ${project.demo ? html`<p>Press the keys of ten digits, and your curve begins; or watch two simulated annotators first.</p>` : nothing}
    ${status.state === "open" && status.items.open ? html`<p><a class="button" href="/projects/${project.slug}/annotate">Label</a>${project.demo ? html`<a class="button secondary" href="/projects/${project.slug}/watch">Watch it learn</a>` : nothing}</p>` : nothing}
    ${status.no_learner ? nothing : auditRequest(all, act, working === "audit")}</section>`;
}

function loop({ status, words, drift }: Overview): TemplateResult {
  const order =
    status.items.open === 0 && status.items.total > 0
      ? html`Nothing is left to ask.`
      : status.queue.round
        ? html`Items are asked in the order of round ${status.queue.round}; <a href=${found("queued=true")}>${count(status.queue.depth)}</a> are left in it.`
        : html`Items are asked at random until the first round is published.`;
  return html`<section class="card" aria-labelledby="loop">
    <h2 id="loop">The loop</h2>
    <p role="status">${loopWords(status)}</p>
    ${status.round.state === "running" ? html`<progress aria-label="This round" max="1" value=${status.round.progress ?? 0}></progress>` : nothing}
    <p>${order}</p>
    ${status.fallback ? html`<p class="wrong">Fallback: ${status.fallback}.</p>` : nothing}
    ${status.strategy ? html`<p class="quiet">${status.strategy}</p>` : nothing}
    ${words.strategy ? html`<p class="quiet">${words.strategy}</p>` : nothing}
    ${status.features.sentence ? html`<p class="quiet">${status.features.sentence}</p>` : nothing}
    ${words.drift && !drift.alarm ? html`<p class="quiet">${words.drift}</p>` : nothing}
    ${project.manager && (status.state === "open" || status.state === "paused") ? html`<button class="secondary" type="button" ?disabled=${working === "state"} @click=${() => setState(status.state === "open" ? "paused" : "open")}>${status.state === "open" ? "Pause" : "Resume"}</button>` : nothing}
    ${project.manager ? html`<button class="secondary" type="button" @click=${startRound} ?disabled=${working === "round" || status.round.state === "running"}>Start a round now</button>` : nothing}
  </section>`;
}

/** Do what a button says; what is refused stands at the head of the page. */
async function during(what: string, work: () => Promise<void>): Promise<void> {
  working = what;
  draw();
  try {
    await work();
  } catch (error) {
    trouble = message(error);
  }
  working = "";
  draw();
}

/** Pause or resume; what somebody else changed meanwhile stays as it is. */
const setState = (state: string): Promise<void> =>
  during("state", async () => {
    const { headers } = await send("GET", `/api/v1${base}`);
    await call("PATCH", base, { body: { state }, headers: { "If-Match": headers.get("etag") ?? "" } });
  });

const startRound = (): Promise<void> => during("round", () => call("POST", `${base}/rounds`));

/** Ask for audit items now, or go back to the share; a click that is sent twice asks once. */
const act: Act = (method, count) =>
  void during("audit", async () => {
    const asked = { body: { count }, headers: { "Idempotency-Key": newId() } };
    await call(method, `${base}/audit-request`, method === "POST" ? asked : {});
    trouble = "";
    await load();
  });

function balance(all: Overview): TemplateResult {
  return html`<section class="card" aria-labelledby="balance">
    <h2 id="balance">Class balance</h2>
    ${all.balance.some((each) => each.labels > 0) ? balanceTable(all.balance, all.balance_of, found) : html`<p class="quiet">Shown once there are labels.</p>`}
    ${all.balance_round === null ? nothing : html`<p class="quiet">Labels as round ${all.balance_round} counted them.</p>`}</section>`;
}

/** The day behind a day, as 2026-11-28. */
const after = (day: string): string => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);

function pace({ pace: given, words }: Overview): TemplateResult {
  const first = given.last_7_days.at(0);
  const today = given.last_7_days.at(-1);
  const extra = (day?: { answers: number; items: number }): string =>
    day && day.items !== day.answers ? ` on ${count(day.items)} items` : "";
  const week = given.last_7_days.reduce((sum, each) => sum + each.answers, 0);
  return html`<section class="card" aria-labelledby="pace">
    <h2 id="pace">Pace</h2>
    <p class="figure">${today?.answers ? html`<a href=${found(`answered_after=${today.day}`)}>${count(given.today)}</a>` : "0"}
      <small>answers today${extra(today)}, ${first && week ? html`<a href=${found(`answered_after=${first.day}`)}>${count(week)}</a>` : "0"} in 7 days</small></p>
    ${week ? dayColumns(given.last_7_days, (day) => found(`answered_after=${day}&answered_before=${after(day)}`)) : nothing}
    <p class="quiet">${given.seconds_median === null ? "No time has been measured yet." : `Half of the answers take less than ${given.seconds_median.toFixed(1)} s.`}</p>
    ${words.cost && given.seconds_median !== null ? html`<p class="quiet">${words.cost}</p>` : nothing}
  </section>`;
}

draw();
void follow();
