// What one question of a task needs so that it can be answered: its look, its keys, and the answer so far.
import type { TemplateResult } from "lit";
import type { ClassView, ItemView } from "../lib/serving";

export interface QuestionView {
  id: string;
  type: string;
  title: string;
  description: string;
  required: boolean;
  drives: boolean; // the queue: suggestions are for this one
  options: { multiple?: boolean; minimum?: number; maximum?: number; step?: number | null };
  show_if: Record<string, number[]>; // question -> ids of the classes, one of which has to be chosen there
  classes: ClassView[]; // of a rating with steps: its levels
}

/** A label of one question in the API's form; classes by id or by name. */
export type Value = Record<string, unknown>;

/** How a part is shown. */
export interface Frame {
  alone: boolean; // the only question of its task
  direct: boolean; // one choice is the whole answer
  suggested: Value | null;
  probability: number | null;
}

/** What a part tells of itself. */
export interface PartHost {
  changed: () => void;
  given: () => void; // by one choice that is a whole answer
  submit: () => void;
  keys: (classes: ClassView[]) => string[]; // which key is whose class's
}

export interface Part {
  question: QuestionView;
  readonly value: Value | null; // null while it is not answered
  readonly begun: Value | null; // what is there so far, which may be less than an answer; `take` takes it
  readonly words: string;
  readonly keys: string[]; // that pick among its answers, in their order
  /** Another item: nothing is answered yet. */
  begin(item: ItemView): void;
  /** Take a value over: a suggestion that is accepted, or an earlier answer; false where it does not fit. */
  take(value: Value): boolean;
  /** The question is another one now: what is gone is chosen no longer. */
  renew(question: QuestionView): void;
  pick(index: number): void;
  /** Take the last step back; false where there is none. */
  back(): boolean;
  view(frame: Frame): TemplateResult;
}

/** The ids of the classes that a value names, by id or by name; of a rating its level. */
export function classIds(value: Value, classes: ClassView[]): number[] {
  if (typeof value.value === "number")
    return classes.filter(({ name }) => Number(name) === value.value).map(({ id }) => id);
  const ids = (value.class_ids ?? [value.class_id]) as (number | undefined)[];
  const named = (value.classes ?? [value.class]) as (string | undefined)[];
  return classes.filter(({ id, name }) => ids.includes(id) || named.includes(name)).map(({ id }) => id);
}
