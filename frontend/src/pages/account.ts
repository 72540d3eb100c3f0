// A person's own account: the password, the way out of every browser, and what is stored about the person.
import { html, nothing, render, type TemplateResult } from "lit";
import { call, message, pageData } from "../lib/http";

const { me } = pageData<{ me: { id: number; name: string; password: boolean } }>();
const root = document.getElementById("account") as HTMLElement;

let endTokens = false;
let busy = false;
let said = "";
const faults: Record<"password" | "browsers", string> = { password: "", browsers: "" };

async function changePassword(event: Event): Promise<void> {
  event.preventDefault();
  const form = event.target as HTMLFormElement;
  const given = new FormData(form);
  said = "";
  faults.password = given.get("new_password") === given.get("again") ? "" : "The two new passwords differ.";
  if (faults.password || busy) return draw();
  given.delete("again");
  busy = true;
  draw();
  try {
    await call("POST", "/session/password", { body: Object.fromEntries(given) });
    said = "The password is changed. Other browsers are signed out, and your tokens have ended.";
    form.reset();
  } catch (error) {
    faults.password = message(error);
  }
  busy = false;
  draw();
}

async function signOutEverywhere(event: Event): Promise<void> {
  event.preventDefault();
  try {
    await call("DELETE", `/sessions?tokens=${endTokens}`);
    location.assign("/sign-in");
  } catch (error) {
    faults.browsers = message(error);
    draw();
  }
}

function draw(): void {
  render(html`${password()} ${browsers()} ${data()}`, root);
}

const wrong = (fault: string): TemplateResult | typeof nothing =>
  fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing;

function password(): TemplateResult {
  if (!me.password)
    return html`<section class="card" aria-labelledby="password"><h2 id="password">Password</h2>
      <p>${me.name} signs in by the link that the demo printed and has no password. <code>labelwise user password ${me.name}</code> on the machine sets one.</p></section>`;
  return html`<section class="card" aria-labelledby="password"><h2 id="password">Password</h2>
    <p class="quiet">A new password signs your other browsers out and ends your tokens: scripts need new ones.</p>
    <form @submit=${changePassword}>
      <input hidden autocomplete="username" readonly .value=${me.name}>
      <div class="fields">
        <label>Current password<input name="old_password" type="password" required maxlength="256" autocomplete="current-password"></label>
        <label>New password<input name="new_password" type="password" required minlength="12" maxlength="256" autocomplete="new-password" aria-describedby="rule"></label>
        <label>New password again<input name="again" type="password" required maxlength="256" autocomplete="new-password"></label>
      </div>
      <p class="quiet" id="rule">12 characters or more; a sentence is good. Forgotten it? An admin makes a link with which you choose another.</p>
      <button type="submit" aria-busy=${busy}>Change the password</button></form>
    <p role="status">${said}</p>${wrong(faults.password)}</section>`;
}

function browsers(): TemplateResult {
  const set = (event: Event) => {
    endTokens = (event.target as HTMLInputElement).checked;
  };
  return html`<section class="card" aria-labelledby="browsers"><h2 id="browsers">Signed-in browsers</h2>
    <p class="quiet">Left signed in somewhere, or lost a laptop? Every browser will ask for your password again, this one too.</p>
    <form @submit=${signOutEverywhere}><label><input type="checkbox" .checked=${endTokens} @change=${set}> revoke my tokens too</label>
    <button type="submit">Sign out everywhere</button></form>${wrong(faults.browsers)}</section>`;
}

function data(): TemplateResult {
  return html`<section class="card" aria-labelledby="data"><h2 id="data">What is stored about you</h2>
    <p class="quiet">Your account, projects, answers, notes, tokens (without their secrets) and lines of the audit log, as one JSON file. An admin can erase you: your name goes, and your answers where you ask for it.</p>
    <p><a class="button secondary" href="/api/v1/users/${me.id}/export" download="labelwise-${me.id}.json">Download it</a></p></section>`;
}

draw();
