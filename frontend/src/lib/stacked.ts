// Tables that become cards on a narrow window: each cell is told the words above its column, for the style to show.
import { type ElementPart, noChange } from "lit";
import { Directive, directive, type PartInfo, PartType } from "lit/directive.js";

const ROLES = { thead: "rowgroup", tbody: "rowgroup", tr: "row", td: "cell", 'th[scope="col"]': "columnheader" };

class Stacked extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error("`stacked` stands in a table's tag");
  }

  render(): unknown {
    return noChange;
  }

  override update({ element }: ElementPart): unknown {
    queueMicrotask(() => label(element as HTMLTableElement)); // its cells are drawn after it
    return noChange;
  }
}

/** `<table ${stacked()}>`: the rows of a narrow window's table stand as cards, each value beside its column's name. */
export const stacked = directive(Stacked);

/** A table that is drawn as blocks is none for screen readers unless its roles are said. */
function label(table: HTMLTableElement): void {
  table.classList.add("stacked");
  table.setAttribute("role", "table");
  for (const [kind, role] of Object.entries(ROLES))
    for (const each of table.querySelectorAll(kind)) each.setAttribute("role", role);
  for (const each of table.querySelectorAll('th[scope="row"]')) each.setAttribute("role", "rowheader");
  const names = [...table.querySelectorAll("thead th, thead td")].map((each) =>
    each.querySelector(".hidden") ? "" : (each.textContent ?? "").trim(),
  );
  for (const row of table.tBodies[0]?.rows ?? [])
    [...row.cells].forEach((cell, place) => {
      if (cell.colSpan === 1 && names[place]) cell.dataset.label = names[place];
    });
}
