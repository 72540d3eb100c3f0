// Everybody with an account, for admins: added, made an admin, switched off, helped with a forgotten password, erased.
import { html, nothing, render, type TemplateResult } from "lit";
import { all, call, copy, message, pageData } from "../lib/http";
import { stacked } from "../lib/stacked";

interface Account {
  id: number;
  name: string;
  admin: boolean;
  active: boolean;
  created_at: string;
  erased_at: string | null;
}

type Step = "switch" | "erase";

const { me } = pageData<{ me: { id: number } }>();
const root = document.getElementById("accounts") as HTMLElement;
const WARNINGS: Record<Step, (account: Account) => string> = {
  switch: ({ name }) =>
    `${name} will be signed out, give back what is held and get in no more; the answers stay. Press again to switch off.`,
  erase: ({ name }) =>
    `The name, password, tokens and roles of ${name} go for good; the answers stay under a pseudonym. Press again to erase.`,
};

let accounts: Account[] | null = null;
let link: { url: string; name: string; ends: string } | null = null;
let sure = ""; // the step that the next press takes
let fault = "";
let said = "";

async function load(): Promise<void> {
  try {
    accounts = await all<Account>("/users");
  } catch (error) {
    fault = message(error);
  }
  draw();
}

async function attempt(work: () => Promise<string>): Promise<void> {
  fault = said = sure = "";
  link = null;
  try {
    said = await work();
  } catch (error) {
    fault = message(error);
  }
  await load();
}

function add(event: Event): void {
  event.preventDefault();
  const form = event.target as HTMLFormElement;
  const given = new FormData(form);
  void attempt(async () => {
    const body = { name: given.get("name"), password: given.get("password"), admin: given.has("admin") };
    const made = await call<Account>("POST", "/users", { body });
    form.reset();
    return `${made.name} can sign in now. Add the account to a project under its People.`;
  });
}

const change = (account: Account, body: { active?: boolean; admin?: boolean }, done: string) => () =>
  attempt(async () => {
    await call("PATCH", `/users/${account.id}`, { body });
    return done;
  });

/** What is hard to take back is asked for twice. */
const twice = (step: Step, account: Account, work: () => unknown) => () => {
  const asked = `${step} ${account.id}`;
  if (sure === asked) return work();
  sure = asked;
  said = WARNINGS[step](account);
  fault = "";
  draw();
};

const erase = (account: Account) => () =>
  attempt(async () => {
    await call("DELETE", `/users/${account.id}`);
    return `${account.name} is erased.`;
  });

const letChoose = (account: Account) => () =>
  attempt(async () => {
    const made = await call<{ url: string; expires_at: string }>("POST", `/users/${account.id}/password-link`);
    link = { url: new URL(made.url, location.origin).href, name: account.name, ends: made.expires_at };
    return "";
  });

async function copyLink(): Promise<void> {
  if (!link) return;
  const field = document.getElementById("link") as HTMLInputElement;
  said = (await copy(link.url, field)) ? "The link is copied." : "Copy the link by hand: it is selected.";
  draw();
}

function draw(): void {
  render(
    html`<section class="card" aria-labelledby="everybody"><h2 id="everybody">Everybody</h2>
      <p class="quiet">An admin manages accounts and sees every project; what somebody does in one project is said under its People.</p>
      ${accounts ? table(accounts) : html`<p class="quiet" aria-busy=${fault ? "false" : "true"}>${fault ? "" : "Reading the accounts"}</p>`}
      ${link ? linkField(link) : nothing}
      <p role="status">${said}</p>${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}</section>
      ${newAccount()}`,
    root,
  );
}

function linkField({ url, name, ends }: NonNullable<typeof link>): TemplateResult {
  const moment = new Date(ends).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  return html`<div class="copy"><label for="link">Send this link to ${name}</label>
    <input id="link" type="text" readonly .value=${url} @focus=${(event: Event) => (event.target as HTMLInputElement).select()}>
    <button type="button" class="secondary" @click=${copyLink}>Copy</button>
    <p class="quiet">It is shown once, lets a new password be chosen once, and ends ${moment}. Until then the old password stays.</p></div>`;
}

function newAccount(): TemplateResult {
  return html`<section class="card" aria-labelledby="new"><h2 id="new">New account</h2>
    <p class="quiet">Who is invited to a project by a link needs none: the link makes it.</p>
    <form @submit=${add}><div class="fields">
      <label>Name<input type="text" name="name" required maxlength="200" autocomplete="off"></label>
      <label>First password<input type="password" name="password" required minlength="12" maxlength="256" autocomplete="new-password"></label>
    </div><label><input type="checkbox" name="admin"> may manage accounts and every project</label>
    <button type="submit">Make the account</button></form></section>`;
}

function table(rows: Account[]): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Accounts, table"><table ${stacked()}>
    <thead><tr><th scope="col">Name</th><th scope="col">Since</th><th scope="col">May</th><th scope="col">State</th><th scope="col"><span class="hidden">Changes</span></th></tr></thead>
    <tbody>${rows.filter((each) => !each.erased_at).map(row)}</tbody></table></div>`;
}

function row(account: Account): TemplateResult {
  const { id, name, admin, active } = account;
  const button = (words: string, work: () => unknown) =>
    html`<button type="button" class="quiet-button" aria-label="${words}: ${name}" @click=${work}>${words}</button>`;
  const rights = admin
    ? button("Take admin away", change(account, { admin: false }, `${name} is no admin any more.`))
    : button("Make admin", change(account, { admin: true }, `${name} is an admin now.`));
  const off = change(account, { active: false }, `${name} is switched off.`);
  return html`<tr><th scope="row" class="long">${name}${id === me.id ? html` <small>(you)</small>` : nothing}</th>
    <td>${account.created_at.slice(0, 10)}</td><td>${admin ? "everything" : "by project"}</td><td>${active ? "active" : "switched off"}</td>
    <td><div class="row-buttons">${
      active
        ? html`${rights} ${button("Password link", letChoose(account))} ${button("Switch off", twice("switch", account, off))}`
        : button("Switch on", change(account, { active: true }, `${name} is switched on.`))
    } ${button("Erase", twice("erase", account, erase(account)))}</div></td></tr>`;
}

draw();
void load();
