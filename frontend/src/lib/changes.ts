// What managers change while people label: classes and guidelines. Seen within half a minute, without a reload.
import type { QuestionView } from "../editors/part";
import type { ClassView } from "./serving";

export interface Changing {
  version: number; // of the project's settings
  questions: QuestionView[];
  guidelines_version: number;
}

export class Changes {
  private asking = false;

  /** `heard` gets a sentence about the classes, or null where these are the same as before. */
  constructor(
    private readonly config: Changing,
    private readonly heard: (words: string | null) => void,
  ) {}

  /** Read the page anew where the project's version is another one than the page was made for. */
  async look(version: number): Promise<void> {
    if (this.asking || version === this.config.version) return;
    this.asking = true;
    const found = await pageNow();
    this.asking = false;
    const text = found?.getElementById("config")?.textContent;
    const fresh = text ? (JSON.parse(text) as Partial<Changing>) : {};
    if (!found || !fresh.questions) return; // signed out, or the way there is broken: the next look tries again
    const words = classWords(classesOf(this.config.questions), classesOf(fresh.questions));
    Object.assign(this.config, fresh);
    const guidelines = found.getElementById("guidelines");
    if (guidelines) document.getElementById("guidelines")?.replaceWith(document.adoptNode(guidelines));
    this.heard(words);
  }
}

const classesOf = (questions: QuestionView[]): ClassView[] => questions.flatMap(({ classes }) => classes);

/** The page as the server makes it now; null where it does not answer with one. */
function pageNow(): Promise<Document | null> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname);
    request.responseType = "document";
    request.onload = () => resolve(request.status === 200 ? request.responseXML : null);
    request.onerror = () => resolve(null);
    request.send();
  });
}

/** Which classes are new, renamed or gone, in a sentence; null for none. */
export function classWords(before: ClassView[], now: ClassView[]): string | null {
  const old = new Map(before.map((each) => [each.id, each.name]));
  const kept = new Set(now.map((each) => each.id));
  const fresh = now.filter((each) => !old.has(each.id)).map((each) => each.name);
  const renamed = now.filter((each) => old.has(each.id) && old.get(each.id) !== each.name);
  const gone = before.filter((each) => !kept.has(each.id)).map((each) => each.name);
  const said = [
    fresh.length ? `New: ${fresh.join(", ")}.` : "",
    ...renamed.map((each) => `${old.get(each.id)} is called ${each.name} now.`),
    gone.length ? `No longer to be chosen: ${gone.join(", ")}.` : "",
  ].filter(Boolean);
  return said.length ? `The classes changed. ${said.join(" ")}` : null;
}
