// The classes of a running project: added, renamed, recoloured, merged or retired. Labels hold class ids, so a
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
    <div class="scroll" tabindex="0" role="region" aria-label="Classes"><table class="class-table">
      <thead><tr><th scope="col">Colour</th><th scope="col">Name</th><th scope="col">Key</th><th scope="col">Merge into</th><th scope="col"><span class="hidden">Remove</span></th></tr></thead>
      <tbody>${kept.map((each) => classRow(each, kept, base, changed))}</tbody></table></div>
    ${retired.length ? html`<p class="quiet">Retired: ${retired.map((each) => each.name).join(", ")}. Their answers are kept.</p>` : nothing}
    ${addForm(kept.length, base, changed)}</section>`;
}

function classRow(each: ClassRow, kept: ClassRow[], base: string, changed: Changed): TemplateResult {
  const patch = (part: "name" | "color" | "hotkey") => (event: Event) => {
    const value = (event.target as HTMLInputElement).value.trim();
    void changed(() => call("PATCH", `${base}/${each.id}`, { body: { [part]: value || null } }), `${each.name} was changed.`);
  };
  const merge = (event: Event): void => {
    const into = Number((event.target as HTMLSelectElement).value);
    const name = kept.find((other) => other.id === into)?.name;
    if (into) void changed(() => call("POST", `${base}/${each.id}/merge`, { body: { into } }), `${each.name} is part of ${name} now.`);
  };
  const remove = (): void => {
    void changed(() => call("DELETE", `${base}/${each.id}`), `${each.name} was removed.`);
  };
  return html`<tr>
    <td><input type="color" .value=${each.color} aria-label="Colour of ${each.name}" @change=${patch("color")}></td>
    <td><input type="text" maxlength="200" required .value=${each.name} aria-label="Name of ${each.name}" @change=${patch("name")}></td>
    <td><input type="text" class="key" maxlength="1" .value=${each.hotkey ?? ""} aria-label="Key of ${each.name}" @change=${patch("hotkey")}></td>
    <td><select aria-label="Merge ${each.name} into" @change=${merge}><option value="">–</option>${kept.filter((other) => other.id !== each.id).map((other) => html`<option value=${other.id}>${other.name}</option>`)}</select></td>
    <td><button type="button" class="quiet-button" aria-label="Remove ${each.name}" @click=${remove}>Remove</button></td></tr>`;
}

function addForm(place: number, base: string, changed: Changed): TemplateResult {
  const submit = (event: Event): void => {
    event.preventDefault();
    const name = added.name.trim();
    if (!name) return;
    added.name = "";
    void changed(() => call("POST", base, { body: { name, color: COLORS[place % COLORS.length] } }), `${name} was added.`);
  };
  return html`<form class="inline" @submit=${submit}><label>New class<input type="text" maxlength="200" .value=${added.name} @input=${(event: Event) => { added.name = (event.target as HTMLInputElement).value; }}></label>
    <button type="submit" class="secondary">Add</button></form>`;
}
