// The dialog of keys: what each one does, another one in its place, and how the page behaves. All of it is remembered
// by the browser, for this person alone.
import { html, nothing, type TemplateResult } from "lit";
import type { QuestionView } from "../editors/part";
import { ACTIONS, type Action, classKeys, holder, type Keymap, keyName, keyOf, pressed } from "./keys";
import { HABITS, type Habits, recall, remember } from "./remembered";
import type { ClassView } from "./serving";

const CLASSES_SHOWN = 20; // as many as there are digits and digits with Shift
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"]);

export class KeysDialog {
  private open = false;
  readonly keymap: Keymap;
  private taker: Action | number | null = null; // whose next key is waited for
  private said = "";

  constructor(
    private readonly asked: { questions: QuestionView[] },
    private readonly project: number,
    private readonly habits: Habits,
    private readonly changed: () => void,
  ) {
    this.keymap = { actions: recall("keys", {}), classes: recall(`class keys ${project}`, {}) };
  }

  /** The keys of some classes, in their order. */
  keysOf(classes: ClassView[]): string[] {
    return classKeys(classes, this.keymap);
  }

  show(): void {
    this.open = true;
    this.said = "";
    this.changed();
    document.querySelector<HTMLDialogElement>("dialog.help")?.showModal();
  }

  view(): TemplateResult | typeof nothing {
    if (!this.open) return nothing;
    const actions = Object.entries(ACTIONS) as [Action, string][];
    return html`<dialog class="help" aria-label="Keys" @close=${() => this.hide()} @keydown=${(event: KeyboardEvent) => this.onKey(event)}>
      <article><h2>Keys</h2>
      <p class="quiet">Choose a key to put another one in its place.</p>
      <dl class="keys">${this.choices.map(({ classes }) => this.classRows(classes))}
        ${this.asked.questions.some(({ type }) => type === "rating") ? line("0 – 9", "pick a level of a rating; arrow keys move a slider") : nothing}
        ${this.asked.questions.some(({ type }) => type === "comparison") ? line("1 – 9", "give a candidate the next place; Backspace takes the last one back") : nothing}
        ${this.asked.questions.length > 1 ? line("Tab", "to the next question: the keys act on the marked one") : nothing}
        ${line("Enter", "submit what is chosen")}
        ${actions.map(([action, words]) => this.row(action, words, keyOf(action, this.keymap)))}
        ${line("Ctrl+Z U", "take the last answer back, too")} ${line("← →", "move among the answers")}
        ${line("+ − 0", "zoom a picture, fit it (0 where no class has it)")}
        ${line("P R , .", "play or stop a sound or video, from its beginning, back, on (where no class has them)")}
        ${line("< > M", "one frame of a video back, on; its sound on or off (where no class has them)")} ${line("Esc", "close")}</dl>
      <p role="status">${this.said}</p>
      ${HABITS.map(([habit, words]) => html`<label><input type="checkbox" role="switch" .checked=${this.habits[habit]} @change=${() => this.change(habit)}> ${words}</label>`)}
      <footer><button type="button" @click=${() => this.hide()}>Close</button>
        ${this.own ? html`<button type="button" class="secondary" @click=${() => this.reset()}>The usual keys</button>` : nothing}</footer>
      </article></dialog>`;
  }

  /** The questions whose classes have keys of one's own. */
  private get choices(): QuestionView[] {
    return this.asked.questions.filter(({ type }) => type === "classification");
  }

  private classRows(classes: ClassView[]): TemplateResult {
    const keys = this.keysOf(classes);
    const more = classes.length - CLASSES_SHOWN;
    return html`${classes.slice(0, CLASSES_SHOWN).map((each, place) => this.row(each.id, each.name, keys[place] ?? ""))}
      ${more > 0 ? line("", `${more} more classes are found by typing`) : nothing}`;
  }

  private row(taker: Action | number, words: string, key: string): TemplateResult {
    const waits = this.taker === taker;
    const wait = (): void => {
      this.taker = waits ? null : taker;
      this.said = waits ? "" : `Press the new key for “${words}”; Esc leaves it as it is.`;
      this.changed();
    };
    return html`<div><dt><button type="button" class="key-button" aria-pressed=${waits} aria-label=${`Key of ${words}: ${keyName(key) || "none"}`} @click=${wait}>
      <kbd>${waits ? "…" : keyName(key) || "–"}</kbd></button></dt><dd class="long few-lines" dir="auto">${words}</dd></div>`;
  }

  private onKey(event: KeyboardEvent): void {
    if (this.taker === null || MODIFIERS.has(event.key) || event.key === "Tab") return;
    event.preventDefault();
    if (event.repeat || event.isComposing) return;
    const key = pressed(event);
    if (event.key === "Escape") this.said = "";
    else if ([...key.replace("⇧", "")].length !== 1 || event.ctrlKey || event.metaKey || event.altKey)
      this.said = "Only a letter, a digit, a sign or Space can be a key of its own.";
    else this.take(key, this.taker);
    this.taker = null;
    this.changed();
  }

  private take(key: string, taker: Action | number): void {
    const rivals = this.choices.filter(
      (each) => typeof taker !== "number" || each.classes.some(({ id }) => id === taker),
    );
    const lists = rivals.length ? rivals.map(({ classes }) => classes) : [[]];
    const other = lists.map((classes) => holder(key, taker, this.keymap, classes)).find(Boolean);
    if (other) {
      this.said = `${keyName(key)} is taken: ${other}.`;
      return;
    }
    if (typeof taker === "number") this.keymap.classes[taker] = key;
    else this.keymap.actions[taker] = key;
    this.said = `${keyName(key)} it is.`;
    this.keep();
  }

  private get own(): boolean {
    return Object.keys(this.keymap.actions).length + Object.keys(this.keymap.classes).length > 0;
  }

  private reset(): void {
    Object.assign(this.keymap, { actions: {}, classes: {} });
    this.said = "The usual keys are back.";
    this.keep();
    document.querySelector<HTMLButtonElement>("dialog.help footer button")?.focus(); // the one that was pressed goes
    this.changed();
  }

  private keep(): void {
    remember("keys", this.keymap.actions);
    remember(`class keys ${this.project}`, this.keymap.classes);
  }

  private change(habit: keyof Habits): void {
    this.habits[habit] = !this.habits[habit];
    remember("habits", this.habits);
    this.changed();
  }

  private hide(): void {
    this.open = false;
    this.taker = null;
    this.changed();
  }
}

const line = (keys: string, words: string): TemplateResult =>
  html`<div><dt>${keys ? html`<kbd>${keys}</kbd>` : nothing}</dt><dd>${words}</dd></div>`;
