// "Watch it learn": a simulated annotator who answers what the strategy asks, beside one who answers at random. Both
// know every digit; their curves grow here while the worker runs them. Nothing of it is stored as answers.
import { html, nothing, render, type TemplateResult } from "lit";
import { curveChart, type Estimate, type Series } from "../lib/charts";
import { count, percent } from "../lib/figures";
import { csrfToken, message, pageData, send } from "../lib/http";

interface RacePoint {
  labels: number;
  accuracy: Estimate | null;
}

interface Race {
  state: "none" | "waiting" | "running" | "done" | "failed" | "cancelled";
  ready: boolean;
  labels: number;
  points: { chosen: RacePoint[]; random: RacePoint[] };
  reason?: string | null;
}

const { project } = pageData<{ project: { id: number; slug: string; manager: boolean } }>();
const root = document.getElementById("watch") as HTMLElement;
const path = `/projects/${project.id}/demo`;
const POLL_MS = 400;
const TARGET = 0.9;

let race: Race | null = null;
let fault = "";
let asked = false;
let wiped = false;

async function follow(): Promise<void> {
  for (;;) {
    try {
      race = (await send("GET", `${path}/race`)).value as Race;
      if (race.state !== "none") asked = false;
      fault = "";
    } catch (error) {
      fault = message(error);
    }
    draw();
    const busy = !race?.ready || asked || race.state === "waiting" || race.state === "running";
    await new Promise((resolve) => setTimeout(resolve, busy ? POLL_MS : 10 * POLL_MS));
  }
}

async function post(name: string): Promise<boolean> {
  try {
    await send("POST", `${path}/${name}`, { headers: { "X-CSRF-Token": csrfToken() } });
    fault = "";
    return true;
  } catch (error) {
    fault = message(error);
    return false;
  }
}

async function start(): Promise<void> {
  asked = await post("race");
  if (asked && race) race = { ...race, state: "waiting", points: { chosen: [], random: [] } };
  draw();
}

async function reset(): Promise<void> {
  wiped = await post("reset");
  draw();
}

function draw(): void {
  render(page(), root);
}

function page(): TemplateResult {
  if (!race)
    return html`${fault ? html`<p role="alert" class="wrong">${fault}</p>` : html`<p class="quiet" aria-busy="true">Reading</p>`}`;
  const busy = asked || race.state === "waiting" || race.state === "running";
  return html`
    <section class="card wide" aria-labelledby="race"><h2 id="race">Two simulated annotators</h2>
      <p>Both know every digit, and both teach the same model. One answers what the model asks, the other answers whatever comes. They
        are programs, not people: nothing they say is kept as an answer.</p>
      ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
      <div class="go">${project.manager ? html`<button type="button" @click=${start} ?disabled=${busy || !race.ready}>${race.points.chosen.length ? "Run it again" : "Watch it learn"}</button>` : nothing}
        <p role="status">${stateWords(race, busy)}</p></div>
      ${verdict(race)}
      ${curveChart(series(race), { label: "Accuracy on 300 digits that neither of them answers", xLabel: "labels", width: width(), height: 340, xMax: race.labels, yMin: 0 })}
    </section>
    <section class="card" aria-labelledby="try"><h2 id="try">Now you</h2>
      <p>Ten keys, and your own curve appears on the overview; it moves with every ten answers after that.</p>
      <p><a class="button" href="/projects/${project.slug}/annotate">Label digits</a>
        ${project.manager ? html`<button type="button" class="secondary" @click=${reset}>Reset and try yourself</button>` : nothing}</p>
      ${wiped ? html`<p role="status">All answers and rounds of the demo are erased. A fresh order is being made.</p>` : html`<p class="quiet">Reset erases every answer and round of this demo; the 300 test digits stay.</p>`}
    </section>
    <section class="card" aria-labelledby="own"><h2 id="own">Your own data</h2>
      <p>Thirty lines of text are enough to begin.</p>
      <p><a class="button secondary" href="/projects/new">New project</a></p></section>`;
}

const width = (): number => Math.max(280, Math.min(900, root.clientWidth - 48));

function series({ points }: Race): Series[] {
  const of = (name: string, style: string, given: RacePoint[]): Series => ({
    name,
    style,
    points: given.flatMap(({ labels, accuracy }) =>
      accuracy ? [{ x: labels, y: accuracy.value, low: accuracy.low, high: accuracy.high }] : [],
    ),
  });
  return [of("asked by the model", "chosen", points.chosen), of("at random", "random", points.random)];
}

function stateWords(race_: Race, busy: boolean): string {
  if (!race_.ready) return "The pictures are being read; this takes a few seconds.";
  if (race_.state === "failed") return `The simulation failed: ${race_.reason ?? "no reason was given"}.`;
  if (race_.state === "waiting" || asked) return "Waiting for the worker.";
  const done = Math.min(race_.points.chosen.length, race_.points.random.length);
  const labels = done ? (race_.points.random[done - 1]?.labels ?? 0) : 0;
  if (busy) return `${count(labels)} of ${count(race_.labels)} labels each.`;
  return race_.state === "done" ? `Both have given ${count(labels)} labels.` : "Not started.";
}

/** How many labels each needed for nine in ten right: the number that the curves are about. */
function verdict({ points, state }: Race): TemplateResult | typeof nothing {
  if (state !== "done") return nothing;
  const reach = (given: RacePoint[]): number | undefined =>
    given.find(({ accuracy }) => accuracy && accuracy.value >= TARGET)?.labels;
  const [chosen, random] = [reach(points.chosen), reach(points.random)];
  if (chosen === undefined) return nothing;
  const other =
    random === undefined
      ? `the other had not got there after ${count(points.random.at(-1)?.labels ?? 0)}`
      : `the other needed ${count(random)}`;
  return html`<p><strong>${percent(TARGET)} right after ${count(chosen)} labels; ${other}.</strong> One run on one set of digits: your data will differ.</p>`;
}

draw();
void follow();
