// From a key press to what it means on the annotate page.
export type Meaning =
  | { kind: "class"; index: number }
  | { kind: "submit" | "skip" | "undo" | "accept" | "reject" | "flag" | "guidelines" | "help" | "filter" };

const LETTERS: Record<string, Meaning["kind"]> = {
  a: "accept",
  x: "reject",
  f: "flag",
  h: "guidelines",
  z: "undo",
  u: "undo",
  "?": "help",
  "/": "filter",
};

/** What a key press means, or null. Digits go by their place on the keyboard, letters by what they write. */
export function meaning(event: KeyboardEvent): Meaning | null {
  if (event.repeat || event.altKey || event.isComposing) return null; // a held key answers once
  const target = event.target as HTMLElement;
  const typing = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing) return null;
  if (event.ctrlKey || event.metaKey)
    return event.key.toLowerCase() === "z" && !event.shiftKey ? { kind: "undo" } : null;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (digit) return { kind: "class", index: ((Number(digit[1]) + 9) % 10) + (event.shiftKey ? 10 : 0) };
  if (event.key === "Enter" || event.key === " ") {
    if (target.matches("button, a, summary, input")) return null; // the focused control acts
    return { kind: event.key === "Enter" ? "submit" : "skip" };
  }
  const kind = LETTERS[event.key.toLowerCase()];
  return kind ? ({ kind } as Meaning) : null;
}
