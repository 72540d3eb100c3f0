// Answers that still wait when the annotate page is left go on their way from whichever page comes next.
import { createStore, keys } from "idb-keyval";
import { Notices } from "./notices";
import { notStored, Outbox } from "./outbox";

/** Send what a person's annotate pages left behind; a refusal is told on the annotate page when it opens again. */
export async function sendLeftovers(person: number): Promise<void> {
  let kept: string[];
  try {
    kept = await keys<string>(createStore("labelwise", "outbox"));
  } catch {
    return; // a browser that keeps nothing on disk left nothing behind
  }
  const owners = new Set(
    kept.map((key) => key.split(" ", 1)[0] ?? "").filter((owner) => owner.startsWith(`${person}/`)),
  );
  const nothing = (): void => undefined;
  for (const owner of owners) {
    const notices = new Notices(`notices ${owner}`, nothing);
    new Outbox(owner, person, {
      changed: nothing,
      refused: (letter, reason) => notices.add(notStored(letter, reason)),
      delivered: nothing,
      takenElsewhere: nothing,
      signIn: nothing,
    });
  }
}
