// Requests to the service's own REST interface, with the page's CSRF token; a refusal becomes an error with words.

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    detail: string,
    readonly fields: Record<string, unknown> = {},
    readonly more: Record<string, unknown> = {}, // the whole answer
  ) {
    super(detail);
  }
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Call `/api/v1<path>` and give its JSON; null for an empty answer. Throws Refusal, also when nobody answers. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  return (await send(method, `/api/v1${path}`, options)).value as T;
}

/** Every row of a list, page by page. */
export async function all<T>(path: string): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const more: string = cursor && `${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
    const page: { items: T[]; next: string | null } = await call("GET", path + more);
    rows.push(...page.items);
    cursor = page.next;
  }
  return rows;
}

/** As `call`, with the answer's headers: an ETag, say. Takes any path of the service. */
export async function send(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (options.signal) init.signal = options.signal;
  if (options.body instanceof Blob) init.body = options.body;
  else if (options.body !== undefined) {
    headers["Content-Type"] ??= "application/json";
    init.body = JSON.stringify(options.body);
  }
  const response = await reached(path, init);
  const text = await response.text();
  const value = text && isJson(response) ? JSON.parse(text) : null;
  if (!response.ok) throw refusal(response.status, value);
  return { value, headers: response.headers };
}

export interface Answer {
  value: unknown;
  headers: Headers;
}

async function reached(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refusal(0, "Unreachable", "The server cannot be reached. Check the connection, then try again.");
  }
}

function refusal(status: number, value: unknown): Refusal {
  const said = (value ?? {}) as { error?: string; detail?: string; fields?: Record<string, unknown> };
  const detail = said.detail ?? `The server refused this (${status}).`;
  return new Refusal(status, said.error ?? "Refused", detail, said.fields ?? {}, said as Record<string, unknown>);
}

const isJson = (response: Response): boolean => (response.headers.get("content-type") ?? "").includes("json");

export const csrfToken = (): string =>
  document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";

/** After a refusal for an old token: take the session's token of now. Who is signed in, and whether it was another token. */
export async function renewToken(): Promise<{ person: number | null; renewed: boolean }> {
  try {
    const session = await call<{ user: { id: number }; csrf_token: string }>("GET", "/session");
    const meta = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
    const renewed = session.csrf_token !== csrfToken();
    if (meta) meta.content = session.csrf_token;
    return { person: session.user.id, renewed };
  } catch {
    return { person: null, renewed: false };
  }
}

/** The data that the page's route wrote into the page. */
export function pageData<T>(id = "config"): T {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}") as T;
}

/** A random UUID; `crypto.randomUUID` is missing on plain http, `getRandomValues` is not. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Put a text on the clipboard, also on plain http, where only the old way exists; false when neither works. */
export async function copy(text: string, source: HTMLInputElement | HTMLTextAreaElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    source.select();
    return document.execCommand("copy");
  }
}
