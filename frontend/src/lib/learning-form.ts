// How a project learns: everything has a good default, so nothing is sent that was not changed.
import { html, nothing, type TemplateResult } from "lit";

export interface LearningForm {
  strategy: string;
  learner: string;
  roundSize: string; // empty: automatic
  overlap: string;
  auditShare: string; // percent
  goalAccuracy: string; // percent; empty: none
  goalLabels: string;
  goalHours: string;
  goalDate: string; // as 2026-12-24
}

const STRATEGIES: Record<string, string> = {
  auto: "Automatic: covers the pool first, then asks what it is unsure of",
  margin: "Margin: the closest race between two classes",
  entropy: "Entropy: the most spread-out opinion",
  least_confident: "Least confident: the lowest best probability",
  random: "Random",
};

const LEARNERS: Record<string, string> = {
  auto: "The service learns by itself",
  external: "A model of your own: a script trains it and pushes its predictions",
};

/** The fields; `changed` is called after each edit. Answers an item are settled when a project is created. */
export function learningFields(form: LearningForm, changed: () => void, running = false): TemplateResult {
  const set = (part: keyof LearningForm) => (event: Event) => {
    form[part] = (event.target as HTMLInputElement).value;
    changed();
  };
  const number = (
    part: keyof LearningForm,
    label: string,
    hint: string,
    lowest: number,
    highest: number,
  ): TemplateResult => html`<label>${label}
    <input type="number" min=${lowest} max=${highest} step="any" .value=${form[part]} placeholder=${hint} @input=${set(part)}></label>`;
  return html`<label>Which items are asked<select @change=${set("strategy")}>
      ${Object.entries(STRATEGIES).map(([name, words]) => html`<option value=${name} ?selected=${name === form.strategy}>${words}</option>`)}</select></label>
    <label>Who learns<select @change=${set("learner")}>
      ${Object.entries({ [form.learner]: form.learner, ...LEARNERS }).map(([name, words]) => html`<option value=${name} ?selected=${name === form.learner}>${words}</option>`)}</select></label>
    ${form.learner === "external" ? html`<p class="quiet">Each due round waits for its predictions; docs/client.md shows the ten lines that push them.</p>` : nothing}
    <div class="fields">
      ${number("roundSize", "Answers between two rounds", "automatic", 1, 10_000)}
      ${running ? nothing : number("overlap", "Answers an item", "1", 1, 50)}
      ${number("auditShare", "Audit share, % of answers that judge the model", "10", 0, 100)}
      ${number("goalAccuracy", "Goal: accuracy in %", "none", 1, 100)}
      ${number("goalLabels", "Goal: labels", "none", 1, 100_000_000)}
      ${number("goalHours", "Goal: hours of work", "none", 0.1, 1_000_000)}
      <label>Goal: last day<input type="date" .value=${form.goalDate} @input=${set("goalDate")}></label>
    </div>`;
}

/** The part of a project's body that differs from the defaults, or what is wrong in words. */
export function learningOf(form: LearningForm): { body: Record<string, unknown>; fault: string | null } {
  const body: Record<string, unknown> = {};
  if (form.strategy !== "auto") body.strategy = { name: form.strategy };
  if (form.learner !== "auto") body.learner = { name: form.learner };
  if (form.roundSize) body.round_size = Number(form.roundSize);
  if (form.overlap !== "1") body.overlap = Number(form.overlap);
  if (form.auditShare !== "10") body.audit_share = Number(form.auditShare) / 100;
  const goal = goalOf(form);
  if (goal) body.goal = goal;
  return { body, fault: faultOf(form) };
}

/** The goal as the service stores it; null for none. */
export function goalOf(form: LearningForm): Record<string, number | string> | null {
  const goal: Record<string, number | string> = {};
  if (form.goalAccuracy) goal.accuracy = Number(form.goalAccuracy) / 100;
  if (form.goalLabels) goal.labels = Number(form.goalLabels);
  if (form.goalHours) goal.hours = Number(form.goalHours);
  if (form.goalDate) goal.date = form.goalDate;
  return Object.keys(goal).length ? goal : null;
}

function faultOf(form: LearningForm): string | null {
  const within = (text: string, lowest: number, highest: number): boolean => {
    const value = Number(text);
    return text === "" || (Number.isFinite(value) && value >= lowest && value <= highest);
  };
  if (form.overlap === "" || !within(form.overlap, 1, 50)) return "Answers an item: 1 to 50.";
  if (form.auditShare === "" || !within(form.auditShare, 0, 100)) return "Audit share: 0 to 100 %.";
  if (!within(form.roundSize, 1, 10_000)) return "Answers between two rounds: 1 to 10,000.";
  if (!within(form.goalLabels, 1, 1e9)) return "Goal: labels are 1 or more.";
  if (!within(form.goalHours, 0.01, 1e6)) return "Goal: hours are more than 0.";
  return within(form.goalAccuracy, 1, 100) ? null : "Goal: accuracy is 1 to 100 %.";
}
