// People of a project: members with their roles, and links that invite more. No mail server: a link is copied.
import { html, nothing, render, type TemplateResult } from "lit";
import { count, isWide, percent } from "../lib/figures";
import { all, call, copy, message, pageData } from "../lib/http";
import { stacked } from "../lib/stacked";

type Role = "manager" | "reviewer" | "annotator";

interface MemberRow {
  id: number; // the user's
  user: string;
  role: Role;
  slice: string | null; // a filter by content, which all items of this person fit
  since: string;
}

interface Counted {
  count: number;
  more: boolean;
}

interface Estimate {
  value: number;
  low: number;
  high: number;
  n: number;
}

interface PaceRow {
  id: number; // the user's
  answers: number;
  today: number;
  day: string; // what today is in the project's zone
  seconds_median: number | null;
  managers: Estimate | null; // how often the answer was the same as theirs
  known: Estimate | null; // labels that were imported
  colleagues: Estimate | null;
}

interface Config {
  project: { id: number; slug: string; name: string };
  me: { id: number };
}

const { project, me } = pageData<Config>();
const root = document.getElementById("people") as HTMLElement;
const base = `/projects/${project.id}`;
const ROLES: Record<Role, string> = {
  annotator: "Annotator: answers items, sees own answers",
  reviewer: "Reviewer: sees and corrects everybody's answers",
  manager: "Manager: changes the project, invites people, exports",
};
const DAY = 86_400;

let members: MemberRow[] | null = null;
let paces = new Map<number, PaceRow>();
let open = new Map<string, Counted>(); // items of each slice that nobody has answered
let fault = "";
let said = "";
let link = "";
const invitation = { role: "annotator" as Role, slice: "", uses: "1", days: "7" };

async function load(): Promise<void> {
  try {
    const asked = call<{ items: PaceRow[] }>("GET", `${base}/pace`);
    members = await all<MemberRow>(`${base}/members`);
    void countSlices(members);
    paces = new Map((await asked).items.map((each) => [each.id, each]));
  } catch (error) {
    fault = message(error);
  }
  draw();
}

/** Counting may take a while on a large pool: the page does not wait for it. */
async function countSlices(rows: MemberRow[]): Promise<void> {
  const given = [...new Set(rows.map((each) => each.slice).filter((each) => each !== null))];
  const counts = await Promise.all(
    given.map((each) => call<Counted>("GET", `${base}/items/count?status=open&${each}`).catch(() => null)),
  );
  open = new Map();
  counts.forEach((each, place) => {
    if (each) open.set(given[place] as string, each);
  });
  draw();
}

async function attempt(work: () => Promise<void>): Promise<void> {
  fault = "";
  said = "";
  try {
    await work();
  } catch (error) {
    fault = message(error);
  }
  await load();
}

const changeRole = (member: MemberRow) => (event: Event) =>
  attempt(async () => {
    const role = (event.target as HTMLSelectElement).value;
    await call("PATCH", `${base}/members/${member.id}`, { body: { role } });
    said = `${member.user} is ${role} now.`;
  });

const changeSlice = (member: MemberRow) => (event: Event) =>
  attempt(async () => {
    const slice = (event.target as HTMLInputElement).value.trim() || null;
    await call("PATCH", `${base}/members/${member.id}`, { body: { slice } });
    said = slice
      ? `${member.user} is given items that fit ${slice}.`
      : `${member.user} is given items of the whole pool.`;
  });

const remove = (member: MemberRow) => () =>
  attempt(async () => {
    await call("DELETE", `${base}/members/${member.id}`);
    said = `${member.user} was removed. The answers stay.`;
  });

function invite(event: Event): void {
  event.preventDefault();
  void attempt(async () => {
    const slice = invitation.slice.trim() || null;
    const body = {
      role: invitation.role,
      slice,
      uses: Number(invitation.uses),
      expires_in: Number(invitation.days) * DAY,
    };
    const { url } = await call<{ url: string }>("POST", `${base}/invitations`, { body });
    link = new URL(url, location.origin).href;
  });
}

async function copyLink(): Promise<void> {
  const field = document.getElementById("link") as HTMLInputElement;
  said = (await copy(link, field)) ? "The link is copied." : "Copy the link by hand: it is selected.";
  draw();
}

function draw(): void {
  render(html`${invitationForm()} ${list()}`, root);
}

function invitationForm(): TemplateResult {
  const set = (part: "role" | "slice" | "uses" | "days") => (event: Event) => {
    (invitation as Record<string, string>)[part] = (event.target as HTMLInputElement).value;
  };
  return html`<section class="card" aria-labelledby="invite"><h2 id="invite">Invite by link</h2>
    <form @submit=${invite}>
      <div class="fields">
        <label>Role<select @change=${set("role")}>${roleOptions(invitation.role)}</select></label>
        <label>Slice, if not the whole pool<input type="text" maxlength="2000" placeholder="metadata.language=de" .value=${invitation.slice} @input=${set("slice")}></label>
        <label>For how many people<input type="number" min="1" max="1000" required .value=${invitation.uses} @input=${set("uses")}></label>
        <label>Days until it ends<input type="number" min="1" max="365" required .value=${invitation.days} @input=${set("days")}></label>
      </div>
      <p class="quiet">${ROLES[invitation.role]}. Who opens the link chooses a name and a password and starts labelling.</p>
      <button type="submit">Make a link</button>
    </form>
    ${
      link
        ? html`<div class="copy"><label for="link">Send this link</label>
      <input id="link" type="text" readonly .value=${link} @focus=${(event: Event) => (event.target as HTMLInputElement).select()}>
      <button type="button" class="secondary" @click=${copyLink}>Copy</button>
      <p class="quiet">It is shown once. Everybody who has it can join.</p></div>`
        : nothing
    }
    <p role="status">${said}</p>
    ${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}</section>`;
}

const roleOptions = (chosen: Role): TemplateResult =>
  html`${(Object.keys(ROLES) as Role[]).map((role) => html`<option value=${role} ?selected=${role === chosen}>${role}</option>`)}`;

function list(): TemplateResult {
  if (!members)
    return html`<p class="quiet" aria-busy=${fault ? "false" : "true"}>${fault ? "" : "Reading the members"}</p>`;
  return html`<section class="card" aria-labelledby="members"><h2 id="members">Members</h2>
    <p class="quiet">A slice is a filter by the items' own content (<code>metadata.language=de</code>, <code>q=invoice</code>): the person is given items that fit it and no others, those that judge the model among them. Clear it to give the whole pool again.</p>
    ${members.length === 0 ? html`<p class="quiet">Nobody but the service's admins. Invite somebody above.</p>` : table(members)}</section>`;
}

/** A number of somebody's answers, leading to their items. */
function behind(member: MemberRow, answers: number, more = ""): TemplateResult {
  const filter = `annotator=${encodeURIComponent(member.user)}${more}`;
  return answers ? html`<a href=${`/projects/${project.slug}/items?${filter}`}>${count(answers)}</a>` : html`0`;
}

/** The member's slice, to be changed in place, with the open items in it. */
function sliceCell(member: MemberRow): TemplateResult {
  const counted = member.slice === null ? undefined : open.get(member.slice);
  const left = counted && `${count(counted.count)}${counted.more ? " or more" : ""} open`;
  const there = `/projects/${project.slug}/items?status=open&${member.slice}`;
  return html`<td class="slice"><input type="text" maxlength="2000" aria-label="Slice of ${member.user}" placeholder="the whole pool" .value=${member.slice ?? ""} @change=${changeSlice(member)}>
    ${left ? html`<p><a href=${there}>${left}</a></p>` : nothing}</td>`;
}

const OTHERS = { managers: "managers", known: "known labels", colleagues: "colleagues" } as const;

/** How often the answer was the one of others: a number while the band is narrow, the band otherwise. */
function agreements(pace: PaceRow | undefined): TemplateResult {
  const given = (Object.keys(OTHERS) as (keyof typeof OTHERS)[]).filter((whom) => pace?.[whom]);
  if (!pace || !given.length) return html`–`;
  return html`<ul class="plain">${given.map((whom) => {
    const { value, low, high, n } = pace[whom] as Estimate;
    const band = `${percent(low)} to ${percent(high)}`;
    return html`<li>${OTHERS[whom]}: ${isWide(low, high) ? band : html`<span title=${band}>${percent(value)}</span>`} <small>of ${count(n)}</small></li>`;
  })}</ul>`;
}

const paceCells = (
  member: MemberRow,
  pace: PaceRow | undefined,
): TemplateResult => html`<td class="number">${behind(member, pace?.answers ?? 0)}</td>
  <td class="number">${behind(member, pace?.today ?? 0, `&answered_after=${pace?.day}`)}</td>
  <td class="number">${pace?.seconds_median == null ? "–" : `${pace.seconds_median.toFixed(1)} s`}</td>
  <td class="agreement">${agreements(pace)}</td>`;

function table(rows: MemberRow[]): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Members, table"><table ${stacked()}>
    <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Slice</th><th scope="col" class="number">Answers</th><th scope="col" class="number">Today</th><th scope="col" class="number">Median</th><th scope="col">Same answer as</th><th scope="col"><span class="hidden">Remove</span></th></tr></thead>
    <tbody>${rows.map(
      (member) => html`<tr>
      <th scope="row" class="long">${member.user}${member.id === me.id ? html` <small>(you)</small>` : nothing}</th>
      <td><select aria-label="Role of ${member.user}" .value=${member.role} @change=${changeRole(member)}>${roleOptions(member.role)}</select></td>
      ${sliceCell(member)}
      ${paceCells(member, paces.get(member.id))}
      <td><button type="button" class="quiet-button" aria-label="Remove ${member.user}" @click=${remove(member)}>Remove</button></td></tr>`,
    )}</tbody></table></div>`;
}

draw();
void load();
