// The doors: signing in, making the first account, accepting an invitation.
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
  const password = String(given.get("password") ?? "");
  if (given.has("again") && given.get("again") !== password) {
    wrong.textContent = "The two passwords differ.";
    return;
  }
  button.setAttribute("aria-busy", "true");
  try {
    const body = { name: String(given.get("name") ?? ""), password };
    const answer = await call<{ project: number | null }>("POST", config.path, { body });
    location.assign(answer.project ? `/projects/${answer.project}/annotate` : config.next);
  } catch (error) {
    wrong.textContent = message(error);
    button.removeAttribute("aria-busy");
  }
});
