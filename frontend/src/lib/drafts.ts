// Answers that were begun and not given: kept over reloads of this tab, each with its lease and with nobody else's.
import type { Value } from "../editors/part";

export interface Draft {
  values: Record<string, Value>; // question -> what is there so far, which may be less than an answer
  at: string; // the question that the keys go to
  seconds: number; // spent on it so far
}

const PLACE = "labelwise draft";

/** The drafts of one person in one project; `owner` is "person/project". */
export class Drafts {
  private readonly place: string;
  private readonly kept: Record<string, Draft>;
  private written = "";

  constructor(owner: string) {
    this.place = `${PLACE} ${owner}`;
    this.kept = read(this.place);
  }

  of(lease: number): Draft | undefined {
    return this.kept[lease];
  }

  /** Keep what is there now; what was emptied again is forgotten. */
  keep(lease: number, draft: Draft): void {
    if (same(draft, this.kept[lease])) return;
    if (Object.keys(draft.values).length) this.kept[lease] = draft;
    else delete this.kept[lease];
    this.write();
  }

  /** Forget all but those of these leases: the others were answered, skipped or lost. */
  only(leases: number[]): void {
    for (const lease of Object.keys(this.kept)) if (!leases.includes(Number(lease))) delete this.kept[lease];
    this.write();
  }

  private write(): void {
    const text = JSON.stringify(this.kept);
    if (text === this.written) return;
    this.written = text;
    try {
      sessionStorage.setItem(this.place, text);
    } catch {
      // a browser that keeps nothing, or a text too long for it: the page itself still has it
    }
  }
}

/** Forget what anybody else began in this tab; without a person, what everybody did. */
export function forgetDrafts(person?: number): void {
  try {
    for (const name of Object.keys(sessionStorage))
      if (name.startsWith(PLACE) && !name.startsWith(`${PLACE} ${person}/`)) sessionStorage.removeItem(name);
  } catch {
    // nothing was kept
  }
}

const same = (one: Draft, other: Draft | undefined): boolean =>
  JSON.stringify([one.values, one.at]) === JSON.stringify([other?.values ?? {}, other?.at ?? one.at]);

function read(place: string): Record<string, Draft> {
  try {
    return JSON.parse(sessionStorage.getItem(place) ?? "{}") as Record<string, Draft>;
  } catch {
    return {};
  }
}
