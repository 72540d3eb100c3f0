// A person's own tokens for scripts: made with the least scopes, shown once, revoked by one button.
import { html, nothing, render, type TemplateResult } from "lit";
import { all, call, copy, message, pageData } from "../lib/http";
import { stacked } from "../lib/stacked";

interface TokenRow {
  id: number;
  name: string;
  scopes: string[];
  project_id: number | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

const { projects } = pageData<{ projects: { id: number; name: string }[] }>();
const root = document.getElementById("tokens") as HTMLElement;
const SCOPES: Record<string, string> = {
  read: "read: projects, items, rounds, exports",
  label: "label: take items and answer them",
  import: "import: push items and labels",
  manage: "manage: change projects, people and settings",
};
const DAY = 86_400;

let tokens: TokenRow[] | null = null;
let secret = "";
let fault = "";
let said = "";
const draft = { name: "", scopes: new Set(["read", "import"]), project: "", days: "90" };

async function load(): Promise<void> {
  try {
    tokens = await all<TokenRow>("/tokens");
  } catch (error) {
    fault = message(error);
  }
  draw();
}

async function create(event: Event): Promise<void> {
  event.preventDefault();
  fault = draft.scopes.size ? "" : "Choose at least one scope.";
  if (fault) return draw();
  const body = {
    name: draft.name.trim(),
    scopes: [...draft.scopes],
    ...(draft.project ? { project: Number(draft.project) } : {}),
    ...(draft.days ? { expires_in: Number(draft.days) * DAY } : {}),
  };
  try {
    secret = (await call<{ token: string }>("POST", "/tokens", { body })).token;
    draft.name = "";
    said = "";
  } catch (error) {
    fault = message(error);
  }
  await load();
}

const revoke = (token: TokenRow) => async () => {
  try {
    await call("DELETE", `/tokens/${token.id}`);
    said = `${token.name} is revoked.`;
  } catch (error) {
    fault = message(error);
  }
  await load();
};

async function copySecret(): Promise<void> {
  said = (await copy(secret, document.getElementById("secret") as HTMLInputElement))
    ? "The token is copied."
    : "Copy the token by hand: it is selected.";
  draw();
}

function draw(): void {
  render(html`${form()} ${list()}`, root);
}

function form(): TemplateResult {
  const toggle = (scope: string) => (event: Event) => {
    if ((event.target as HTMLInputElement).checked) draft.scopes.add(scope);
    else draft.scopes.delete(scope);
  };
  const set = (part: "name" | "project" | "days") => (event: Event) => {
    draft[part] = (event.target as HTMLInputElement).value;
  };
  return html`<section class="card" aria-labelledby="new"><h2 id="new">New token</h2><form @submit=${create}>
    <div class="fields">
      <label>What it is for<input type="text" required maxlength="200" .value=${draft.name} placeholder="nightly import" @input=${set("name")}></label>
      <label>Project<select @change=${set("project")}><option value="">all of mine</option>${projects.map((each) => html`<option value=${each.id}>${each.name}</option>`)}</select></label>
      <label>Days until it ends, empty for never<input type="number" min="1" max="3650" .value=${draft.days} @input=${set("days")}></label>
    </div>
    <fieldset><legend>It may</legend>${Object.entries(SCOPES).map(([scope, words]) => html`<label><input type="checkbox" .checked=${draft.scopes.has(scope)} @change=${toggle(scope)}> ${words}</label>`)}</fieldset>
    <button type="submit">Create the token</button></form>
    ${
      secret
        ? html`<div class="copy"><label for="secret">Your token, shown this once</label>
      <input id="secret" type="text" readonly .value=${secret} @focus=${(event: Event) => (event.target as HTMLInputElement).select()}>
      <button type="button" class="secondary" @click=${copySecret}>Copy</button>
      <p class="quiet">Keep it like a password: <code>export LABELWISE_TOKEN=…</code></p></div>`
        : nothing
    }
    <p role="status">${said}</p>${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}</section>`;
}

function list(): TemplateResult {
  if (!tokens)
    return html`<p class="quiet" aria-busy=${fault ? "false" : "true"}>${fault ? "" : "Reading your tokens"}</p>`;
  return html`<section class="card" aria-labelledby="yours"><h2 id="yours">Your tokens</h2>
    ${
      tokens.length === 0
        ? html`<p class="quiet">None yet.</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="Your tokens, table"><table ${stacked()}>
      <thead><tr><th scope="col">For</th><th scope="col">May</th><th scope="col">Project</th><th scope="col">Made</th><th scope="col">Last used</th><th scope="col">Ends</th><th scope="col"><span class="hidden">Revoke</span></th></tr></thead>
      <tbody>${tokens.map(
        (
          token,
        ) => html`<tr><th scope="row" class="long">${token.name}</th><td>${token.scopes.join(", ")}</td><td>${bound(token)}</td>
        <td>${token.created_at.slice(0, 10)}</td><td>${token.last_used_at?.slice(0, 10) ?? "never"}</td><td>${token.expires_at?.slice(0, 10) ?? "never"}</td>
        <td><button type="button" class="quiet-button" aria-label="Revoke ${token.name}" @click=${revoke(token)}>Revoke</button></td></tr>`,
      )}</tbody></table></div>`
    }</section>`;
}

function bound({ project_id }: TokenRow): string {
  if (project_id === null) return "all";
  return projects.find((each) => each.id === project_id)?.name ?? String(project_id);
}

draw();
void load();
