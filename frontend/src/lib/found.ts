// What a filter finds, page by page. The address holds the filter, word for word that of REST: it can be linked to and kept.

import { html, type TemplateResult } from "lit";
import { count } from "./figures";
import { Filter } from "./filter";
import { call, message } from "./http";

const PAGE = 50;
const SOON = 5; // rows before the end the next page is read, so that nobody waits for it

interface Page<Row> {
  items: Row[];
  next: string | null;
}

export class Found<Row extends { id: number }, Given extends Page<Row> = Page<Row>> {
  filter = new Filter(location.search);
  items: Row[] = [];
  next: string | null = null;
  busy = false;
  fault = "";
  private asked = 0; // answers to an older question are dropped

  /** `path` is a list of REST; `changed` is told of anything new to show, `read` of each page, `anew` of another search. */
  constructor(
    private readonly path: string,
    private readonly changed: () => void,
    private readonly told: { read?: (page: Given) => void; anew?: () => void } = {},
  ) {}

  async load(more = false): Promise<void> {
    const mine = ++this.asked;
    this.busy = true;
    this.fault = "";
    if (!more) this.next = null;
    this.changed();
    try {
      const place = more && this.next ? `&cursor=${encodeURIComponent(this.next)}` : "";
      const words = this.filter.toString();
      const page = await call<Given>("GET", `${this.path}?${words}${words ? "&" : ""}limit=${PAGE}${place}`);
      if (mine !== this.asked) return;
      this.items = more ? [...this.items, ...page.items] : page.items;
      this.next = page.next;
      this.told.read?.(page);
    } catch (error) {
      if (mine !== this.asked) return;
      this.fault = message(error);
      if (!more) this.items = [];
    }
    this.busy = false;
    this.changed();
  }

  search(wanted: Filter): void {
    this.filter = wanted;
    this.told.anew?.();
    const words = wanted.toString();
    history.replaceState(null, "", words ? `?${words}` : location.pathname);
    void this.load();
  }

  /** The row so many places behind another one; reads on where the end is near. */
  beside(id: number | undefined, by: number): Row | undefined {
    const place = this.items.findIndex((each) => each.id === id) + by;
    if (this.next && !this.busy && place >= this.items.length - SOON) void this.load(true);
    return this.items[place];
  }

  /** Show a row as it is now. */
  replace(row: Row): void {
    this.items = this.items.map((each) => (each.id === row.id ? { ...each, ...row } : each));
  }

  /** Looks again for what a field of this name holds now. */
  set(name: string): (event: Event) => void {
    return (event) => this.search(this.filter.with(name, (event.target as HTMLInputElement).value));
  }

  /** A field of the filter with its choices, each a value and how it is called. */
  choice(words: string, name: string, options: [string, string][]): TemplateResult {
    const now = this.filter.get(name);
    return html`<label>${words}<select @change=${this.set(name)}>${options.map(([value, shown]) => html`<option value=${value} ?selected=${value === now}>${shown}</option>`)}</select></label>`;
  }

  /** How many there are so far, or that they are being read. */
  counted(reading: string): string {
    if (this.busy) return reading;
    const one = this.items.length === 1 && !this.next;
    return this.fault ? "" : `${count(this.items.length)}${this.next ? " and more" : ""} ${one ? "item" : "items"}`;
  }
}

/** J and K or the arrows go from row to row of a list, to its button; `also` may use another key. Enter presses it. */
export function onRowKey(event: KeyboardEvent, also: (key: string, place: number) => boolean = () => false): void {
  const row = (event.target as HTMLElement).closest("li");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const siblings = [...(row.parentElement?.children ?? [])];
  const place = siblings.indexOf(row);
  const key = event.key.toLowerCase();
  const by = { j: 1, arrowdown: 1, k: -1, arrowup: -1 }[key];
  if (by) siblings[place + by]?.querySelector<HTMLElement>("button.open")?.focus();
  else if (!also(key, place)) return;
  event.preventDefault();
}
