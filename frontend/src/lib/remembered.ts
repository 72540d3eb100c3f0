// Small things that a browser remembers for a person; one that keeps nothing loses nothing else.

/** A value kept under a name, or `otherwise`. */
export function recall<T>(name: string, otherwise: T): T {
  try {
    const kept = localStorage.getItem(`labelwise ${name}`);
    return kept === null ? otherwise : (JSON.parse(kept) as T);
  } catch {
    return otherwise;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`labelwise ${name}`, JSON.stringify(value));
  } catch {
    // it holds for this page
  }
}

export interface Habits {
  keys: boolean; // single-key shortcuts
  instant: boolean; // a single choice is submitted at once
  beside: boolean; // answers at the right of the item
  swipe: boolean; // a finger may swipe the card
  play: boolean; // a sound or video plays when it comes up
}

export const HABITS: [keyof Habits, string][] = [
  ["keys", "Single-key shortcuts"],
  ["instant", "One choice submits at once"],
  ["beside", "Answers at the right of the item"],
  ["swipe", "Swiping the item answers, on a touch screen"],
  ["play", "A sound or video plays when it comes up"],
];

export const habits = (): Habits => ({
  keys: true,
  instant: true,
  beside: false,
  swipe: true,
  play: true,
  ...recall<Partial<Habits>>("habits", {}),
});
