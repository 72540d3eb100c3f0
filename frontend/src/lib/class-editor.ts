// Rows of classes with name, colour and key, as the new project's and the settings' forms show them.
import { html, nothing, type TemplateResult } from "lit";

export interface ClassDraft {
  name: string;
  color: string;
  hotkey: string;
}

// Okabe and Ito's colours first: they stay apart for colour-blind eyes.
export const COLORS = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#CC79A7",
  "#56B4E9",
  "#D55E00",
  "#F0E442",
  "#7A5195",
  "#5D6D7E",
  "#8C6D31",
];
const DIGITS = "1234567890";
// Keys of the annotate page itself.
const RESERVED = new Set([..."zaxfrplkbev[]-=?h", "u", "j"]);
const NAME_LENGTH = 200;

export const classDraft = (name: string, place: number): ClassDraft => ({
  name,
  color: COLORS[place % COLORS.length] as string,
  hotkey: DIGITS[place] ?? "",
});

/** What is wrong with the classes, in words; null when they may be created. */
export function classFault(classes: ClassDraft[]): string | null {
  const named = classes.filter((each) => each.name.trim());
  if (named.length < 2) return "Name at least two classes.";
  const folded = named.map((each) => each.name.trim().normalize("NFC").toLowerCase());
  const twice = named.find((_each, place) => folded.indexOf(folded[place] as string) < place);
  if (twice) return `Two classes are called "${twice.name.trim()}".`;
  const keys = named.map((each) => each.hotkey.toLowerCase()).filter(Boolean);
  const doubled = keys.find((key, place) => keys.indexOf(key) < place);
  if (doubled) return `Two classes have the key ${doubled}.`;
  const taken = keys.find((key) => RESERVED.has(key));
  return taken ? `The key ${taken} is the annotate page's own: choose a digit or another letter.` : null;
}

/** The rows; `changed` is called after every edit, `remove` and `add` with their own buttons. */
export function classRows(classes: ClassDraft[], changed: () => void, of = ""): TemplateResult {
  const edit = (each: ClassDraft, part: keyof ClassDraft) => (event: Event) => {
    each[part] = (event.target as HTMLInputElement).value;
    changed();
  };
  const remove = (place: number): void => {
    classes.splice(place, 1);
    changed();
  };
  return html`<div class="class-rows">
    ${classes.map((each, place) => {
      const called = each.name.trim() || `class ${place + 1}`;
      return html`<div class="class-row">
        <input type="color" .value=${each.color} aria-label="Colour of ${called}${of}" @input=${edit(each, "color")}>
        <input type="text" .value=${each.name} maxlength=${NAME_LENGTH} placeholder="Name" aria-label="Name of class ${place + 1}${of}" @input=${edit(each, "name")}>
        <input type="text" class="key" .value=${each.hotkey} maxlength="1" aria-label="Key of ${called}${of}" placeholder="key" @input=${edit(each, "hotkey")}>
        <button type="button" class="quiet-button" aria-label="Remove ${called}${of}" @click=${() => remove(place)}>×</button>
      </div>`;
    })}
    ${classes.length === 0 ? html`<p class="quiet">No classes yet.</p>` : nothing}
  </div>`;
}
