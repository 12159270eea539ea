// The page's behaviour: asking the server, and the states between the form and the answer.

import { showResult } from "./answer.js";
import { $, el, say } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { showFigures } from "./figures.js";

const TIMEOUT = 30000; // milliseconds

let model = null; // the answer of GET /v1/model
let examples = 0; // how many were shown

// -- asking the server -------------------------------------------------------------------------------------------

class Problem extends Error {
  constructor(title, detail, status = 0) {
    super(detail);
    this.title = title;
    this.status = status;
  }
}

const STILL_HERE = "Your text is still here: try again.";

async function ask(path, body) {
  const token = $("token").value.trim();
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const request = {
    method: body ? "POST" : "GET",
    headers,
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT),
  };
  const response = await insist(path, request);
  const data = await response.json().catch(() => null);
  if (response.ok && data) return data;
  if (response.status === 401) {
    const title = token ? "The server refuses this token" : "This server asks for an access token";
    throw new Problem(title, "Enter it below and try again.", 401);
  }
  const title = data?.title || `The server answered ${response.status}`;
  throw new Problem(title, data?.detail || "It gave no further detail.", response.status);
}

// A server that has just been started, or has too much to do, says so: ask again until time is up.
async function insist(path, request) {
  try {
    for (;;) {
      const response = await fetch(path, request);
      const wait = 1000 * Number(response.headers.get("Retry-After"));
      if (response.status !== 503 || !wait) return response;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  } catch (error) {
    if (error.name === "TimeoutError") {
      throw new Problem("No answer in time", `The server had ${TIMEOUT / 1000} seconds. ${STILL_HERE}`);
    }
    throw new Problem("The server can't be reached", `You may be offline, or it has stopped. ${STILL_HERE}`);
  }
}

function showProblem(problem) {
  if (problem.status === 401) $("token-field").hidden = false;
  $("error-title").textContent = problem.title || "Something went wrong in this page";
  $("error-detail").textContent = problem.message;
  $("error").hidden = false;
  ($("token-field").hidden || problem.status !== 401 ? $("error") : $("token")).focus();
}

async function loadModel() {
  try {
    model = await ask("/v1/model");
    showFigures(model);
  } catch (problem) {
    $("figures-body").replaceChildren(
      el("p", { class: "hint" }, `The figures are not here: ${problem.message}`),
    );
    if (problem.status === 401) $("token-field").hidden = false;
  }
}

// -- submitting --------------------------------------------------------------------------------------------------

function setBusy(busy) {
  $("form").setAttribute("aria-busy", String(busy));
  for (const id of ["submit", "example"]) $(id).setAttribute("aria-disabled", String(busy));
  $("submit").textContent = busy ? "Reading…" : "Look at the framing";
  if (busy) say("Reading the article.");
}

async function submit(event, invented = false) {
  event?.preventDefault();
  if ($("form").getAttribute("aria-busy") === "true") return;
  const text = $("text").value;
  const title = $("title").value.trim();
  $("error").hidden = true;
  if (!text.trim()) {
    showProblem(
      new Problem("There is no article yet", "Paste its text into the field below, or try an example."),
    );
    $("text").focus();
    return;
  }
  setBusy(true);
  try {
    const explanation = await ask("/v1/explain", title ? { text, title } : { text });
    if (!model) await loadModel();
    showResult(explanation, title, invented, model?.thresholds || {});
  } catch (problem) {
    say("");
    showProblem(problem);
  } finally {
    setBusy(false);
  }
}

// -- the controls ------------------------------------------------------------------------------------------------

function backToForm(clear) {
  if (clear) $("title").value = $("text").value = "";
  countWords();
  $("result").hidden = $("heaviest").hidden = $("notes").hidden = true;
  $("ask").hidden = false;
  say("");
  $("text").focus();
  $("ask").scrollIntoView();
}

function countWords() {
  const words = $("text").value.trim().split(/\s+/).filter(Boolean).length;
  $("count").textContent = `${words} ${words === 1 ? "word" : "words"}`;
}

$("form").addEventListener("submit", (event) => submit(event));
$("text").addEventListener("input", countWords);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
});
$("again").addEventListener("click", () => backToForm(true));
$("edit").addEventListener("click", () => backToForm(false));
$("example").addEventListener("click", () => {
  if ($("form").getAttribute("aria-busy") === "true") return;
  const example = EXAMPLES[examples++ % EXAMPLES.length];
  $("title").value = example.title;
  $("text").value = example.text;
  countWords();
  submit(null, true);
});
countWords(); // a browser may have kept the text over a reload
loadModel();
