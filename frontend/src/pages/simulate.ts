// "Simulate": which strategy would have saved most of the labels that this project has? A form, the run with its
// progress, the result, and earlier ones. The worker does it when nothing else waits.
import { html, nothing, render, type TemplateResult } from "lit";
import { count, percent } from "../lib/figures";
import { call, message, newId, pageData } from "../lib/http";
import { type Strategy, titled } from "../lib/learning-form";
import { ago } from "../lib/overview";
import {
  type Chosen,
  designWords,
  duration,
  isLive,
  JUDGES,
  resultView,
  type Simulation,
  short,
  verdictWords,
} from "../lib/simulation";

interface Ready {
  labelled: number | null;
  needed: number;
  reason: string | null;
  judged_by: keyof typeof JUDGES | null;
  pool_items: number | null;
  test_items: number | null;
}

interface Config {
  project: { id: number; slug: string; multiple: boolean };
  strategies: Strategy[];
  strategy: Chosen;
}

const { project, strategies, ...given } = pageData<Config>();
let { strategy } = given;
const root = document.getElementById("simulate") as HTMLElement;
const path = `/projects/${project.id}/simulations`;
const FIRST = ["auto", "random", "margin", "entropy", "coverage", "badge"];
const USUAL = { seeds: "10", labels: "", roundSize: "20", noise: "0", imbalance: "1", target: "" };
const OTHERS_MS = 3_000; // between two looks when the service does not answer

let ready: Ready | null = null;
let rows: Simulation[] | null = null;
let shown: Simulation | null = null;
let fault = "";
let said = "";
let sending = false;
let sure = 0;
const draft = { ...USUAL };
const own = Object.keys(given.strategy).length > 1 ? given.strategy : null; // the project's strategy with parameters of its own
const picked = new Set(["auto", "random", given.strategy.name]);

async function load(): Promise<void> {
  try {
    [ready, rows] = await Promise.all([
      call<Ready>("GET", `${path}/ready`),
      call<{ items: Simulation[] }>("GET", `${path}?limit=50`).then(({ items }) => items),
    ]);
    const last = rows[0];
    if (last && !shown) await show(last.id);
  } catch (error) {
    fault = message(error);
  }
  draw();
}

async function show(id: number): Promise<void> {
  shown = await call<Simulation>("GET", `${path}/${id}`);
  draw();
  if (isLive(shown)) void follow(shown);
}

/** Look again whenever its job has got on, until it ends or another one is shown. */
async function follow(begun: Simulation): Promise<void> {
  while (shown?.id === begun.id && isLive(shown)) {
    try {
      await call("GET", `/jobs/${shown.job}?wait=10`);
      const found = await call<Simulation>("GET", `${path}/${begun.id}`);
      if (shown?.id !== begun.id) return;
      shown = found;
      rows = (rows ?? []).map((row) => (row.id === found.id ? { ...found, found: null } : row));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
    }
    draw();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  if (shown?.id === begun.id && shown.state === "done") said = "The simulation is done.";
  draw();
}

async function attempt(work: () => Promise<void>): Promise<void> {
  sending = true;
  fault = said = "";
  draw();
  try {
    await work();
  } catch (error) {
    fault = message(error);
  }
  sending = false;
  draw();
}

const start = (event: Event): Promise<void> => {
  event.preventDefault();
  return attempt(async () => {
    const begun = await call<{ simulation: number }>("POST", path, {
      body: body(),
      headers: { "Idempotency-Key": newId() },
    });
    rows = (await call<{ items: Simulation[] }>("GET", `${path}?limit=50`)).items;
    await show(begun.simulation);
    document.getElementById("result")?.focus();
  });
};

function body(): Record<string, unknown> {
  const number = (text: string): number | null => (text.trim() === "" ? null : Number(text));
  const target = number(draft.target);
  return {
    strategies: [...picked].map((name) => (own && name === own.name ? own : { name })),
    seeds: Number(draft.seeds),
    labels: number(draft.labels),
    round_size: Number(draft.roundSize),
    noise: Number(draft.noise) / 100,
    imbalance: Number(draft.imbalance),
    target: target === null ? null : target / 100,
  };
}

const stop = (): Promise<void> =>
  attempt(async () => {
    if (!shown) return;
    await call("DELETE", `/jobs/${shown.job}`);
    said = "It stops after the round in hand; what is finished is kept.";
    await show(shown.id);
  });

const resume = (): Promise<void> =>
  attempt(async () => {
    if (!shown) return;
    await call("POST", `${path}/${shown.id}/resume`);
    await show(shown.id);
  });

const apply = (): Promise<void> =>
  attempt(async () => {
    if (!shown) return;
    strategy = (await call<{ strategy: Chosen }>("POST", `${path}/${shown.id}/apply`)).strategy;
    await show(shown.id);
    said = "The next round uses it.";
  });

async function remove(id: number): Promise<void> {
  if (sure !== id) {
    sure = id;
    return draw();
  }
  sure = 0;
  await attempt(async () => {
    await call("DELETE", `${path}/${id}`);
    if (shown?.id === id) shown = null;
    said = `Simulation ${id} is deleted.`;
    await load();
  });
}

function draw(): void {
  render(
    html`${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}<p role="status">${said}</p>
      ${ready ? (ready.reason ? missing(ready) : form(ready)) : html`<p class="quiet" aria-busy=${fault ? "false" : "true"}>Reading</p>`}
      ${shown ? result(shown) : nothing}
      ${rows?.length ? earlier(rows) : nothing}`,
    root,
  );
}

/** Before there is enough: what is missing, and the way there. */
function missing({ labelled, needed, reason }: Ready): TemplateResult {
  const more = labelled === null ? null : needed - labelled;
  return html`<section class="card" aria-labelledby="not-yet"><h2 id="not-yet">Not yet</h2>
    ${
      more === null
        ? html`<p>${reason?.[0]?.toUpperCase()}${reason?.slice(1)}.</p>`
        : html`<p>${count(labelled ?? 0)} of ${count(needed)} labelled items are there: <strong>${count(more)} more</strong> are needed to compare strategies on them.</p>
      <progress max=${needed} value=${labelled ?? 0} aria-label="Labelled items"></progress>
      <p class="quiet">Labels that came with imported items count too.</p>
      <p><a class="button" href="/projects/${project.slug}/annotate">Label</a></p>`
    }</section>`;
}

function form({ judged_by, pool_items, test_items }: Ready): TemplateResult {
  const known = strategies.map(({ name }) => name);
  const first = FIRST.filter((name) => known.includes(name) && !(project.multiple && name === "margin"));
  const rest = known.filter((name) => !first.includes(name) && name !== own?.name);
  const set = (part: keyof typeof draft) => (event: Event) => {
    draft[part] = (event.target as HTMLInputElement).value;
    draw();
  };
  const number = (
    part: keyof typeof draft,
    words: string,
    lowest: number,
    highest: number,
    hint = "",
  ): TemplateResult =>
    html`<label>${words}<input type="number" step="any" min=${lowest} max=${highest} ?required=${!hint} placeholder=${hint} .value=${draft[part]} @input=${set(part)}></label>`;
  const usual = Math.max(2, Math.min(200, Math.floor((pool_items ?? 0) / 2)));
  const labels = Number(draft.labels || usual);
  const rounds = picked.size * Number(draft.seeds) * (Math.ceil(labels / Number(draft.roundSize)) + 1);
  const busy = shown !== null && isLive(shown);
  return html`<details class="card" ?open=${!shown}><summary><h2 id="ask">${shown ? "Compare again" : "What would have saved most?"}</h2></summary>
    <form @submit=${start} aria-labelledby="ask">
    <p>The worker answers the labelled items again by their own labels, with each strategy, and counts how many labels each needs.
      ${count(pool_items ?? 0)} items are replayed; ${count(test_items ?? 0)} ${judged_by ? JUDGES[judged_by] : ""} judge. Nothing of it is stored as answers.</p>
    <fieldset><legend>Strategies</legend><div class="ticks">${own ? tick(own.name, `${short(title(own))}, as in the settings`) : nothing}
      ${first.filter((name) => name !== own?.name).map((name) => tick(name, titled(name)))}</div>
      <details ?open=${rest.some((name) => picked.has(name))}><summary>More strategies</summary><div class="ticks">${rest.map((name) => tick(name, titled(name)))}</div></details></fieldset>
    <div class="fields">
      ${number("seeds", "Repeats of each", 1, 30)}
      ${number("labels", "Labels a run", 2, pool_items ?? 2, String(usual))}
      ${number("roundSize", "Answers a round", 1, 500)}
      ${number("noise", "Wrong answers, %", 0, 90)}
      ${project.multiple ? nothing : number("imbalance", "Imbalance, largest to smallest class", 1, 1_000)}
      ${number("target", "Goal, accuracy in %", 1, 100, "90 % of what all labels give")}
    </div>
    <div class="go"><button type="submit" ?disabled=${sending || busy || picked.size < 2}>Compare</button>
      <p class="quiet">${busy ? "One simulation at a time." : picked.size < 2 ? "Choose one strategy beside random." : `${count(picked.size * Number(draft.seeds))} runs, ${count(rounds)} rounds; rounds of the project go first.`}</p></div></form></details>`;
}

/** As the service names a strategy with its parameters. */
function title({ name, ...parameters }: Chosen): string {
  const set = Object.entries(parameters).sort(([one], [other]) => (one < other ? -1 : 1));
  return [name, ...set.map(([key, value]) => `${key}=${value}`)].join(":");
}

function tick(name: string, words: string): TemplateResult {
  const fixed = name === "random";
  return html`<label><input type="checkbox" .checked=${picked.has(name)} ?disabled=${fixed} @change=${(
    event: Event,
  ) => {
    if ((event.target as HTMLInputElement).checked) picked.add(name);
    else picked.delete(name);
    draw();
  }}> ${fixed ? "Random: what all others are measured against" : words}</label>`;
}

function result(simulation: Simulation): TemplateResult {
  const { found } = simulation;
  const winner = simulation.state === "done" ? found?.verdict.winner : null;
  return html`<section class="card" id="result" tabindex="-1" aria-labelledby="of"><h2 id="of">Simulation ${simulation.id}</h2>
    <p class="quiet">${designWords(simulation)}</p>
    ${standing(simulation)}
    ${found && simulation.state === "done" ? html`<p class="verdict"><strong>${verdictWords(found)}</strong></p>` : nothing}
    ${winner ? applying(simulation, winner) : nothing}
    ${resultView(simulation, Math.max(280, Math.min(900, root.clientWidth - 48)))}
    ${found?.seeds ? html`<p><a href="/api/v1${path}/${simulation.id}/curves.csv" download>Curves as CSV</a> · <a href="/api/v1${path}/${simulation.id}/curves.svg" download>Picture (SVG)</a></p>` : nothing}</section>`;
}

function applying(simulation: Simulation, winner: string): TemplateResult {
  if (winner === title(strategy) && (winner === "auto" || !simulation.in_force))
    return html`<p>${short(winner)} is the strategy of this project already.</p>`;
  if (simulation.in_force)
    return html`<p>${short(winner)} is the strategy of this project${simulation.applied_at ? html`, chosen here ${ago(simulation.applied_at)}` : nothing}.
      <a href="/projects/${project.slug}/settings">Choose Automatic in the settings</a> to undo that.</p>`;
  return html`<p><button type="button" ?disabled=${sending} @click=${apply}>Use ${short(winner)} in this project</button></p>`;
}

function standing(simulation: Simulation): TemplateResult | typeof nothing {
  const { state, progress, reason } = simulation;
  if (state === "done") return nothing;
  if (isLive(simulation)) {
    const left = progress?.seconds_left ? `${duration(progress.seconds_left)} of work left` : "";
    const words = progress
      ? `${count(progress.done)} of ${count(progress.total)} runs, ${left}`
      : "Waiting for the worker";
    return html`<div class="running"><progress max="1" value=${progress?.fraction ?? 0} aria-label="Simulation ${simulation.id}"></progress>
      <div class="go"><button type="button" class="secondary" ?disabled=${sending} @click=${stop}>Stop</button><p>${words.replace(/, $/, "")}.</p></div></div>`;
  }
  const done = progress
    ? `${count(progress.done)} of ${count(progress.total)} runs are finished.`
    : "No run is finished.";
  return html`<p class=${state === "failed" ? "wrong" : ""}>${state === "failed" ? `It failed: ${reason ?? "no reason was given"}.` : "It was stopped."} ${done}</p>
    <p><button type="button" class="secondary" ?disabled=${sending} @click=${resume}>Go on</button></p>`;
}

function earlier(all: Simulation[]): TemplateResult {
  return html`<section class="card" aria-labelledby="all"><h2 id="all">All simulations</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="All simulations, table"><table>
    <thead><tr><th scope="col" class="number">No.</th><th scope="col">Strategies</th><th scope="col" class="number">Labels</th><th scope="col">State</th><th scope="col">Made</th><th scope="col"><span class="hidden">Show and delete</span></th></tr></thead>
    <tbody>${all.map(
      (
        each,
      ) => html`<tr><th scope="row" class="number">${each.id}</th><td>${each.design.strategies.map((one) => short(title(one))).join(", ")}</td>
      <td class="number">${count(each.design.labels)}</td><td>${stateWords(each)}</td><td title=${each.created_at}>${ago(each.created_at)}${each.created_by ? ` by ${each.created_by}` : ""}</td>
      <td>${shown?.id === each.id ? nothing : html`<button type="button" class="quiet-button" @click=${() => attempt(() => show(each.id))}>Show<span class="hidden"> simulation ${each.id}</span></button>`}
      <button type="button" class="quiet-button" @click=${() => remove(each.id)}>${sure === each.id ? `Delete simulation ${each.id} for good` : html`Delete<span class="hidden"> simulation ${each.id}</span>`}</button></td></tr>`,
    )}</tbody></table></div></section>`;
}

function stateWords(each: Simulation): string {
  if (each.in_force) return "in force";
  if (each.state === "running") return `running, ${percent(each.progress?.fraction ?? 0)}`;
  return { waiting: "waiting", done: "done", failed: "failed", cancelled: "stopped" }[each.state];
}

window.addEventListener("resize", draw);
draw();
void load();
