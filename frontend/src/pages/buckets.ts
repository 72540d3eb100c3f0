// Which project may read which bucket: the operator names them, an admin grants one to a project or takes it back.
import { html, nothing, render, type TemplateResult } from "lit";
import { call, message, pageData } from "../lib/http";
import { stacked } from "../lib/stacked";

interface Bucket {
  name: string;
  kind: string;
  projects: number[];
}

interface Named {
  id: number;
  slug: string;
  name: string;
}

const { projects } = pageData<{ projects: Named[] }>();
const root = document.getElementById("buckets") as HTMLElement;
const KINDS: Record<string, string> = {
  s3: "S3",
  file: "a folder of the server",
  gs: "Google Cloud Storage",
  gcs: "Google Cloud Storage",
  az: "Azure",
  abfs: "Azure",
};

let buckets: Bucket[] | null = null;
let chosen: Record<string, string> = {}; // bucket -> the project that it is about to be granted to
let sure = ""; // the grant that is about to be taken back
let fault = "";
let said = "";

async function load(): Promise<void> {
  try {
    buckets = (await call<{ items: Bucket[] }>("GET", "/buckets")).items;
  } catch (error) {
    fault = message(error);
  }
  draw();
}

async function attempt(work: () => Promise<unknown>, done: string): Promise<void> {
  fault = said = sure = "";
  try {
    await work();
    said = done;
  } catch (error) {
    fault = message(error);
  }
  await load();
}

const grant = (bucket: Bucket) => (event: Event) => {
  event.preventDefault();
  const project = projects.find(({ id }) => String(id) === chosen[bucket.name]);
  if (!project) return;
  chosen = {};
  const path = `/projects/${project.id}/buckets/${bucket.name}`;
  void attempt(() => call("PUT", path), `${project.name} may read ${bucket.name} now.`);
};

function revoke(bucket: Bucket, id: number): void {
  const asked = `${bucket.name} ${id}`;
  if (sure !== asked) {
    sure = asked;
    said = "Its items stay, but their files are no longer shown and no more are read. Press again to take it back.";
    draw();
    return;
  }
  const path = `/projects/${id}/buckets/${bucket.name}`;
  void attempt(() => call("DELETE", path), `${nameOf(id)} may read ${bucket.name} no more.`);
}

const nameOf = (id: number): string => projects.find((each) => each.id === id)?.name ?? `Project ${id}`;

function draw(): void {
  render(
    html`<section class="card" aria-labelledby="named"><h2 id="named">Named buckets</h2>
    <p>Files that lie in a bucket are read where they are. Whoever runs the service names the buckets; here an admin says which project may read which. Its managers then take files in by folder or by row.</p>
    <p role="status">${said}</p>${fault ? html`<p role="alert" class="wrong">${fault}</p>` : nothing}
    ${buckets ? (buckets.length ? table(buckets) : none()) : html`<p class="quiet" aria-busy=${fault ? "false" : "true"}>${fault ? "" : "Reading the buckets"}</p>`}</section>`,
    root,
  );
}

function none(): TemplateResult {
  return html`<p>No bucket is named yet. Name one where the service is started, then grant it here:</p>
    <pre tabindex="0"><code>labelwise serve --bucket pets=s3://our-bucket/photos</code></pre>`;
}

function table(rows: Bucket[]): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Buckets, table"><table ${stacked()}>
    <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">May be read by</th><th scope="col">Grant</th></tr></thead>
    <tbody>${rows.map(
      (each) => html`<tr><th scope="row" class="long">${each.name}</th><td>${KINDS[each.kind] ?? each.kind}</td>
      <td>${each.projects.length ? html`<ul class="plain">${each.projects.map((id) => granted(each, id))}</ul>` : html`<span class="quiet">no project</span>`}</td>
      <td>${form(each)}</td></tr>`,
    )}</tbody></table></div>`;
}

function granted(bucket: Bucket, id: number): TemplateResult {
  const asked = sure === `${bucket.name} ${id}`;
  return html`<li class="long">${nameOf(id)} <button type="button" class="quiet-button" aria-label=${`${asked ? "Really take it back" : "Take back"}: ${bucket.name} from ${nameOf(id)}`} @click=${() => revoke(bucket, id)}>${asked ? "Really take it back" : "Take back"}</button></li>`;
}

function form(bucket: Bucket): TemplateResult {
  const free = projects.filter(({ id }) => !bucket.projects.includes(id));
  if (!free.length)
    return html`<span class="quiet">${projects.length ? "every project may read it" : "there is no project yet"}</span>`;
  return html`<form class="inline" @submit=${grant(bucket)}>
    <select required aria-label="Project that may read ${bucket.name}" @change=${(event: Event) => {
      chosen[bucket.name] = (event.target as HTMLSelectElement).value;
    }}><option value="" ?selected=${!chosen[bucket.name]}>choose a project</option>${free.map(({ id, name }) => html`<option value=${id} ?selected=${String(id) === chosen[bucket.name]}>${name}</option>`)}</select>
    <button type="submit" class="secondary" aria-label="Grant ${bucket.name}">Grant</button></form>`;
}

draw();
void load();
