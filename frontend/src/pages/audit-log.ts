// Who did what, newest first, for admins: erasures, rights, exports and deletions among the rest.
import { html, nothing, render, type TemplateResult } from "lit";
import { call, message, pageData } from "../lib/http";
import { stacked } from "../lib/stacked";

interface Line {
  id: number;
  at: string;
  user: string | null;
  project: number | null;
  request: string | null;
  action: string;
  detail: Record<string, unknown>;
}

const AT_ONCE = 100;
const { projects } = pageData<{ projects: { id: number; slug: string; name: string }[] }>();
const root = document.getElementById("audit-log") as HTMLElement;

let lines: Line[] = [];
let next: string | null = null;
let read = false;
let busy = false;
let fault = "";

async function load(): Promise<void> {
  busy = true;
  fault = "";
  draw();
  try {
    const cursor = next === null ? "" : `&cursor=${encodeURIComponent(next)}`;
    const page = await call<{ items: Line[]; next: string | null }>("GET", `/audit-log?limit=${AT_ONCE}${cursor}`);
    lines = [...lines, ...page.items];
    next = page.next;
    read = true;
  } catch (error) {
    fault = message(error);
  }
  busy = false;
  draw();
}

function draw(): void {
  render(html`${read ? list() : nothing}${foot()}`, root);
}

function list(): TemplateResult {
  if (lines.length === 0) return html`<p class="quiet">Nothing was done yet.</p>`;
  return html`<p class="quiet">Every change of an account, a key, a member, a setting, and every export and deletion. Nobody can change or remove a line; those beyond the time that they are kept go by themselves.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Audit log, table"><table ${stacked()}>
      <thead><tr><th scope="col">What</th><th scope="col">Who</th><th scope="col">Project</th><th scope="col">Details</th><th scope="col">When</th></tr></thead>
      <tbody>${lines.map(
        (
          line,
        ) => html`<tr><th scope="row">${line.action.replace(".", " ").replaceAll("_", " ")}</th><td class="long">${line.user ?? "the service"}</td>
        <td class="long">${project(line)}</td><td class="long">${details(line.detail)}</td><td><time datetime=${line.at}>${moment(line.at)}</time></td></tr>`,
      )}</tbody></table></div>`;
}

function foot(): TemplateResult {
  if (fault)
    return html`<p role="alert" class="wrong">${fault} <button type="button" class="quiet-button" @click=${load}>Try again</button></p>`;
  if (busy) return html`<p class="quiet" role="status" aria-busy="true">Reading the log</p>`;
  return html`${next === null ? nothing : html`<p><button type="button" class="secondary" @click=${load}>Show earlier lines</button></p>`}`;
}

const moment = (at: string): string =>
  new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

function project({ project: id }: Line): TemplateResult | string {
  if (id === null) return "";
  const found = projects.find((each) => each.id === id);
  return found ? html`<a href="/projects/${found.slug}/overview">${found.name}</a>` : `number ${id}`;
}

/** Numbers and settings; no names, so that an erasure leaves nothing here. */
function details(detail: Record<string, unknown>): string {
  const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(detail)
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${shown(value)}`)
    .join(", ");
}

void load();
