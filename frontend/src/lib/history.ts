// The last answers: what undo and "go back" reach, kept over reloads of this tab.
import type { LabelView, LeaseView } from "./serving";

export interface Given {
  key: string; // of its letter
  lease: number;
  brief: string; // the item in a few words
  words: string; // the answer in words
  skipped: boolean;
  label?: LabelView | undefined; // what is filled in again where it is taken back
  shown?: LeaseView; // left out where it is too large to be kept
}

const DEPTH = 50;
const KEPT_CHARACTERS = 20_000; // of one item: fifty of them fit into what a browser keeps for a tab
const BRIEF = 60;

/** An item in a few words. */
export function brief({ item }: LeaseView): string {
  const letters = [...(item.text || item.candidates?.[0] || item.key).slice(0, 4 * BRIEF)]; // whole characters, however long the text
  return letters.length > BRIEF ? `${letters.slice(0, BRIEF).join("")} …` : letters.join("");
}

export class History {
  given: Given[] = [];

  constructor(private readonly place: string) {
    try {
      this.given = JSON.parse(sessionStorage.getItem(place) ?? "[]") as Given[];
    } catch {
      // a new history begins
    }
  }

  add(given: Given): void {
    this.given = [...this.given, given].slice(-DEPTH);
    this.keep();
  }

  /** Take one out, the newest unless told. */
  take(place = this.given.length - 1): Given | undefined {
    const [taken] = this.given.splice(place, 1);
    this.keep();
    return taken;
  }

  /** Put one back where it was. */
  restore(place: number, given: Given): void {
    this.given.splice(place, 0, given);
    this.keep();
  }

  /** Forget an answer that was not stored. */
  forget(key: string): void {
    this.given = this.given.filter((each) => each.key !== key);
    this.keep();
  }

  private keep(): void {
    const small = this.given.map((each) =>
      JSON.stringify(each.shown ?? null).length > KEPT_CHARACTERS ? { ...each, shown: undefined } : each,
    );
    try {
      sessionStorage.setItem(this.place, JSON.stringify(small));
    } catch {
      // the history is then this page's own; answering goes on
    }
  }
}
