// From a key press to what it means on the annotate page.
export type Meaning =
  | { kind: "class"; index: number }
  | { kind: "submit" | "skip" | "undo" | "accept" | "reject" | "flag" | "guidelines" | "help" | "filter" }
  | { kind: "zoom in" | "zoom out" | "fit" | "left" | "right" };

const LETTERS: Record<string, Meaning["kind"]> = {
  a: "accept",
  x: "reject",
  f: "flag",
  h: "guidelines",
  z: "undo",
  u: "undo",
  "?": "help",
  "/": "filter",
  "+": "zoom in",
  "=": "zoom in",
  "-": "zoom out",
  "0": "fit", // where no class has it
  arrowleft: "left",
  arrowright: "right",
};

const SHIFT = "⇧";

/** The key of each class: its own, else the free digits in order, then the same with Shift; "" where none is left. */
export function classKeys(classes: { hotkey: string | null }[]): string[] {
  const own = classes.map(({ hotkey }) => hotkey?.toLowerCase() ?? "").map((key) => (key in LETTERS ? "" : key));
  const kept = own.map((key, place) => (own.indexOf(key) === place ? key : ""));
  const digits = [..."1234567890"];
  const free = [...digits, ...digits.map((digit) => SHIFT + digit)].filter((key) => !kept.includes(key));
  return kept.map((key) => key || (free.shift() ?? ""));
}

/** Digits go by their place on the keyboard, letters by what they write. */
function pressed(event: KeyboardEvent): string {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return digit ? (event.shiftKey ? SHIFT : "") + digit[1] : event.key.toLowerCase();
}

/** What a key press means, or null; `keys` are the classes' keys in their order. */
export function meaning(event: KeyboardEvent, keys: string[]): Meaning | null {
  if (event.repeat || event.altKey || event.isComposing) return null; // a held key answers once
  const target = event.target as HTMLElement;
  const typing = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing) return null;
  if (event.ctrlKey || event.metaKey)
    return event.key.toLowerCase() === "z" && !event.shiftKey ? { kind: "undo" } : null;
  const index = keys.indexOf(pressed(event));
  if (index >= 0) return { kind: "class", index };
  if (event.key === "Enter" || event.key === " ") {
    if (target.matches("button, a, summary, input")) return null; // the focused control acts
    return { kind: event.key === "Enter" ? "submit" : "skip" };
  }
  const kind = LETTERS[event.key.toLowerCase()];
  return kind ? ({ kind } as Meaning) : null;
}
