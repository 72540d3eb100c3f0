// A clip of sound: its waveform, on which one points to hear a place, and a player for the keyboard.
import { kbd, type Player, STEP_SECONDS, speedChoice, time } from "./player";
import { recall, remember } from "./remembered";

const WAVE_SIDE = 1024; // pixels

export class AudioStage extends HTMLElement implements Player {
  private readonly sound = new Audio();
  private readonly place = document.createElement("input");
  private readonly button = document.createElement("button");
  private readonly clock = document.createElement("span");
  private redraw = 0;

  connectedCallback(): void {
    const source = this.getAttribute("src") ?? "";
    this.sound.preload = "auto";
    this.sound.src = source;
    this.sound.playbackRate = recall("speed", 1);
    this.replaceChildren(this.wave(source), this.controls());
    for (const event of ["play", "pause", "ended", "loadedmetadata", "seeked"])
      this.sound.addEventListener(event, () => this.show());
    this.sound.addEventListener("error", () => {
      this.textContent = "This sound cannot be played. Skip it, or flag it for the manager.";
    });
    this.show();
    if (this.hasAttribute("autoplay")) void this.sound.play().catch(() => undefined); // where the browser allows it
  }

  disconnectedCallback(): void {
    cancelAnimationFrame(this.redraw);
    this.sound.pause();
    this.sound.removeAttribute("src");
  }

  /** Play, or stop where it is; from the beginning when it has ended. */
  toggle(): void {
    if (this.sound.paused) void this.sound.play().catch(() => undefined);
    else this.sound.pause();
  }

  /** Play from the beginning. */
  again(): void {
    this.sound.currentTime = 0;
    void this.sound.play().catch(() => undefined);
  }

  /** Go on or back by so many steps of a second, in a short clip by tenths of it. */
  step(steps: number): void {
    const by = Math.min(STEP_SECONDS, this.seconds / 10);
    this.sound.currentTime = Math.max(0, Math.min(this.seconds, this.sound.currentTime + steps * by));
  }

  private get seconds(): number {
    return Number.isFinite(this.sound.duration) ? this.sound.duration : Number(this.getAttribute("seconds")) || 1;
  }

  private wave(source: string): HTMLElement {
    const box = document.createElement("div");
    box.className = "wave";
    const picture = new Image();
    picture.alt = "";
    picture.src = `${source}/thumbnail?side=${WAVE_SIDE}`;
    Object.assign(this.place, { type: "range", min: "0", max: "1000", step: "1", value: "0" });
    this.place.setAttribute("aria-label", "Place in the sound");
    this.place.addEventListener("input", () => {
      this.sound.currentTime = (Number(this.place.value) / 1000) * this.seconds;
    });
    this.place.addEventListener("pointerup", () => this.place.blur()); // the keys belong to the page again
    box.append(picture, this.place);
    return box;
  }

  private controls(): HTMLElement {
    const row = document.createElement("div");
    row.className = "player";
    this.clock.className = "clock";
    this.button.type = "button";
    this.button.addEventListener("click", (event) => {
      this.toggle();
      if (event.detail > 0) this.button.blur();
    });
    const speed = speedChoice(this.sound.playbackRate, (chosen) => {
      this.sound.playbackRate = chosen;
      remember("speed", chosen);
    });
    row.append(this.button, this.clock, speed);
    return row;
  }

  private show(): void {
    cancelAnimationFrame(this.redraw);
    const { paused, currentTime } = this.sound;
    const share = Math.min(1, currentTime / this.seconds);
    const word = paused ? "Play " : "Pause ";
    if (!this.button.textContent?.startsWith(word))
      this.button.replaceChildren(word, ...(this.closest("#annotate") ? [kbd("P")] : []));
    if (document.activeElement !== this.place) this.place.value = String(Math.round(1000 * share));
    this.place.setAttribute("aria-valuetext", `${time(currentTime)} of ${time(this.seconds)}`);
    this.style.setProperty("--heard", `${100 * share}%`);
    this.clock.textContent = `${time(currentTime)} / ${time(this.seconds)}`;
    if (!paused) this.redraw = requestAnimationFrame(() => this.show());
  }
}

customElements.define("audio-stage", AudioStage);
