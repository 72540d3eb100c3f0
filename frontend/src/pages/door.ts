// The doors: signing in, making the first account, accepting an invitation, choosing a new password.
import { call, message, pageData } from "../lib/http";

interface Config {
  path: string;
  next: string;
}

const config = pageData<Config>();
const form = document.querySelector("form") as HTMLFormElement;
const wrong = document.getElementById("wrong") as HTMLElement;
const button = form.querySelector("button") as HTMLButtonElement;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  const given = new FormData(form);
  if (given.has("again") && given.get("again") !== given.get("password")) {
    wrong.textContent = "The two passwords differ.";
    return;
  }
  button.setAttribute("aria-busy", "true");
  try {
    given.delete("again");
    const body = Object.fromEntries(given); // what the door asks
    const answer = await call<{ project: number | null }>("POST", config.path, { body });
    location.assign(answer.project ? `/projects/${answer.project}/annotate` : config.next);
  } catch (error) {
    wrong.textContent = message(error);
    button.removeAttribute("aria-busy");
  }
});
