// A finger that draws the item's card aside answers: one thumb is enough. The mouse selects text, so it never swipes.
import { html, nothing, type TemplateResult } from "lit";

const FAR = 72; // pixels from which it counts
const BEGIN = 12; // pixels before which it may still be a tap or a scroll

export type Side = "left" | "right";

/** What a swipe to one side does; without words it does nothing. */
export interface Aim {
  words: string;
  act: () => void;
}

/** What a swipe to either side would do; the stylesheet shows it where there is a finger to swipe with. */
export function swipeWords({ left, right }: Record<Side, Aim>): TemplateResult {
  return html`<p class="swipe-words" aria-hidden="true">
    <span class="left">← ${left.words}</span>${right.words ? html`<span class="right">${right.words} →</span>` : nothing}</p>`;
}

/** Let cards inside `root` be swiped; `done` is called with the side when the finger leaves far enough. */
export function swipes(root: HTMLElement, allowed: () => boolean, done: (side: Side) => void): void {
  let card: HTMLElement | null = null;
  let [x, y] = [0, 0];
  const follow = (moved: number): void => {
    card?.style.setProperty("--swiped", `${moved}px`);
    card?.classList.toggle("swiping", moved !== 0);
    root.dataset.swipe = Math.abs(moved) < FAR ? "" : sideOf(moved);
  };
  root.addEventListener("pointerdown", (event) => {
    const found = (event.target as HTMLElement).closest<HTMLElement>(".item-card");
    const zoomed = found?.querySelector(".zoomed");
    card = event.pointerType === "touch" && event.isPrimary && !zoomed && allowed() ? found : null;
    [x, y] = [event.clientX, event.clientY];
  });
  root.addEventListener("pointermove", (event) => {
    if (!card) return;
    const [across, down] = [event.clientX - x, event.clientY - y];
    const swiping = card.classList.contains("swiping");
    if (swiping || (Math.abs(across) > BEGIN && Math.abs(across) > 2 * Math.abs(down))) follow(across);
  });
  root.addEventListener("pointerup", (event) => {
    const moved = event.clientX - x;
    const far = card?.classList.contains("swiping") && Math.abs(moved) >= FAR;
    follow(0);
    card = null;
    if (far) done(sideOf(moved));
  });
  root.addEventListener("pointercancel", () => {
    follow(0);
    card = null;
  });
}

const sideOf = (moved: number): Side => (moved < 0 ? "left" : "right");
