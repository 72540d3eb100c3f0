// Snapshots on the export page: make one, see what is in it and what leaks, download it, compare two.
import { html, nothing, type TemplateResult } from "lit";
import { count } from "./figures";
import { call, message, newId } from "./http";
import { ago } from "./overview";
import { stacked } from "./stacked";

interface Leak {
  key: string;
  split: string;
}

interface Snapshot {
  name: string;
  state: "making" | "ready" | "failed";
  reason: string | null;
  job: number;
  progress: { fraction: number } | null;
  filter: string;
  group_by: string | null;
  items: number | null;
  erased: number;
  sha256: string | null;
  report: {
    labelled: number;
    splits: Record<string, { items: number; labelled: number }>;
    leaks: { groups: number; items: number; named: Leak[][] };
  } | null;
  made_at: string | null;
}

type Label = { class?: string; classes?: string[] } | null;

interface Differences {
  added_count: number;
  removed_count: number;
  changed_count: number;
  moved: number;
  same: number;
  added: string[];
  removed: string[];
  changed: { key: string; before: Label; after: Label }[];
}

const LISTED = 50;
const FORMATS: [string, string][] = [
  ["jsonl", "JSON lines"],
  ["csv", "CSV"],
  ["parquet", "Parquet"],
];

export class Snapshots {
  private rows: Snapshot[] | null = null;
  private more = false;
  private fault = "";
  private said = "";
  private sending = false;
  private sure = "";
  private compared: { name: string; other: string; found: Differences } | null = null;
  private readonly draft = {
    name: "",
    filter: "",
    parts: "audit",
    group: "",
    shares: { train: "80", validation: "10", test: "10" } as Record<string, string>,
  };

  constructor(
    private readonly project: number,
    private readonly redraw: () => void,
  ) {
    void this.load();
  }

  view(): TemplateResult {
    return html`<section class="card" aria-labelledby="snapshots"><h2 id="snapshots">Snapshots</h2>
      <p>A data set that stays as it is now, under a name and with a hash, whatever is answered later.</p>
      ${this.form()}
      <p role="status">${this.said}</p>${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}
      ${this.list()} ${this.compared ? this.differences(this.compared) : nothing}</section>`;
  }

  private async load(): Promise<void> {
    try {
      const page = await call<{ items: Snapshot[]; next: string | null }>("GET", this.path("?limit=200"));
      this.rows = page.items;
      this.more = page.next !== null;
    } catch (error) {
      this.fault = message(error);
    }
    this.redraw();
    const making = this.rows?.find((row) => row.state === "making");
    if (making) await this.follow(making);
  }

  private async follow(making: Snapshot): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 300));
    try {
      await call("GET", `/jobs/${making.job}?wait=10`);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 3_000)); // the list says what became of it
    }
    await this.load();
    const made = this.rows?.find((row) => row.name === making.name);
    if (made && made.state !== "making") this.said = made.state === "ready" ? `${made.name} is ready.` : "";
    this.redraw();
  }

  private async make(event: Event): Promise<void> {
    event.preventDefault();
    const { name, filter, parts, group, shares } = this.draft;
    const given = Object.entries(shares).flatMap(([split, percent]): [string, number][] =>
      Number(percent) > 0 ? [[split, Number(percent) / 100]] : [],
    );
    const splits = parts === "shares" ? Object.fromEntries(given) : null;
    const body = { name: name.trim(), filter, splits, group_by: splits && group ? group : null };
    this.sending = true;
    this.fault = this.said = "";
    this.redraw();
    try {
      await call("POST", this.path(""), { body, headers: { "Idempotency-Key": newId() } });
      this.said = `${body.name} is being made.`;
      this.draft.name = "";
    } catch (error) {
      this.fault = message(error);
    }
    this.sending = false;
    await this.load();
  }

  private async remove(name: string): Promise<void> {
    if (this.sure !== name) {
      this.sure = name;
      return this.redraw();
    }
    this.fault = this.sure = "";
    try {
      await call("DELETE", this.path(`/${name}`));
      this.said = `${name} is deleted.`;
      if (this.compared && [this.compared.name, this.compared.other].includes(name)) this.compared = null;
    } catch (error) {
      this.fault = message(error);
    }
    await this.load();
  }

  private async compare(name: string, event: Event): Promise<void> {
    const select = event.target as HTMLSelectElement;
    const other = select.value;
    select.value = "";
    this.fault = "";
    try {
      const found = await call<Differences>("GET", this.path(`/${name}/diff?with=${other}`));
      this.compared = { name, other, found };
    } catch (error) {
      this.fault = message(error);
    }
    this.redraw();
    document.getElementById("differences")?.focus();
  }

  private path(rest: string): string {
    return `/projects/${this.project}/snapshots${rest}`;
  }

  private form(): TemplateResult {
    const { draft } = this;
    const set = (part: "name" | "filter" | "group") => (event: Event) => {
      draft[part] = (event.target as HTMLInputElement).value;
    };
    const choose = (parts: string) => () => {
      draft.parts = parts;
      this.redraw();
    };
    return html`<form @submit=${(event: Event) => this.make(event)}>
      <div class="fields">
        <label>Name<input type="text" required maxlength="100" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" title="Letters, digits, dot, - and _"
          .value=${draft.name} placeholder="release-1" @input=${set("name")}></label>
        <label>Only items that fit, empty for all<input type="text" .value=${draft.filter} placeholder="status=answered&amp;metadata.source=web" @input=${set("filter")}></label>
      </div>
      <fieldset><legend>Splits</legend>
        <label><input type="radio" name="parts" .checked=${draft.parts === "audit"} @change=${choose("audit")}> The audit share and the own test set are test, the rest is train</label>
        <label><input type="radio" name="parts" .checked=${draft.parts === "shares"} @change=${choose("shares")}> Shares, drawn by a hash: an item keeps its split from snapshot to snapshot</label>
      </fieldset>
      ${
        draft.parts === "shares"
          ? html`<div class="fields">${Object.entries(draft.shares).map(
              ([split, percent]) =>
                html`<label>${split}, %<input type="number" min="0" max="100" step="any" .value=${percent} @input=${(
                  event: Event,
                ) => {
                  draft.shares[split] = (event.target as HTMLInputElement).value;
                }}></label>`,
            )}
            <label>Metadata field whose groups stay whole<input type="text" .value=${draft.group} placeholder="patient" @input=${set("group")}></label></div>
            <p class="quiet">Without such a field near-identical items stay together, and where the project has an audit share, that is test.</p>`
          : nothing
      }
      <button type="submit" ?disabled=${this.sending}>Make the snapshot</button></form>`;
  }

  private list(): TemplateResult {
    if (!this.rows) return html`<p class="quiet" aria-busy=${this.fault ? "false" : "true"}>Reading the snapshots</p>`;
    if (this.rows.length === 0) return html`<p class="quiet">None yet.</p>`;
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Snapshots, table"><table class="snapshots" ${stacked()}>
      <thead><tr><th scope="col">Name</th><th scope="col" class="number">Items</th><th scope="col" class="number">Labelled</th><th scope="col">Splits</th>
      <th scope="col">SHA-256</th><th scope="col">Made</th><th scope="col">Download</th><th scope="col"><span class="hidden">Compare and delete</span></th></tr></thead>
      <tbody>${this.rows.map((row) => this.row(row))}</tbody></table></div>
      ${this.more ? html`<p class="quiet">The newest 200; the others by REST.</p>` : nothing}
      ${this.rows.map((row) => leaks(row))}`;
  }

  private row(row: Snapshot): TemplateResult {
    const remove = html`<button type="button" class="quiet-button" @click=${() => this.remove(row.name)}>${
      this.sure === row.name ? `Delete ${row.name} for good` : html`Delete<span class="hidden"> ${row.name}</span>`
    }</button>`;
    if (row.state !== "ready" || !row.report)
      return html`<tr><th scope="row" class="long">${row.name}</th><td colspan="6">${state(row)}</td><td>${remove}</td></tr>`;
    const others = (this.rows ?? []).filter((each) => each.state === "ready" && each.name !== row.name);
    const parts = Object.entries(row.report.splits);
    return html`<tr>
      <th scope="row" class="long" title=${row.filter ? `only ${row.filter}` : ""}>${row.name}</th>
      <td class="number">${count(row.items ?? 0)}${row.erased ? html` <small>${count(row.erased)} erased since</small>` : nothing}</td>
      <td class="number">${count(row.report.labelled)}</td>
      <td>${parts.map(([split, { items }]) => `${split} ${count(items)}`).join(", ")}${row.group_by ? html` <small>by ${row.group_by}</small>` : nothing}</td>
      <td><code title=${row.sha256 ?? ""}>${row.sha256?.slice(0, 12)}</code></td>
      <td title=${row.made_at ?? ""}>${ago(row.made_at)}</td>
      <td><details><summary>Files<span class="hidden"> of ${row.name}</span></summary>${FORMATS.map(([format, words]) => html`<p>${words}: ${this.file(row, format)}${parts.map(([split]) => html`, ${this.file(row, format, split)}`)}</p>`)}</details></td>
      <td>${
        others.length
          ? html`<select aria-label="Compare ${row.name} with" @change=${(event: Event) => this.compare(row.name, event)}>
        <option value="">Compare with</option>${others.map((each) => html`<option>${each.name}</option>`)}</select>`
          : nothing
      } ${remove}</td></tr>`;
  }

  private file(row: Snapshot, format: string, split = ""): TemplateResult {
    const address = `/api/v1${this.path(`/${row.name}/export`)}?format=${format}${split ? `&split=${split}` : ""}`;
    return html`<a href=${address} download>${split || "all"}</a>`;
  }

  private differences({ name, other, found }: { name: string; other: string; found: Differences }): TemplateResult {
    return html`<section id="differences" tabindex="-1" aria-labelledby="against"><h3 id="against">${name} against ${other}</h3>
      <p>${count(found.added_count)} added, ${count(found.removed_count)} removed, ${count(found.changed_count)} with another label,
      ${count(found.same)} with the same one; ${count(found.moved)} in another split.</p>
      ${
        found.changed.length
          ? html`<div class="scroll" tabindex="0" role="region" aria-label="Other labels, table"><table>
        <thead><tr><th scope="col">Item</th><th scope="col">${other}</th><th scope="col">${name}</th></tr></thead>
        <tbody>${found.changed.slice(0, LISTED).map((each) => html`<tr><th scope="row" class="long">${each.key}</th><td>${words(each.before)}</td><td>${words(each.after)}</td></tr>`)}</tbody></table></div>${rest(found.changed_count)}`
          : nothing
      }
      ${keys("Added", found.added, found.added_count)} ${keys("Removed", found.removed, found.removed_count)}</section>`;
  }
}

function state(row: Snapshot): string {
  if (row.state === "failed") return `failed: ${row.reason ?? "see the log"}`;
  return row.progress ? `being made, ${Math.round(100 * row.progress.fraction)} %` : "waits for the worker";
}

function leaks(row: Snapshot): TemplateResult | typeof nothing {
  const found = row.report?.leaks;
  if (!found?.groups) return nothing;
  return html`<details><summary>${row.name}: ${count(found.items)} near-identical items stand in several splits</summary>
    <ul>${found.named.map((group) => html`<li>${group.map((each) => `${each.key} (${each.split})`).join(", ")}</li>`)}</ul>
    ${found.groups > found.named.length ? html`<p class="quiet">The first ${count(found.named.length)} of ${count(found.groups)} groups.</p>` : nothing}</details>`;
}

function keys(title: string, shown: string[], all: number): TemplateResult | typeof nothing {
  if (all === 0) return nothing;
  return html`<details><summary>${title}: ${count(all)}</summary><p class="long">${shown.slice(0, LISTED).join(", ")}</p>${rest(all)}</details>`;
}

const rest = (all: number): TemplateResult | typeof nothing =>
  all > LISTED
    ? html`<p class="quiet">The first ${LISTED}; up to a thousand by REST, all by comparing the files.</p>`
    : nothing;

function words(label: Label): string {
  if (label === null) return "none";
  return label.class ?? label.classes?.join(", ") ?? JSON.stringify(label);
}
