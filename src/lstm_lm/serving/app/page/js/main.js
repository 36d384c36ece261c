/** The start of the page: what the server serves, a key if it asks for one, then the two panels. */

import { ApiError, getJson, hasKey, keepKey } from "./api.js";
import { Controls } from "./controls.js";
import { byId, number } from "./dom.js";
import { GeneratePanel } from "./generate.js";
import { ScorePanel } from "./score.js";
import * as tabs from "./tabs.js";

async function start({ isSignedIn = false } = {}) {
  let models, table;
  byId("startup-error").textContent = "";
  try {
    [models, table] = await Promise.all([getJson("/v1/models"), getJson("/v1/options")]);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) askForKey(hasKey() ? "The API key is wrong." : "");
    else byId("startup-error").textContent = error.message;
    return;
  }
  byId("key-form").hidden = true;
  if (!byId("app").hidden) {
    byId("prompt").focus();
    return; // a key was asked for again
  }
  describe(models.data, table.logs_prompts);
  if (table.example_prompt) byId("prompt").placeholder += `, such as: ${table.example_prompt}`;
  tabs.enable(document.querySelector('[role="tablist"]'));
  byId("app").hidden = false;
  const scoring = new ScorePanel(models.data, table, refused);
  const score = (text) => {
    tabs.open(byId("score-tab"));
    scoring.scoreText(text);
  };
  const panel = new GeneratePanel(models.data, new Controls(table), { refused, score });
  if (isSignedIn) byId("prompt").focus(); // the field of the key had it
  panel.openLink();
}

function describe(models, logsPrompts) {
  const several = models.length > 1;
  const each = models.map(({ id, version, vocabulary_size: words }) => {
    const facts = [version ? `version ${version}` : "", `vocabulary of ${number(words)} words`].filter(Boolean);
    return `${several ? `${id}: ` : ""}${facts.join(several ? ", " : " \u00b7 ")}`;
  });
  if (logsPrompts) each.push("this server keeps the prompts it gets");
  byId("about").textContent = each.join(" \u00b7 ");
}

function refused() {
  askForKey("The server asks for a key.");
}

function askForKey(message) {
  byId("key-form").hidden = false;
  byId("key-error").textContent = message;
  byId("key").focus();
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    keepKey(byId("key").value.trim());
  } catch (error) {
    askForKey(error.message);
    return;
  }
  byId("key").value = "";
  start({ isSignedIn: true });
});

start();
