// What every signed-in page has: signing out, a menu that closes when the focus or a click goes elsewhere, and a
// sender of answers that still wait.
import { forgetDrafts } from "../lib/drafts";
import { call, message } from "../lib/http";

// On a narrow window the row of sections scrolls: the open one is in sight.
document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// The annotate page sends its own answers; every other page sends what it left behind.
const person = Number(document.body.dataset.person);
forgetDrafts(person); // whoever had this tab before began answers that are no business of this person's
if (person && !document.getElementById("annotate")) {
  void import("../lib/leftovers").then(({ sendLeftovers }) => sendLeftovers(person));
}

const menu = document.querySelector<HTMLDetailsElement>("details.menu");

document.getElementById("sign-out")?.addEventListener("click", async (event) => {
  try {
    await call("DELETE", "/session");
    forgetDrafts();
    location.assign("/sign-in");
  } catch (error) {
    (event.target as HTMLElement).textContent = message(error);
  }
});
document.addEventListener("click", (event) => {
  if (menu && !menu.contains(event.target as Node)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu?.open) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});
