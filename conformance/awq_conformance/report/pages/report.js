"use strict";
const of = id => document.getElementById(id);
const text = of("text"), verdict = of("verdict"), requirement = of("requirement"), expand = of("expand");
const cases = Array.from(document.querySelectorAll("details.case"), element => ({
  element,
  words: element.textContent.toLowerCase(),
  requirements: element.dataset.requirements.split(" "),
}));

function matches({element, words, requirements}) {
  const {failed, consequence} = element.dataset;
  const kinds = {"": true, failed: failed === "yes", causes: failed === "yes" && consequence === "no"};
  return (kinds[verdict.value] ?? element.dataset.verdict === verdict.value)
    && (!requirement.value || requirements.includes(requirement.value))
    && text.value.toLowerCase().split(/\s+/).every(word => words.includes(word));
}

function filter() {
  let count = 0;
  for (const one of cases) {
    one.element.hidden = !matches(one);
    count += !one.element.hidden;
  }
  of("shown").textContent = `${count} of ${cases.length} cases`;
  const sentence = requirement.value && of(requirement.value)?.querySelector(".sentence");
  of("sentence").hidden = !sentence;
  of("sentence").replaceChildren(...(sentence ? sentence.cloneNode(true).childNodes : []));
}

function expandAll(open) {
  for (const {element} of cases) if (!element.hidden) element.open = open;
  expand.setAttribute("aria-pressed", String(open));
  expand.textContent = open ? "Collapse all" : "Expand all";
}

function follow() {
  const element = location.hash.length > 1 && of(decodeURIComponent(location.hash.slice(1)));
  if (!element || !element.matches("details.case")) return;
  element.hidden = false;
  element.open = true;
  element.scrollIntoView();
  element.querySelector("summary").focus({preventScroll: true});
}

of("filter").hidden = false;
text.addEventListener("input", filter);
for (const list of [verdict, requirement]) list.addEventListener("change", filter);
expand.addEventListener("click", () => expandAll(expand.getAttribute("aria-pressed") !== "true"));
for (const cell of document.querySelectorAll(".cells a")) cell.addEventListener("click", event => {
  event.preventDefault();
  [requirement.value, verdict.value, text.value] = [cell.dataset.requirement, "", ""];
  filter();
  of("cases").scrollIntoView();
  requirement.focus({preventScroll: true});
});
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => expandAll(true));
addEventListener("afterprint", () => expandAll(false));
filter();
follow();
