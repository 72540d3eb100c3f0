// The classes of a running project: added, renamed, recoloured, described, merged, retired. Labels hold class ids, so
// none of this touches an answer; a class in use is never deleted silently: the refusal says how many answers it has.
import { html, nothing, type TemplateResult } from "lit";
import { COLORS } from "./class-editor";
import { count } from "./figures";
import { call, pageData } from "./http";
import { stacked } from "./stacked";

export interface ClassRow {
  id: number;
  question: string;
  name: string;
  color: string;
  hotkey: string | null;
  description: string;
  retired: boolean;
  merged_into: number | null;
  answers: number;
}

/** What the section needs of its page: `run` does the work, shows its refusal or `done`, and reads the classes again. */
interface Section {
  run: (work: () => Promise<unknown>, done: string) => Promise<void>;
  draw: () => void;
}

const { project } = pageData<{ project: { id: number; slug: string } }>();
const base = `/projects/${project.id}/classes`;
const LONGEST_QUERY = 6_000;
const added = { name: "" };
const merging = { id: 0, into: 0 }; // the class whose merge is being chosen, and the choice

/** The question whose classes are shown; the `levels` of a rating are its numbers, so only their look is changed. */
export interface Asked {
  name: string;
  title: string;
  levels: boolean;
}

export function classesPart(classes: ClassRow[], section: Section, asked: Asked): TemplateResult {
  const kept = classes.filter((each) => !each.retired);
  const gone = classes.filter((each) => each.retired);
  const merged = kept.find((each) => each.id === merging.id);
  const id = `classes-${asked.name}`;
  const heading = `${asked.levels ? "Levels" : "Classes"}${asked.title ? `: ${asked.title}` : ""}`;
  return html`<section class="card" aria-labelledby=${id}><h2 id=${id}>${heading}</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="${heading}, table"><table class="class-table" ${stacked()}>
      <thead><tr><th scope="col">Colour</th><th scope="col">Name</th><th scope="col">Key</th><th scope="col">When to choose it</th><th scope="col" class="number">Answers</th><th scope="col"><span class="hidden">What to do</span></th></tr></thead>
      <tbody>${kept.map((each) => classRow(each, kept, section, asked.levels))}</tbody></table></div>
    ${merged ? mergeForm(merged, kept, section) : nothing}
    ${gone.length ? goneList(gone, classes, section) : nothing}
    ${asked.levels ? html`<p class="quiet">Levels are the numbers of the scale: they are neither renamed nor merged.</p>` : addForm(kept.length, section, asked.name)}</section>`;
}

function classRow(each: ClassRow, kept: ClassRow[], section: Section, level: boolean): TemplateResult {
  const patch = (part: "name" | "color" | "hotkey" | "description") => (event: Event) => {
    const value = (event.target as HTMLInputElement).value.trim();
    const body = { [part]: part === "hotkey" ? value || null : value };
    void section.run(() => call("PATCH", `${base}/${each.id}`, { body }), `${each.name} was changed.`);
  };
  const merge = (): void => {
    Object.assign(merging, { id: merging.id === each.id ? 0 : each.id, into: 0 });
    section.draw();
  };
  const retire = (): void => {
    const work = () => call("PATCH", `${base}/${each.id}`, { body: { retired: true } });
    void section.run(work, `${each.name} is retired.`);
  };
  const remove = (): void => {
    void section.run(() => call("DELETE", `${base}/${each.id}`), `${each.name} was removed.`);
  };
  return html`<tr>
    <td><input type="color" .value=${each.color} aria-label="Colour of ${each.name}" @change=${patch("color")}></td>
    <td><input type="text" maxlength="200" required ?readonly=${level} .value=${each.name} aria-label="Name of ${each.name}" @change=${patch("name")}></td>
    <td><input type="text" class="key" maxlength="1" ?readonly=${level} .value=${each.hotkey ?? ""} aria-label="Key of ${each.name}" @change=${patch("hotkey")}></td>
    <td><input type="text" maxlength="10000" .value=${each.description} aria-label="When to choose ${each.name}" @change=${patch("description")}></td>
    <td class="number">${answersOf(each)}</td>
    <td class="acts">${
      level
        ? nothing
        : html`<button type="button" class="quiet-button" aria-expanded=${merging.id === each.id} aria-label="Merge ${each.name}" ?disabled=${kept.length < 2} @click=${merge}>Merge</button>
      ${each.answers ? html`<button type="button" class="quiet-button" aria-label="Review ${each.name}" title="The answers that a new or merged class most likely concerns" @click=${() => review(each, section)}>Review</button>` : nothing}
      <button type="button" class="quiet-button" aria-label="Retire ${each.name}" @click=${retire}>Retire</button>
      ${each.answers ? nothing : html`<button type="button" class="quiet-button" aria-label="Remove ${each.name}" @click=${remove}>Remove</button>`}`
    }</td></tr>`;
}

const answersOf = ({ name, answers }: ClassRow): TemplateResult =>
  answers
    ? html`<a href="/projects/${project.slug}/items?class=${encodeURIComponent(name)}" aria-label="Answers of ${name}: ${answers}">${count(answers)}</a>`
    : html`0`;

/** Open the items that a new or merged class most likely concerns, as many as an address can name. */
async function review(each: ClassRow, section: Section): Promise<void> {
  await section.run(async () => {
    const found = await call<{ items: { key: string }[]; words: string | null }>("GET", `${base}/${each.id}/affected`);
    let query = "";
    for (const { key } of found.items) {
      const part = `key=${encodeURIComponent(key)}&`;
      if (query.length + part.length < LONGEST_QUERY) query += part;
    }
    if (!query) throw new Error(found.words ?? "Nothing to look at again.");
    location.assign(`/projects/${project.slug}/items?${query.slice(0, -1)}`);
  }, "");
}

function mergeForm(each: ClassRow, kept: ClassRow[], section: Section): TemplateResult {
  const others = kept.filter((other) => other.id !== each.id);
  const submit = (event: Event): void => {
    event.preventDefault();
    const other = others.find(({ id }) => id === merging.into);
    if (!other) return;
    merging.id = 0;
    void section.run(
      () => call("POST", `${base}/${each.id}/merge`, { body: { into: other.id } }),
      `${each.name} is read as ${other.name} now: ${other.name} has ${count(each.answers + other.answers)} answers. The next round learns it so.`,
    );
  };
  return html`<form class="inline merge" @submit=${submit}><label>Read the ${count(each.answers)} answers of ${each.name} as<select required @change=${(
    event: Event,
  ) => {
    merging.into = Number((event.target as HTMLSelectElement).value);
  }}><option value="">choose a class</option>${others.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}</select></label>
    <button type="submit">Merge</button></form>
    <p class="quiet">Answers on their way count too, nobody is interrupted, and the merge can be undone at any time.</p>`;
}

function goneList(gone: ClassRow[], all: ClassRow[], section: Section): TemplateResult {
  const named = (id: number) => all.find((each) => each.id === id)?.name;
  const back = (each: ClassRow) => () =>
    each.merged_into
      ? section.run(() => call("DELETE", `${base}/${each.id}/merge`), `${each.name} has its own answers again.`)
      : section.run(
          () => call("PATCH", `${base}/${each.id}`, { body: { retired: false } }),
          `${each.name} can be chosen again.`,
        );
  return html`<h3>Merged and retired</h3><p class="quiet">They can no longer be chosen; their answers are kept.</p>
    <ul class="plain">${gone.map(
      (
        each,
      ) => html`<li>${each.name}: ${each.merged_into ? `read as ${named(each.merged_into)}` : html`retired, ${answersOf(each)} answers`}
      <button type="button" class="quiet-button" aria-label=${each.merged_into ? `Undo the merge of ${each.name}` : `Bring back ${each.name}`} @click=${back(each)}>${each.merged_into ? "Undo the merge" : "Bring back"}</button></li>`,
    )}</ul>`;
}

function addForm(place: number, section: Section, question: string): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    const name = added.name.trim();
    if (!name) return;
    added.name = "";
    const body = { question, name, color: COLORS[place % COLORS.length] };
    void section.run(
      () => call("POST", base, { body }),
      `${name} was added; whoever labels sees it within half a minute.`,
    );
  };
  return html`<form class="inline" @submit=${submit}><label>New class<input type="text" maxlength="200" .value=${added.name} @input=${(
    event: Event,
  ) => {
    added.name = (event.target as HTMLInputElement).value;
  }}></label>
    <button type="submit" class="secondary">Add</button></form>`;
}
