// A simulation as the service tells it, and its result on the page: verdict, curves, figures, who beats whom.
import { html, nothing, type TemplateResult } from "lit";
import { curveChart, type Series } from "./charts";
import { count, percent } from "./figures";
import { titled } from "./learning-form";

export interface Chosen {
  name: string;
  [parameter: string]: unknown;
}

export interface Simulation {
  id: number;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  reason: string | null;
  job: number;
  progress: { fraction: number; done: number; total: number; seconds_left: number | null } | null;
  design: {
    strategies: Chosen[];
    seeds: number;
    labels: number;
    round_size: number;
    noise: number;
    imbalance: number;
    target: number | null;
  };
  judged_by: keyof typeof JUDGES;
  pool_items: number;
  test_items: number;
  created_by: string | null;
  created_at: string;
  applied_at: string | null;
  in_force: boolean;
  found: Outcome | null;
}

interface Outcome {
  seeds: number;
  target: { accuracy: number; full: number | null };
  strategies: Figures[];
  beats: { strategies: string[]; shares: (number | null)[][] };
  verdict: { winner: string | null; text: string };
}

interface Figures {
  strategy: string;
  refused: string | null;
  curve?: { labels: number; accuracy: number; low: number; high: number }[];
  mean_accuracy?: number;
  last_accuracy?: number;
  labels_to_target?: number | null;
  reached?: number;
  ratio?: { value: number; low: number; high: number; censored: number; censored_baseline: number } | null;
  choosing_seconds?: number;
  peak_bytes?: number | null;
}

export const JUDGES = {
  imported: "of your own test set",
  audit: "of the audit share, which chance asked for",
  drawn: "drawn and held out",
};
const MEGABYTE = 1 << 20;
const ROOMY = 620; // pixels from which names have room beside their curves; else the table names them
const NAMES = 180;
const MOST_BANDS = 3;
export const isLive = (each: Simulation): boolean => each.state === "waiting" || each.state === "running";

/** A strategy's title in few words: its name, and what was set of it. */
export function short(title: string): string {
  const [name = "", ...parameters] = title.split(":");
  const words = titled(name).split(":")[0] ?? name;
  return parameters.length ? `${words} (${parameters.join(", ").replaceAll("=", " ")})` : words;
}

/** What was asked for, in one line. */
export function designWords({ design, pool_items, test_items, judged_by }: Simulation): string {
  const parts = [
    `${count(design.labels)} labels, ${count(design.round_size)} a round`,
    design.seeds === 1 ? "once" : `${design.seeds} times`,
    design.noise ? `${percent(design.noise)} wrong answers` : "",
    design.imbalance > 1 ? `largest class ${design.imbalance} times the smallest` : "",
  ];
  const judges = `judged on ${count(test_items)} items ${JUDGES[judged_by]}`;
  return `${parts.filter(Boolean).join(", ")}; ${count(pool_items)} labelled items replayed, ${judges}.`;
}

/** Names in the verdict as the page says them everywhere else. */
export function verdictWords({ verdict, strategies }: Outcome): string {
  const titles = strategies.map(({ strategy }) => strategy).sort((one, other) => other.length - one.length);
  const known = new RegExp(`(?<![\\w:])(${titles.map(escaped).join("|")})(?![\\w:=])`, "g");
  const said = verdict.text.replace(known, (title) => (title === "random" ? "random" : short(title)));
  return `${said[0]?.toUpperCase()}${said.slice(1)}`;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Curves, figures and the matrix of a simulation that has a finished seed. */
export function resultView(simulation: Simulation, width: number): TemplateResult {
  const found = simulation.found;
  if (!found) return html`${nothing}`;
  return html`${found.seeds ? curves(simulation, found, width) : html`<p class="quiet">Curves appear when every strategy has ended its first run.</p>`}
    ${found.seeds || found.strategies.some(({ refused }) => refused) ? figures(simulation, found) : nothing}
    ${found.seeds && found.beats.strategies.length > 1 ? matrix(found) : nothing}`;
}

function curves({ design }: Simulation, found: Outcome, width: number): TemplateResult {
  const series = found.strategies.map(
    (each, place): Series => ({
      name: short(each.strategy),
      style: look(found, place),
      points: (each.curve ?? []).map(({ labels, accuracy, low, high }) => ({ x: labels, y: accuracy, low, high })),
    }),
  );
  return html`${curveChart(series, {
    label: `Accuracy on items that no run labels, mean of ${found.seeds} seeds`,
    xLabel: "labels",
    width,
    height: 360,
    ...(width >= ROOMY ? { aside: NAMES } : { nameless: true }),
    xMax: design.labels,
    goal: found.target.accuracy,
  })}
    <p class="quiet">Bands reach from the lowest to the highest of ${found.seeds} ${found.seeds === 1 ? "seed" : "seeds"}${series.length > MOST_BANDS ? "; the best curve and random have one" : ""}. The line marked goal is
      ${design.target === null ? html`nine tenths of the accuracy with every label, 1,000 at most (${percent(found.target.full ?? 0, 1)})` : html`the accuracy that you asked for`}.</p>`;
}

/** Class names of a curve; of more than three the best one and random have bands, so that they can be told apart. */
function look({ strategies }: Outcome, place: number): string {
  const means = strategies.map(({ mean_accuracy }) => mean_accuracy ?? 0);
  if (strategies[place]?.strategy === "random") return "random";
  const bare = strategies.length > MOST_BANDS && means[place] !== Math.max(...means) ? " bare" : "";
  return `of-many many-${place % 8}${bare}`;
}

function figures({ design }: Simulation, found: Outcome): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Figures of the strategies, table"><table class="simulated">
    <thead><tr><th scope="col">Strategy</th><th scope="col" class="number">Mean of the curve</th><th scope="col" class="number">At the end</th>
      <th scope="col" class="number">Labels to the goal</th><th scope="col" class="number">Of random’s labels</th>
      <th scope="col" class="number">Seconds a round</th><th scope="col" class="number">Memory</th></tr></thead>
    <tbody>${found.strategies.map((each, place) => row(each, look(found, place), design.labels))}</tbody></table></div>
    <p class="quiet">Of random’s labels: below 1 saves; the range holds the truth 95 times in 100 over seeds. Seconds and memory are those of a
      round without fitting the learner.</p>`;
}

function row(each: Figures, style: string, budget: number): TemplateResult {
  const name = html`<th scope="row" class="long"><svg class="chart sample" viewBox="0 0 24 8" aria-hidden="true"><g class="curve ${style}"><path d="M1,4h22"></path></g></svg> ${short(each.strategy)}</th>`;
  if (each.refused) return html`<tr>${name}<td colspan="6" class="wrong-words">Cannot run: ${each.refused}.</td></tr>`;
  if (!each.curve?.length) return html`<tr>${name}<td colspan="6" class="quiet">No run is finished.</td></tr>`;
  const { ratio } = each;
  return html`<tr>${name}<td class="number">${percent(each.mean_accuracy ?? 0, 1)}</td><td class="number">${percent(each.last_accuracy ?? 0, 1)}</td>
    <td class="number">${each.labels_to_target == null ? `over ${count(budget)}` : count(each.labels_to_target)}</td>
    <td class="number">${ratio ? html`${ratio.value.toFixed(2)} <small>(${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})</small>${ratio.censored_baseline ? html` <small>random did not get there ${ratio.censored_baseline} times</small>` : nothing}` : "–"}</td>
    <td class="number">${(each.choosing_seconds ?? 0).toFixed(3)}</td>
    <td class="number">${each.peak_bytes == null ? "–" : `${Math.ceil(each.peak_bytes / MEGABYTE)} MB`}</td></tr>`;
}

function matrix({ beats, seeds }: Outcome): TemplateResult {
  return html`<details><summary>Who beats whom</summary>
    <p class="quiet">On which share of ${seeds} ${seeds === 1 ? "seed" : "seeds"} the strategy of the row has the better curve than that of the column.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Who beats whom, table"><table>
    <thead><tr><td></td>${beats.strategies.map((each) => html`<th scope="col" class="number">${short(each)}</th>`)}</tr></thead>
    <tbody>${beats.strategies.map(
      (each, place) =>
        html`<tr><th scope="row" class="long">${short(each)}</th>${(beats.shares[place] ?? []).map(
          (share, other) => html`<td class="number">${other === place || share === null ? "–" : percent(share)}</td>`,
        )}</tr>`,
    )}</tbody></table></div></details>`;
}

/** Seconds in words: "about 2 minutes". */
export function duration(seconds: number): string {
  if (seconds < 10) return "a few seconds";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} seconds`;
  return seconds < 5_400 ? `about ${Math.round(seconds / 60)} minutes` : `about ${(seconds / 3_600).toFixed(1)} hours`;
}
