import { $, make } from "./dom.js";

export const LANGUAGES = { en: "English", fr: "Français", zh: "中文" };

let words, plural, numbers, shares;

export let language;

export async function speak(chosen) {
  const answer = await fetch(`/network/words.${chosen}.json`);
  words = await answer.json();
  language = chosen;
  plural = new Intl.PluralRules(chosen);
  numbers = new Intl.NumberFormat(chosen, { maximumFractionDigits: 1 });
  shares = new Intl.NumberFormat(chosen, { style: "percent", maximumFractionDigits: 1 });
  document.documentElement.lang = chosen;
  localStorage.setItem("network.language", chosen);
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = say(element.dataset.words);
  for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = say(element.dataset.label);
  $("#search").placeholder = say("search.hint");
  document.title = say("title");
}

export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function count(key, n) {
  return say(`${key}.${plural.select(n) === "one" ? "one" : "other"}`, { n: number(n) });
}

export const number = (n) => (n === null ? "–" : numbers.format(n));
export const share = (n) => (n === null ? "–" : shares.format(n));
export const day = (date) => date ?? "–";
export const title = (node) => (node.name ? say("named", { identity: node.identity, name: node.name }) : node.identity);

export function languageChooser(choose) {
  const options = Object.entries(LANGUAGES).map(([value, text]) => make("option", { value, lang: value }, text));
  $("#language").append(...options);
  $("#language").addEventListener("change", (event) => choose(event.target.value));
}
