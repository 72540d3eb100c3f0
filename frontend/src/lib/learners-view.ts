// Two learners of one project, fitted to the same labels and judged on the same items: which is better, and on which items.
import { html, nothing, type TemplateResult } from "lit";
import { changes, classes, reach } from "./compare-view";
import { count, percent } from "./figures";
import { call, message, newId } from "./http";
import { type Comparison, difference, type Found, judges, whisker } from "./rounds";

type Value = number | boolean;

/** A learner that can be chosen, with its parameters. */
export interface Offered {
  name: string;
  parameters: { name: string; default: Value }[];
}

type Setting = { name: string } & Record<string, unknown>;

interface Contest extends Pick<Comparison, "words" | "accuracy" | "classes" | "gained" | "lost"> {
  learners: Setting[];
  labels: number;
}

const WAIT_SECONDS = 20;
const SIDES = ["First", "Second"];

export class LearnersView {
  private chosen: Setting[];
  private found: Contest | null = null;
  private busy = false;
  private trouble = "";

  constructor(
    private readonly base: string,
    private readonly offered: Offered[],
    own: string,
    private readonly draw: () => void,
    private readonly to: Found,
  ) {
    const first = offered.some(({ name }) => name === own) ? own : (offered[0]?.name ?? "");
    const other = offered.filter(({ name }) => name !== first && name !== "auto").at(-1)?.name ?? first;
    this.chosen = [{ name: first }, { name: other }];
  }

  view(): TemplateResult {
    return html`<section class="card" aria-labelledby="learners"><h2 id="learners">Two learners on the same labels</h2>
      <form class="contest" aria-label="Two learners" @submit=${this.compare}>
        ${SIDES.map((words, at) => this.side(words, at))}
        <button type="submit" class="secondary" ?disabled=${this.busy} aria-busy=${this.busy}>${this.busy ? "Fitting both" : "Compare"}</button>
      </form>
      ${this.trouble ? html`<p role="alert" class="wrong">${this.trouble}</p>` : nothing}
      ${this.found ? this.outcome(this.found) : html`<p class="quiet">Both learn from the labels of now, and neither from the answers that judge it. The project keeps its own.</p>`}</section>
      ${this.found ? html`${changes(this.found, this.found.learners.map(named), this.to)} ${classes(this.found.classes, this.found.learners.map(named))}` : nothing}`;
  }

  private side(words: string, at: number): TemplateResult {
    const { name, ...given } = this.chosen[at] as Setting;
    const known = this.offered.find((each) => each.name === name)?.parameters ?? [];
    const choose = (event: Event): void => {
      this.chosen[at] = { name: (event.target as HTMLSelectElement).value };
      this.draw();
    };
    const set =
      (parameter: string) =>
      (event: Event): void => {
        const field = event.target as HTMLInputElement;
        const { [parameter]: _, ...rest } = this.chosen[at] as Setting;
        const value = field.type === "checkbox" ? field.checked : field.value === "" ? undefined : Number(field.value);
        this.chosen[at] = (value === undefined ? rest : { ...rest, [parameter]: value }) as Setting;
      };
    const field = (each: Offered["parameters"][number]): TemplateResult =>
      typeof each.default === "boolean"
        ? html`<label><input type="checkbox" .checked=${(given[each.name] as boolean) ?? each.default} @change=${set(each.name)}> ${each.name}</label>`
        : html`<label>${each.name}<input type="number" min="0" step="any" placeholder=${String(each.default)} .value=${String(given[each.name] ?? "")} @input=${set(each.name)}></label>`;
    return html`<fieldset><legend>${words} learner</legend>
      <select aria-label="${words} learner" @change=${choose}>${this.offered.map((each) => html`<option value=${each.name} ?selected=${each.name === name}>${each.name}</option>`)}</select>
      ${known.map(field)}</fieldset>`;
  }

  private outcome(found: Contest): TemplateResult {
    const names = found.learners.map(named);
    const { accuracy } = found;
    return html`<div class="contest-found" role="status"><p class="verdict">${found.words}</p>
      ${
        accuracy
          ? html`<div class="axis">${whisker(accuracy.difference, reach([accuracy.difference]))}<p aria-hidden="true"><span>${names[0]} better</span><span>alike</span><span>${names[1]} better</span></p></div>
        <p>${difference(accuracy.difference)} points of accuracy on the same ${count(accuracy.difference.n)} ${judges(accuracy.stratum)}, with ${count(found.labels)} labels:
          ${percent(accuracy.first.value, 1)} with ${names[0]}, ${percent(accuracy.second.value, 1)} with ${names[1]}.${accuracy.ties ? ` ${count(accuracy.ties)} whose answers are a tie are left out.` : ""}</p>`
          : nothing
      }</div>`;
  }

  /** Ask for it, wait until the job is done, and show what came of it. */
  private readonly compare = async (event: Event): Promise<void> => {
    event.preventDefault();
    this.busy = true;
    this.trouble = "";
    this.draw();
    try {
      const path = `${this.base}/learner-comparisons`;
      const asked = { body: { learners: this.chosen }, headers: { "Idempotency-Key": newId() } };
      const { job } = await call<{ job: { id: number; state: string } }>("POST", path, asked);
      let { state } = job;
      while (state === "waiting" || state === "running")
        ({ state } = await call<{ state: string }>("GET", `/jobs/${job.id}?wait=${WAIT_SECONDS}`));
      this.found = await call<Contest>("GET", `${path}/${job.id}`);
    } catch (error) {
      this.trouble = message(error);
    }
    this.busy = false;
    this.draw();
  };
}

/** A learner as a person writes it: its name, and what is set otherwise. */
function named({ name, ...more }: Setting): string {
  const parts = Object.entries(more).map(([key, value]) => `${key} ${String(value)}`);
  return parts.length ? `${name} (${parts.join(", ")})` : name;
}
