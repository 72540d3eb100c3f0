// From a key press to what it means on the annotate page. Most keys are each person's own choice.
export const ACTIONS = {
  accept: "accept the suggestion",
  reject: "reject the suggestion; of two classes, take the other",
  skip: "skip: somebody else may answer",
  undo: "take the last answer back",
  flag: "flag: a note to the manager",
  guidelines: "guidelines",
  why: "why this item?",
  history: "last answers",
  filter: "type to find a class",
  help: "these keys",
} as const;

export type Action = keyof typeof ACTIONS;
export type Fixed =
  | "submit"
  | "unpick"
  | "zoom in"
  | "zoom out"
  | "fit"
  | "left"
  | "right"
  | "play"
  | "again"
  | "back"
  | "on"
  | "frame back"
  | "frame on"
  | "mute";
export type Meaning = { kind: "class"; index: number } | { kind: Action | Fixed };

/** One person's keys: of the actions, and of the classes of one project by their ids. */
export interface Keymap {
  actions: Partial<Record<Action, string>>;
  classes: Record<number, string>;
}

const DEFAULTS: Record<Action, string> = {
  accept: "a",
  reject: "x",
  skip: " ",
  undo: "z",
  flag: "f",
  guidelines: "h",
  why: "y",
  history: "j",
  filter: "/",
  help: "?",
};

const FIXED: Record<string, Fixed | "undo"> = {
  u: "undo",
  enter: "submit",
  backspace: "unpick",
  "+": "zoom in",
  "=": "zoom in",
  "-": "zoom out",
  "0": "fit", // where no class has it
  arrowleft: "left",
  arrowright: "right",
  p: "play", // these where no class has them
  r: "again",
  ",": "back",
  ".": "on",
  "<": "frame back", // comma and full stop with Shift, on this keyboard or that
  ";": "frame back",
  ">": "frame on",
  ":": "frame on",
  m: "mute",
};

const HELD = new Set<Action | Fixed>(["back", "on", "frame back", "frame on"]); // these go on while a key is held

const SHIFT = "⇧";

export const keyOf = (action: Action, { actions }: Keymap): string => actions[action] ?? DEFAULTS[action];

/** A key as it is written on a button. */
export const keyName = (key: string): string => (key === " " ? "Space" : key.length === 1 ? key.toUpperCase() : key);

/** The key of each class: the person's, else the class's own, else the free digits in order, then the same with
 * Shift; "" where none is left. */
export function classKeys(classes: { id: number; hotkey: string | null }[], keymap: Keymap): string[] {
  const taken = new Set([...Object.keys(ACTIONS).map((action) => keyOf(action as Action, keymap)), "u", "+", "=", "-"]);
  const keys = new Map<number, string>();
  const claim = (id: number, key: string | null | undefined): void => {
    if (!key || taken.has(key) || keys.has(id)) return;
    taken.add(key);
    keys.set(id, key);
  };
  for (const { id } of classes) claim(id, keymap.classes[id]);
  for (const { id, hotkey } of classes) claim(id, hotkey?.toLowerCase());
  const digits = [..."1234567890"];
  const free = [...digits, ...digits.map((digit) => SHIFT + digit)].filter((key) => !taken.has(key));
  return classes.map(({ id }) => keys.get(id) ?? free.shift() ?? "");
}

/** Who has a key already, in words; null where it is free for the taker. */
export function holder(
  key: string,
  taker: Action | number,
  keymap: Keymap,
  classes: { id: number; name: string; hotkey: string | null }[],
): string | null {
  const action = (Object.keys(ACTIONS) as Action[]).find((each) => each !== taker && keyOf(each, keymap) === key);
  if (action) return ACTIONS[action];
  if (FIXED[key] && !"0pr,.<>;:m".includes(key)) return "the page";
  const place = classKeys(classes, keymap).indexOf(key);
  const found = classes[place];
  // A class without a wish of its own moves on to the next free digit.
  const wished = found && (keymap.classes[found.id] === key || found.hotkey?.toLowerCase() === key);
  return found && found.id !== taker && wished ? found.name : null;
}

/** Digits go by their place on the keyboard, everything else by what it writes. */
export function pressed(event: KeyboardEvent): string {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return digit ? (event.shiftKey ? SHIFT : "") + digit[1] : event.key.toLowerCase();
}

/** What a key press means, or null; `keys` are the classes' keys in their order. */
export function meaning(event: KeyboardEvent, keys: string[], keymap: Keymap): Meaning | null {
  if (event.altKey || event.isComposing) return null;
  const target = event.target as HTMLElement;
  if (target.matches("input:not([type=checkbox], [type=range]), textarea, select, [contenteditable]")) return null;
  if (event.ctrlKey || event.metaKey)
    return event.key.toLowerCase() === "z" && !event.shiftKey && !event.repeat ? { kind: "undo" } : null;
  const acts = event.key === "Enter" || event.key === " "; // then it is the focused control that acts
  if (acts && target.matches("button, a, summary, input")) return null;
  if (target.matches("input[type=range]") && event.key.startsWith("Arrow")) return null; // they move it
  const index = keys.indexOf(pressed(event));
  if (index >= 0) return event.repeat ? null : { kind: "class", index }; // a held key answers once
  const key = event.key.toLowerCase();
  const action = (Object.keys(ACTIONS) as Action[]).find((each) => keyOf(each, keymap) === key);
  const kind = action ?? FIXED[key];
  return kind && (!event.repeat || HELD.has(kind)) ? { kind } : null;
}
