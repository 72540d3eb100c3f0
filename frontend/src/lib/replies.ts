// Managers' replies to one's own notes: each is told once, as a quiet notice, and stays with the last answers.
import type { Note } from "./progress-bar";
import { recall, remember } from "./remembered";

const FRESH_MS = 7 * 86_400_000; // a browser that knows nothing yet is not told of older ones

/** The replies that this browser has not told of, in words, oldest first. */
export function unread(place: string, notes: Note[]): string[] {
  const seen = recall<Record<string, string>>(place, {});
  const replied = notes.filter((each) => each.reply !== null);
  const fresh = replied.filter(
    ({ id, reply, updated_at }) => seen[id] !== reply && Date.now() - Date.parse(updated_at) < FRESH_MS,
  );
  if (!fresh.length) return [];
  remember(place, Object.fromEntries(replied.map(({ id, reply }) => [id, reply])));
  return fresh.reverse().map(({ key, note, reply }) => `Reply to your note “${note}” on ${key}: ${reply}`);
}
