// Earlier versions of the guidelines: who wrote each and when, what it changed, and the way back to it.
import { html, nothing, type TemplateResult } from "lit";
import { call, message } from "./http";

interface Version {
  version: number;
  author: string | null;
  created_at: string;
  text: string;
}

interface Line {
  kind: "same" | "added" | "removed" | "gap";
  text: string;
}

const SIGNS = { same: " ", added: "+", removed: "−", gap: "…" };

export class Versions {
  private found: Version[] | null = null;
  private shown = 0; // the version whose changes are open
  private lines: Line[] = [];
  private fault = "";

  constructor(
    private readonly path: string,
    private readonly changed: () => void,
  ) {}

  /** A new version was saved: the list is read again when it is opened. */
  forget(): void {
    this.found = null;
    this.shown = 0;
    this.changed();
    const open = document.querySelector<HTMLDetailsElement>("details.versions")?.open;
    if (open) void this.load();
  }

  /** `use` gets the text of an earlier version, to be saved as a new one. */
  view(use: (text: string) => void): TemplateResult {
    return html`<details class="versions" @toggle=${(event: Event) => {
      if ((event.target as HTMLDetailsElement).open && !this.found) void this.load();
    }}><summary>Versions</summary>
      ${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}
      <ul class="plain" aria-label="Versions of the guidelines">${(this.found ?? []).map((each, place) => this.row(each, place > 0, use))}</ul></details>`;
  }

  private row(each: Version, earlier: boolean, use: (text: string) => void): TemplateResult {
    const open = this.shown === each.version;
    const when = new Date(each.created_at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
    return html`<li>Version ${each.version}${each.author ? ` by ${each.author}` : ""}, <time datetime=${each.created_at}>${when}</time>
      <button type="button" class="quiet-button" aria-expanded=${open} aria-label="Changes of version ${each.version}" @click=${() => void this.compare(each.version)}>Changes</button>
      ${earlier ? html`<button type="button" class="quiet-button" aria-label="Write again: version ${each.version}" @click=${() => use(each.text)}>Write again</button>` : nothing}
      ${open ? this.comparison() : nothing}</li>`;
  }

  private comparison(): TemplateResult {
    if (!this.lines.length) return html`<p class="quiet">Nothing was changed.</p>`;
    return html`<div class="diff scroll" tabindex="0" role="region" aria-label="What changed">${this.lines.map(
      ({ kind, text }) =>
        html`<div class=${kind}><span aria-hidden="true">${SIGNS[kind]}</span> ${kind === "added" ? html`<ins>${text}</ins>` : kind === "removed" ? html`<del>${text}</del>` : text}</div>`,
    )}</div>`;
  }

  private async load(): Promise<void> {
    await this.asked(async () => {
      this.found = (await call<{ items: Version[] }>("GET", `${this.path}/guidelines`)).items;
    });
  }

  private async compare(version: number): Promise<void> {
    if (this.shown === version) {
      this.shown = 0;
      this.changed();
      return;
    }
    await this.asked(async () => {
      const first = this.found?.at(-1)?.version === version;
      const against = first ? "?against=0" : "";
      const { lines } = await call<{ lines: Line[] }>("GET", `${this.path}/guidelines/${version}/changes${against}`);
      this.lines = lines[0]?.kind === "gap" ? lines.slice(1) : lines;
      this.shown = version;
    });
  }

  private async asked(work: () => Promise<void>): Promise<void> {
    this.fault = "";
    try {
      await work();
    } catch (error) {
      this.fault = message(error);
    }
    this.changed();
  }
}
