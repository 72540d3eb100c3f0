// What sounds and videos have in common: the keys that play them, and how their moments are written.

/** An element of the page that plays the item. */
export interface Player extends HTMLElement {
  toggle(): void;
  again(): void;
  /** Go on or back by so many steps of a second. */
  step(steps: number): void;
  /** Go on or back by so many frames; a sound has none. */
  frame?(frames: number): void;
  mute?(): void;
}

export const playerIn = (root: HTMLElement): Player | null => root.querySelector<Player>("audio-stage, video-stage");

export const STEP_SECONDS = 1;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];

/** Seconds as people read them: 0.45 s, 12.3 s, 2:05. */
export function time(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

export function kbd(key: string): HTMLElement {
  const made = document.createElement("kbd");
  made.textContent = key;
  return made;
}

/** A choice of speeds; the keys belong to the page again once one is chosen. */
export function speedChoice(now: number, chosen: (speed: number) => void): HTMLSelectElement {
  const made = document.createElement("select");
  made.setAttribute("aria-label", "Speed");
  for (const each of SPEEDS) made.add(new Option(`${each} ×`, String(each), false, each === now));
  made.addEventListener("change", () => {
    chosen(Number(made.value));
    made.blur();
  });
  return made;
}
