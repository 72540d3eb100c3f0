// Webhooks of a project: addresses that hear of its events, what was said to them, and a test.
import { html, nothing, render, type TemplateResult } from "lit";
import { call, copy, message, pageData } from "../lib/http";
import { stacked } from "../lib/stacked";

interface Hook {
  id: number;
  url: string;
  events: string[];
  active: boolean;
  reason: string | null;
  failures: number;
  waiting: number;
  next_try: string | null;
}

interface Delivery {
  id: string;
  seq: number;
  event: string;
  data: Record<string, unknown>;
  state: "waiting" | "delivered";
  attempts: number;
  status: number | null;
  reason: string | null;
  created_at: string;
  delivered_at: string | null;
}

const { project } = pageData<{ project: { id: number; slug: string } }>();
const root = document.getElementById("webhooks") as HTMLElement;
const path = `/projects/${project.id}/webhooks`;
const EVENTS: Record<string, string> = {
  "round.published": "a round published a new order",
  "round.failed": "a round failed",
  "round.waiting_for_predictions": "a round waits for your own model",
  "annotation.batch": "answers came: after 100 of them, or after ten seconds",
  "flag.created": "an annotator left a note",
  "goal.reached": "the goal is reached",
  "drift.found": "new items look unlike the earlier ones",
  "job.finished": "an import or another job ended",
};
const LOOK_MS = 3000;
const SHOWN = 20;

let hooks: Hook[] | null = null;
let opened: { hook: number; rows: Delivery[] } | null = null;
let secret = "";
let fault = "";
let said = "";
const draft = { url: "", events: new Set(["round.published", "goal.reached"]) };

async function load(): Promise<void> {
  try {
    hooks = (await call<{ items: Hook[] }>("GET", path)).items;
    if (opened) opened.rows = await deliveries(opened.hook);
  } catch (error) {
    fault = message(error);
  }
  draw();
}

const deliveries = async (hook: number): Promise<Delivery[]> =>
  (await call<{ items: Delivery[] }>("GET", `${path}/${hook}/deliveries?limit=${SHOWN}`)).items;

/** Run one action; what it says, or why it failed, stands above the list. */
async function act(what: () => Promise<string>): Promise<void> {
  fault = said = "";
  try {
    said = await what();
  } catch (error) {
    fault = message(error);
  }
  await load();
}

function create(event: Event): void {
  event.preventDefault();
  void act(async () => {
    if (!draft.events.size) throw new Error("Choose at least one event.");
    const body = { url: draft.url.trim(), events: [...draft.events] };
    secret = (await call<{ secret: string }>("POST", path, { body })).secret;
    draft.url = "";
    return "The webhook is made. Send it a test.";
  });
}

const test = (hook: Hook) => () =>
  act(async () => {
    await call("POST", `${path}/${hook.id}/test`);
    opened = { hook: hook.id, rows: [] };
    return "The test is on its way.";
  });

const start = (hook: Hook) => () =>
  act(async () => {
    await call("PATCH", `${path}/${hook.id}`, { body: { active: !hook.active } });
    return hook.active ? "Paused: events wait from now on." : "Active: what waits is delivered now.";
  });

const remove = (hook: Hook) => () =>
  act(async () => {
    if (!confirm(`Delete the webhook to ${hook.url}? ${hook.waiting} events that wait go with it.`)) return "";
    await call("DELETE", `${path}/${hook.id}`);
    if (opened?.hook === hook.id) opened = null;
    return "The webhook is deleted.";
  });

const toggle = (hook: Hook) => () => {
  opened = opened?.hook === hook.id ? null : { hook: hook.id, rows: [] };
  void load();
};

async function copySecret(): Promise<void> {
  said = (await copy(secret, document.getElementById("secret") as HTMLInputElement))
    ? "The secret is copied."
    : "Copy the secret by hand: it is selected.";
  draw();
}

function draw(): void {
  render(html`${form()} ${list()}`, root);
}

function form(): TemplateResult {
  const choose = (name: string) => (event: Event) => {
    if ((event.target as HTMLInputElement).checked) draft.events.add(name);
    else draft.events.delete(name);
  };
  return html`<section class="card" aria-labelledby="new"><h2 id="new">New webhook</h2><form @submit=${create}>
    <label>Address<input type="url" required maxlength="2000" placeholder="https://example.org/labelwise" .value=${draft.url} @input=${(
      event: Event,
    ) => {
      draft.url = (event.target as HTMLInputElement).value;
    }}></label>
    <fieldset><legend>It hears that</legend>${Object.entries(EVENTS).map(([name, words]) => html`<label><input type="checkbox" .checked=${draft.events.has(name)} @change=${choose(name)}> ${words} <code>${name}</code></label>`)}</fieldset>
    <button type="submit">Make the webhook</button></form>
    ${
      secret
        ? html`<div class="copy"><label for="secret">Its secret, shown this once</label>
      <input id="secret" type="text" readonly .value=${secret} @focus=${(event: Event) => (event.target as HTMLInputElement).select()}>
      <button type="button" class="secondary" @click=${copySecret}>Copy</button>
      <p class="quiet">Every event is signed with it: docs/webhooks.md shows the check in ten lines.</p></div>`
        : nothing
    }
    <p role="status">${said}</p>${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}</section>`;
}

function list(): TemplateResult {
  if (!hooks)
    return html`<p class="quiet" aria-busy=${fault ? "false" : "true"}>${fault ? "" : "Reading the webhooks"}</p>`;
  return html`<section class="card" aria-labelledby="all"><h2 id="all">Webhooks of this project</h2>
    ${hooks.length ? hooks.map(one) : html`<p class="quiet">None yet.</p>`}</section>`;
}

function one(hook: Hook): TemplateResult {
  const open = opened?.hook === hook.id;
  return html`<article class="hook" aria-label=${hook.url}>
    <p class="long"><strong>${hook.url}</strong></p>
    <p class="quiet">${hook.events.join(", ")}</p>
    <p class=${hook.reason ? "wrong" : ""}>${state(hook)}</p>
    <div class="actions">
      <button type="button" class="secondary" ?disabled=${!hook.active} @click=${test(hook)}>Send a test</button>
      <button type="button" class="secondary" @click=${start(hook)}>${hook.active ? "Pause" : "Make it active"}</button>
      <button type="button" class="secondary" aria-expanded=${open} @click=${toggle(hook)}>Deliveries</button>
      <button type="button" class="quiet-button" @click=${remove(hook)}>Delete</button></div>
    ${open ? table(opened?.rows ?? []) : nothing}</article>`;
}

function state(hook: Hook): string {
  const waiting = hook.waiting ? ` ${hook.waiting.toLocaleString("en-GB")} wait.` : "";
  if (!hook.active) return `Paused: ${hook.reason}.${waiting}`;
  if (!hook.failures) return `Active.${waiting}`;
  const times = hook.failures === 1 ? "Failed once" : `Failed ${hook.failures} times in a row`;
  return `${times}: ${hook.reason}. Next try ${hook.next_try ? new Date(hook.next_try).toLocaleTimeString("en-GB") : "soon"}.${waiting}`;
}

function table(rows: Delivery[]): TemplateResult {
  if (!rows.length) return html`<p class="quiet">Nothing was said yet.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Deliveries"><table ${stacked()}>
    <thead><tr><th scope="col">Seq</th><th scope="col">Event</th><th scope="col">Said</th><th scope="col">Written</th><th scope="col">How it went</th></tr></thead>
    <tbody>${rows.map(
      (
        row,
      ) => html`<tr><td>${row.seq}</td><td>${row.event}</td><td class="long"><code>${JSON.stringify(row.data)}</code></td><td>${new Date(row.created_at).toLocaleString("en-GB")}</td>
      <td>${went(row)}</td></tr>`,
    )}</tbody></table></div>`;
}

function went(row: Delivery): string {
  const tries = row.attempts > 1 ? `, ${row.attempts} tries` : "";
  if (row.state === "delivered") return `delivered (${row.status}${tries})`;
  return row.attempts ? `${row.reason}${tries}` : "waits";
}

draw();
void load();
setInterval(() => document.visibilityState === "visible" && hooks?.length && void load(), LOOK_MS);
