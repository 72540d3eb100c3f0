// The classes of a running project: added, renamed, recoloured, retired. Labels hold class ids, so a
// rename touches no answer; a class in use is never deleted silently: the refusal says how many answers it has.
import { html, nothing, type TemplateResult } from "lit";
import { COLORS } from "./class-editor";
import { call, pageData } from "./http";

export interface ClassRow {
  id: number;
  name: string;
  color: string;
  hotkey: string | null;
  retired: boolean;
}

type Changed = (work: () => Promise<unknown>, done: string) => Promise<void>;

const added = { name: "" };

/** The section; `changed` runs the work, shows its refusal and reads the project again. */
export function classesPart(classes: ClassRow[], changed: Changed): TemplateResult {
  const base = `/projects/${pageData<{ project: { id: number } }>().project.id}/classes`;
  const kept = classes.filter((each) => !each.retired);
  const retired = classes.filter((each) => each.retired);
  return html`<section class="card" aria-labelledby="classes"><h2 id="classes">Classes</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Classes, table"><table class="class-table">
      <thead><tr><th scope="col">Colour</th><th scope="col">Name</th><th scope="col">Key</th><th scope="col"><span class="hidden">Retire</span></th><th scope="col"><span class="hidden">Remove</span></th></tr></thead>
      <tbody>${kept.map((each) => classRow(each, base, changed))}</tbody></table></div>
    ${retired.length ? retiredList(retired, base, changed) : nothing}
    ${addForm(kept.length, base, changed)}</section>`;
}

function classRow(each: ClassRow, base: string, changed: Changed): TemplateResult {
  const patch = (part: "name" | "color" | "hotkey") => (event: Event) => {
    const value = (event.target as HTMLInputElement).value.trim();
    void changed(
      () => call("PATCH", `${base}/${each.id}`, { body: { [part]: value || null } }),
      `${each.name} was changed.`,
    );
  };
  const retire = (): void => {
    void changed(() => call("PATCH", `${base}/${each.id}`, { body: { retired: true } }), `${each.name} is retired.`);
  };
  const remove = (): void => {
    void changed(() => call("DELETE", `${base}/${each.id}`), `${each.name} was removed.`);
  };
  return html`<tr>
    <td><input type="color" .value=${each.color} aria-label="Colour of ${each.name}" @change=${patch("color")}></td>
    <td><input type="text" maxlength="200" required .value=${each.name} aria-label="Name of ${each.name}" @change=${patch("name")}></td>
    <td><input type="text" class="key" maxlength="1" .value=${each.hotkey ?? ""} aria-label="Key of ${each.name}" @change=${patch("hotkey")}></td>
    <td><button type="button" class="quiet-button" aria-label="Retire ${each.name}" @click=${retire}>Retire</button></td>
    <td><button type="button" class="quiet-button" aria-label="Remove ${each.name}" @click=${remove}>Remove</button></td></tr>`;
}

function retiredList(retired: ClassRow[], base: string, changed: Changed): TemplateResult {
  const back = (each: ClassRow) => () =>
    changed(
      () => call("PATCH", `${base}/${each.id}`, { body: { retired: false } }),
      `${each.name} can be chosen again.`,
    );
  return html`<h3>Retired</h3><p class="quiet">They can no longer be chosen; their answers are kept.</p>
    <ul class="plain">${retired.map((each) => html`<li>${each.name} <button type="button" class="quiet-button" aria-label="Bring ${each.name} back" @click=${back(each)}>Bring back</button></li>`)}</ul>`;
}

function addForm(place: number, base: string, changed: Changed): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    const name = added.name.trim();
    if (!name) return;
    added.name = "";
    void changed(
      () => call("POST", base, { body: { name, color: COLORS[place % COLORS.length] } }),
      `${name} was added.`,
    );
  };
  return html`<form class="inline" @submit=${submit}><label>New class<input type="text" maxlength="200" .value=${added.name} @input=${(
    event: Event,
  ) => {
    added.name = (event.target as HTMLInputElement).value;
  }}></label>
    <button type="submit" class="secondary">Add</button></form>`;
}
