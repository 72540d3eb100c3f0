// A clip of video with a player for the keyboard: it plays, goes on by seconds or by single frames, and says what it
// waits for. The browser's own controls would take the page's keys, so the buttons are ours.
import { release, videoOf } from "./clips-ahead";
import { kbd, type Player, STEP_SECONDS, speedChoice, time } from "./player";
import { recall, remember } from "./remembered";

const POSTER_SIDE = 512; // pixels
const WAITED_MS = 400; // a word about loading sooner than that only flickers
const LOST = "This video does not play. Try again; if it stays so, skip it, or flag it for the manager.";
const HUSHED = "Your browser lets videos begin without their sound until the page is used. M turns it on.";

export class VideoStage extends HTMLElement implements Player {
  private video = document.createElement("video");
  private readonly screen = document.createElement("div");
  private readonly said = document.createElement("p");
  private readonly place = document.createElement("input");
  private readonly clock = document.createElement("span");
  private readonly playing = button("play", () => this.toggle());
  private readonly sounding = button("sound", () => this.mute());
  private aim: number | null = null; // the frame that a seek under way goes to
  private hushed = false; // by the browser, not by the person
  private redraw = 0;
  private wait = 0;

  connectedCallback(): void {
    this.style.setProperty("--shape", `${this.number("width") || 16} / ${this.number("height") || 9}`);
    this.style.setProperty("--slim", `${(this.number("width") || 16) / (this.number("height") || 9)}`);
    this.screen.className = "screen";
    this.said.setAttribute("role", "status");
    this.replaceChildren(this.screen, this.bar(), this.controls());
    this.begin();
  }

  disconnectedCallback(): void {
    cancelAnimationFrame(this.redraw);
    clearTimeout(this.wait);
    release(this.video);
  }

  /** Play, or stop where it is; from the beginning when it has ended. */
  toggle(): void {
    if (this.video.paused) void this.play();
    else this.video.pause();
  }

  /** Play from the beginning. */
  again(): void {
    this.aim = null;
    this.video.currentTime = 0;
    void this.play();
  }

  /** Go on or back by so many steps of a second, in a short clip by tenths of it. */
  step(steps: number): void {
    const by = Math.min(STEP_SECONDS, this.seconds / 10);
    this.aim = null; // a frame that was still sought is none any more, and no seek would arrive at it
    this.video.currentTime = Math.max(0, Math.min(this.seconds, this.video.currentTime + steps * by));
  }

  /** Stop, and show the frame so many further on or back. The middle of its time is sought: an edge may show either. */
  frame(frames: number): void {
    this.video.pause();
    const last = Math.max(0, Math.round(this.seconds * this.rate) - 1);
    this.aim = Math.max(0, Math.min(last, (this.aim ?? this.now) + frames));
    this.video.currentTime = (this.aim + 0.5) / this.rate;
  }

  /** Turn the sound on or off; the next videos keep it so. */
  mute(): void {
    this.video.muted = !this.video.muted;
    this.hushed = false;
    remember("muted", this.video.muted);
    this.show();
  }

  private begin(): void {
    const { video } = this;
    this.video = videoOf(this.getAttribute("src") ?? "");
    this.screen.replaceChildren(this.video, this.said);
    if (video !== this.video) release(video);
    this.dress();
    this.listen();
    this.waiting(this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA);
    if (this.video.error) this.lost();
    else if (this.hasAttribute("autoplay") && !matchMedia("(prefers-reduced-motion: reduce)").matches) void this.play();
    this.show();
  }

  private dress(): void {
    const { video } = this;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.poster = `${this.getAttribute("src")}/thumbnail?side=${POSTER_SIDE}`;
    video.playbackRate = recall("speed", 1);
    video.muted = recall("muted", false);
    video.setAttribute("aria-label", this.getAttribute("label") || "The item");
  }

  private listen(): void {
    const { video } = this;
    for (const event of ["play", "pause", "ended", "loadedmetadata", "timeupdate"])
      video.addEventListener(event, () => this.show());
    video.addEventListener("seeked", () => {
      if (this.aim === this.now) this.aim = null;
      this.show();
    });
    for (const event of ["waiting", "stalled"])
      video.addEventListener(event, () => this.waiting(video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA));
    for (const event of ["loadeddata", "canplay", "playing"]) video.addEventListener(event, () => this.waiting(false));
    video.addEventListener("error", () => this.lost());
    video.addEventListener("click", () => this.toggle());
  }

  private async play(): Promise<void> {
    const { video } = this;
    try {
      await video.play();
    } catch (error) {
      // Otherwise it was stopped or taken away meanwhile, or cannot be read, which its own event says.
      if ((error as DOMException).name !== "NotAllowedError" || video.muted) return;
      video.muted = this.hushed = true;
      await video.play().catch(() => undefined);
      this.show();
    }
  }

  private waiting(waits: boolean): void {
    clearTimeout(this.wait);
    if (waits) this.wait = window.setTimeout(() => this.say("Loading the video …"), WAITED_MS);
    else this.say(this.hushed ? HUSHED : "");
  }

  private lost(): void {
    clearTimeout(this.wait);
    if (!this.isConnected || !this.video.hasAttribute("src")) return; // let go, not lost
    this.say(LOST);
    this.said.append(
      " ",
      button("retry", () => this.begin(), "Try again"),
    );
  }

  private say(words: string): void {
    this.said.textContent = words;
    this.said.hidden = words === "";
  }

  private get seconds(): number {
    return Number.isFinite(this.video.duration) ? this.video.duration : this.number("seconds") || 1;
  }

  private get rate(): number {
    return this.number("fps") || 25;
  }

  /** The number of the frame that is shown, the first is 0. */
  private get now(): number {
    return Math.floor(this.video.currentTime * this.rate + 0.001);
  }

  private number(name: string): number {
    return Number(this.getAttribute(name)) || 0;
  }

  private bar(): HTMLElement {
    Object.assign(this.place, { type: "range", min: "0", max: "1000", step: "1", value: "0", className: "place" });
    this.place.setAttribute("aria-label", "Place in the video");
    this.place.addEventListener("input", () => {
      this.aim = null;
      this.video.currentTime = (Number(this.place.value) / 1000) * this.seconds;
    });
    this.place.addEventListener("pointerup", () => this.place.blur()); // the keys belong to the page again
    this.clock.className = "clock";
    const row = document.createElement("div");
    row.className = "way";
    row.append(this.place, this.clock);
    return row;
  }

  private controls(): HTMLElement {
    const row = document.createElement("div");
    row.className = "player";
    const speed = speedChoice(recall("speed", 1), (chosen) => {
      this.video.playbackRate = chosen;
      remember("speed", chosen);
    });
    const keys = this.closest("#annotate") !== null;
    const keyed = (made: HTMLButtonElement, key: string): HTMLButtonElement => {
      if (keys) made.append(" ", kbd(key));
      return made;
    };
    row.append(
      this.playing,
      keyed(
        button("again", () => this.again(), "Again"),
        "R",
      ),
      keyed(
        button("back", () => this.step(-1), "−1 s"),
        ",",
      ),
      keyed(
        button("on", () => this.step(1), "+1 s"),
        ".",
      ),
      keyed(
        button("frame-back", () => this.frame(-1), "−1 frame"),
        "<",
      ),
      keyed(
        button("frame-on", () => this.frame(1), "+1 frame"),
        ">",
      ),
      this.sounding,
      speed,
    );
    return row;
  }

  private show(): void {
    cancelAnimationFrame(this.redraw);
    const { paused, currentTime, muted } = this.video;
    const share = Math.min(1, currentTime / this.seconds);
    this.relabel(this.playing, paused ? "Play" : "Pause", "P");
    this.relabel(this.sounding, muted ? "Sound is off" : "Sound is on", "M");
    if (document.activeElement !== this.place) this.place.value = String(Math.round(1000 * share));

    const frames = Math.max(1, Math.round(this.seconds * this.rate));
    const shown = Math.min(frames, (this.aim ?? this.now) + 1);
    this.clock.textContent = `${time(currentTime)} / ${time(this.seconds)} · frame ${shown} of ${frames}`;
    this.place.setAttribute("aria-valuetext", `${time(currentTime)} of ${time(this.seconds)}`);
    if (this.said.textContent === HUSHED && !this.hushed) this.say("");
    else if (this.hushed && this.said.hidden) this.say(HUSHED);
    if (!paused) this.redraw = requestAnimationFrame(() => this.show());
  }

  private relabel(made: HTMLButtonElement, word: string, key: string): void {
    if (made.dataset.word === word) return;
    made.dataset.word = word;
    made.replaceChildren(word, " ", ...(this.closest("#annotate") ? [kbd(key)] : []));
  }
}

/** A button that gives the keys back to the page after a click of the pointer. */
function button(name: string, act: () => void, words = ""): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = `${name} secondary`;
  made.textContent = words;
  made.addEventListener("click", (event) => {
    act();
    if (event.detail > 0) made.blur();
  });
  return made;
}

customElements.define("video-stage", VideoStage);
