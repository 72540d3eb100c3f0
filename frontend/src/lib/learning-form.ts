// How a project learns: everything has a good default, so nothing is sent that was not changed.
import { html, nothing, type TemplateResult } from "lit";
import type { ScorerForm } from "./scorer-form";

export interface LearningForm {
  strategy: string;
  parameters: Record<string, string>; // of the strategy, as typed; what is not here has its default
  learner: string;
  roundSize: string; // empty: automatic
  overlap: string;
  auditShare: string; // percent
  goalAccuracy: string; // percent; empty: none
  goalLabels: string;
  goalHours: string;
  goalDate: string; // as 2026-12-24
  auditUse: string; // "taught" or "apart"
  costExponent: string; // 0 to 1; empty: 0
  auditChoice: string; // "random" or "active"
  auditEstimate: string; // "counted" or "prediction_powered"
  goalCost: string;
  hourPrice: string; // of labelling
  pointWorth: string; // a point of accuracy, in the same currency
  goalStops: string; // "yes": the project pauses by itself when the advice is to stop
}

/** What a project has unless somebody chooses otherwise. */
export const USUAL: LearningForm = {
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
  auditUse: "taught",
  costExponent: "",
  auditChoice: "random",
  auditEstimate: "counted",
  goalCost: "",
  hourPrice: "",
  pointWorth: "",
  goalStops: "",
};

/** A strategy that may be named, as the service describes it. */
export interface Strategy {
  name: string;
  parameters: Parameter[];
}

interface Parameter {
  name: string;
  default: number | boolean | string;
  says: string;
  choices: string[];
  range: [number | null, number | null];
  whole: boolean;
}

const STRATEGIES: Record<string, string> = {
  auto: "Automatic: covers the pool first, then asks what it is unsure of",
  margin: "Margin: the closest race between two classes",
  entropy: "Entropy: the most spread-out opinion",
  least_confident: "Least confident: the lowest best probability",
  expected_cost: "Expected cost: the dearest mistake, for classes in an order",
  random: "Random",
  coverage: "Coverage: what stands for most of the pool; needs no label",
  uherding: "Uncertainty herding: unsure items that stand for many others",
  core_set: "Core set: the farthest from everything asked so far",
  lightweight_core_set: "Lightweight core set: drawn, the far ones more often",
  vote_entropy: "Vote entropy: a committee that splits",
  variation_ratio: "Variation ratio: a committee without a majority",
  consensus_entropy: "Consensus entropy: a committee that is undecided as a whole",
  committee_divergence: "Committee divergence: heads far from their consensus",
  bald: "BALD: what tells most about the model",
  power_bald: "PowerBALD: drawn by what tells most about the model",
  batch_bald: "BatchBALD: the batch that tells most together",
  epig: "EPIG: what tells most about the predictions to come",
  expected_gradient: "Expected gradient: what would change the model most",
  badge: "BADGE: long gradients that differ",
  expected_error: "Expected error: what would leave the least error",
  information_density: "Information density: unsure items amid many others",
  graph_density: "Graph density: hubs among neighbours",
  ranked_batch: "Ranked batch: far items first, unsure ones later",
  contrastive: "Contrastive: predicted unlike labelled items that are alike",
  discriminative: "Discriminative: least like what is labelled",
  k_means: "k-means: the middles of groups",
  typiclust: "TypiClust: typical items of groups without labels",
  prob_cover: "ProbCover: balls that hold most of the pool",
  clue: "CLUE: the middles of groups, weighted by entropy",
  dropquery: "DropQuery: predictions that flip when features are left out",
  falcun: "FALCUN: unsure items with different predictions",
  class_balance: "Class balance: unsure items of classes with few labels",
  rare_neighbours: "Rare neighbours: around the rarest class",
  product: "Product: several wishes, each with a strength",
  mean_doubt: "Mean doubt: undecided over all classes (several may hold)",
  expected_label_loss: "Expected label loss: most wrong classes (several may hold)",
  label_cardinality: "Label cardinality: too many or too few classes (several may hold)",
  scikit_activeml: "A strategy of scikit-activeml by its name, on some of the pool",
  cvirs: "CVIRS: odd sets of classes (several may hold)",
};

/** What people choose between who do not want to think about it. */
const SIMPLE = ["auto", "random"];

/** A strategy in words; one that came with a package by its name. */
export const titled = (name: string): string =>
  STRATEGIES[name] ?? `${name[0]?.toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;

const LEARNERS: Record<string, string> = {
  auto: "The service learns by itself",
  external: "A model of your own: a script trains it and pushes its predictions",
  http: "A model server of your own: the service asks it over HTTP",
};

/**
 * The fields; `changed` is called after each edit. Answers an item are settled when a project is created. `scorer` is
 * asked for its own fields where a model server learns.
 */
export function learningFields(
  form: LearningForm,
  strategies: Strategy[],
  changed: () => void,
  scorer: ScorerForm,
  running = false,
): TemplateResult {
  const choose = (event: Event): void => {
    form.strategy = (event.target as HTMLSelectElement).value;
    form.parameters = {};
    changed();
  };
  const set = (part: Exclude<keyof LearningForm, "parameters">) => (event: Event) => {
    form[part] = (event.target as HTMLInputElement).value;
    changed();
  };
  const stops = (event: Event): void => {
    form.goalStops = (event.target as HTMLInputElement).checked ? "yes" : "";
    changed();
  };
  const number = (
    part: Exclude<keyof LearningForm, "parameters">,
    label: string,
    hint: string,
    lowest: number,
    highest: number,
  ): TemplateResult => html`<label>${label}
    <input type="number" min=${lowest} max=${highest} step="any" .value=${form[part]} placeholder=${hint} @input=${set(part)}></label>`;
  const option = (name: string): TemplateResult =>
    html`<option value=${name} ?selected=${name === form.strategy}>${titled(name)}</option>`;
  return html`<label>Which items are asked<select @change=${choose}>
      ${SIMPLE.map(option)}
      <optgroup label="Advanced">${names(form, strategies).map(option)}</optgroup></select></label>
    ${parameterFields(form, strategies, changed)}
    <label>Who learns<select @change=${set("learner")}>
      ${Object.entries({ ...LEARNERS, [form.learner]: LEARNERS[form.learner] ?? form.learner }).map(([name, words]) => html`<option value=${name} .selected=${name === form.learner}>${words}</option>`)}</select></label>
    ${form.learner === "external" ? html`<p class="quiet">Each due round waits for its predictions; docs/client.md shows the ten lines that push them.</p>` : nothing}
    ${form.learner === "http" ? scorer.view() : nothing}
    ${group(
      "Rounds",
      html`${number("roundSize", "Answers between two rounds", "automatic", 1, 10_000)}
      ${running ? nothing : number("overlap", "Answers an item", "1", 1, 50)}
      ${number("costExponent", "Quick items first, 0 (off) to 1", "0", 0, 1)}`,
    )}
    ${Number(form.costExponent) > 0 ? html`<p class="quiet">An item's worth is divided by its expected seconds to this power.</p>` : nothing}
    ${group(
      "What judges the model",
      html`${number("auditShare", "Audit share, % of answers", "10", 0, 100)}
      <label>Audit answers<select @change=${set("auditUse")}>
        <option value="taught" .selected=${form.auditUse === "taught"}>judge and teach</option>
        <option value="apart" .selected=${form.auditUse === "apart"}>only judge (kept apart)</option></select></label>
      <label>Which audit items<select @change=${set("auditChoice")}>
        <option value="random" .selected=${form.auditChoice === "random"}>at random</option>
        <option value="active" .selected=${form.auditChoice === "active"}>what tells most (active testing)</option></select></label>
      <label>How the accuracy is estimated<select @change=${set("auditEstimate")}>
        <option value="counted" .selected=${form.auditEstimate === "counted"}>counted on audit answers</option>
        <option value="prediction_powered" .selected=${form.auditEstimate === "prediction_powered"}>with what the model expects</option></select></label>`,
    )}
    ${auditWords(form)}
    ${group(
      "Goal",
      html`${number("goalAccuracy", "Goal: accuracy in %", "none", 1, 100)}
      ${number("goalLabels", "Goal: labels", "none", 1, 100_000_000)}
      ${number("goalHours", "Goal: hours of work", "none", 0.1, 1_000_000)}
      ${number("goalCost", "Goal: cost", "none", 0.01, 1_000_000_000_000)}
      <label>Goal: last day<input type="date" .value=${form.goalDate} @input=${set("goalDate")}></label>
      ${number("hourPrice", "Price of an hour of labelling", "none", 0.01, 1_000_000_000)}
      ${number("pointWorth", "Worth of a point of accuracy", "none", 0.01, 1_000_000_000_000)}`,
    )}
    <label><input type="checkbox" .checked=${form.goalStops === "yes"} @change=${stops}> Pause by itself when the advice turns to stop</label>`;
}

const group = (title: string, fields: TemplateResult): TemplateResult =>
  html`<div><h3>${title}</h3><div class="fields roomy">${fields}</div></div>`;

/** What the choice of audit items and of the estimate means, where it is not the usual one. */
function auditWords(form: LearningForm): TemplateResult | typeof nothing {
  const said: string[] = [];
  if (form.auditChoice === "active")
    said.push(
      "Audit items that the model is unsure of come first, each weighed by its chance: where the model knows its weak spots, fewer answers give the same band. Leave it to chance where items keep coming in; whether choosing saves labels is not measured then.",
    );
  if (form.auditEstimate === "prediction_powered")
    said.push(
      "Prediction-powered: what the model expects of the audit items without an answer corrects the accuracy, as far as it proves right on those with one.",
    );
  return said.length ? html`<p class="quiet">${said.join(" ")}</p>` : nothing;
}

/** Every other strategy by name, also the project's own where its package is not installed any more. */
function names(form: LearningForm, strategies: Strategy[]): string[] {
  return [...new Set([...strategies.map(({ name }) => name), form.strategy])].filter((name) => !SIMPLE.includes(name));
}

function parameterFields(
  form: LearningForm,
  strategies: Strategy[],
  changed: () => void,
): TemplateResult | typeof nothing {
  const found = strategies.find(({ name }) => name === form.strategy)?.parameters ?? [];
  if (!found.length) return nothing;
  const open = !SIMPLE.includes(form.strategy) || Object.keys(form.parameters).length > 0;
  return html`<details ?open=${open}><summary>Parameters of the strategy</summary><div class="fields">${found.map(
    (each) => {
      const put = (value: string): void => {
        form.parameters[each.name] = value;
        changed();
      };
      return html`<label>${each.says || each.name.replaceAll("_", " ")} <small><code>${each.name}</code></small>${input(each, form.parameters[each.name] ?? "", put)}</label>`;
    },
  )}</div></details>`;
}

function input(each: Parameter, typed: string, put: (value: string) => void): TemplateResult {
  const onInput = (event: Event): void => put((event.target as HTMLInputElement).value);
  const choices = typeof each.default === "boolean" ? ["true", "false"] : each.choices;
  if (choices.length)
    return html`<select @change=${onInput}>${choices.map((choice) => html`<option value=${choice} ?selected=${choice === (typed || String(each.default))}>${choice}</option>`)}</select>`;
  if (typeof each.default === "string")
    return html`<input type="text" maxlength="2000" placeholder=${each.default} .value=${typed} @input=${onInput}>`;
  const [lowest, highest] = each.range;
  return html`<input type="number" step=${each.whole ? "1" : "any"} min=${lowest ?? nothing} max=${highest ?? nothing} placeholder=${String(each.default)} .value=${typed} @input=${onInput}>`;
}

/** The strategy as the service stores it: its name, and the parameters that were set. */
export function strategyOf(form: LearningForm, strategies: Strategy[]): Record<string, unknown> {
  const known = strategies.find(({ name }) => name === form.strategy)?.parameters ?? [];
  const given: Record<string, unknown> = { name: form.strategy };
  for (const [name, typed] of Object.entries(form.parameters)) {
    const usual = known.find((each) => each.name === name)?.default;
    if (typed === "") continue;
    if (typeof usual === "boolean") given[name] = typed === "true";
    else given[name] = typeof usual === "string" ? typed : Number(typed);
  }
  return given;
}

/** The part of a project's body that differs from the defaults, or what is wrong in words. */
export function learningOf(
  form: LearningForm,
  strategies: Strategy[],
  scorer: ScorerForm,
): { body: Record<string, unknown>; fault: string | null } {
  const body: Record<string, unknown> = {};
  const strategy = strategyOf(form, strategies);
  if (form.strategy !== "auto" || Object.keys(strategy).length > 1) body.strategy = strategy;
  if (form.learner !== "auto") body.learner = form.learner === "http" ? scorer.body() : { name: form.learner };
  if (form.roundSize) body.round_size = Number(form.roundSize);
  if (form.overlap !== "1") body.overlap = Number(form.overlap);
  if (form.auditShare !== "10") body.audit_share = Number(form.auditShare) / 100;
  if (form.auditUse !== "taught") body.audit_use = form.auditUse;
  if (Number(form.costExponent)) body.cost_exponent = Number(form.costExponent);
  if (form.auditChoice !== "random") body.audit_choice = form.auditChoice;
  if (form.auditEstimate !== "counted") body.audit_estimate = form.auditEstimate;
  const goal = goalOf(form);
  if (goal) body.goal = goal;
  return { body, fault: faultOf(form) ?? (form.learner === "http" ? scorer.wrong() : null) };
}

/** The goal as the service stores it; null for none. */
export function goalOf(form: LearningForm): Record<string, number | string | boolean> | null {
  const goal: Record<string, number | string | boolean> = {};
  if (form.goalAccuracy) goal.accuracy = Number(form.goalAccuracy) / 100;
  if (form.goalLabels) goal.labels = Number(form.goalLabels);
  if (form.goalHours) goal.hours = Number(form.goalHours);
  if (form.goalDate) goal.date = form.goalDate;
  if (form.goalCost) goal.cost = Number(form.goalCost);
  if (form.hourPrice) goal.hour_price = Number(form.hourPrice);
  if (form.pointWorth) goal.point_worth = Number(form.pointWorth);
  if (form.goalStops) goal.stops = true;
  return Object.keys(goal).length ? goal : null;
}

function faultOf(form: LearningForm): string | null {
  const within = (text: string, lowest: number, highest: number): boolean => {
    const value = Number(text);
    return text === "" || (Number.isFinite(value) && value >= lowest && value <= highest);
  };
  if (form.overlap === "" || !within(form.overlap, 1, 50)) return "Answers an item: 1 to 50.";
  if (form.auditShare === "" || !within(form.auditShare, 0, 100)) return "Audit share: 0 to 100 %.";
  if (!within(form.costExponent, 0, 1)) return "Quick items first: 0 to 1.";
  if (Number(form.auditShare) === 0 && (form.auditChoice !== "random" || form.auditEstimate !== "counted"))
    return "An audit share of 0 leaves no audit items: choose them at random and count, or set a share.";
  if (!within(form.roundSize, 1, 10_000)) return "Answers between two rounds: 1 to 10,000.";
  if (!within(form.goalLabels, 1, 1e9)) return "Goal: labels are 1 or more.";
  if (!within(form.goalHours, 0.01, 1e6)) return "Goal: hours are more than 0.";
  if ((form.goalCost || form.pointWorth) && !form.hourPrice)
    return "A cost and the worth of a point need the price of an hour of labelling.";
  return within(form.goalAccuracy, 1, 100) ? null : "Goal: accuracy is 1 to 100 %.";
}
