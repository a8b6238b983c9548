import { $, make, settled } from "./dom.js";
import { say } from "./words.js";

/** The search box: a combobox with a list of what was found. look(text) answers {found, more}, open(company) goes there. */
export function searchBox({ look, open, fail }) {
  const [box, list] = [$("#search"), $("#found")];
  let [found, active, asked] = [[], -1, 0];

  const close = () => {
    list.hidden = true;
    box.ariaExpanded = "false";
    box.removeAttribute("aria-activedescendant");
    active = -1;
  };
  const choose = (company) => {
    close();
    box.value = "";
    open(company);
  };
  const point = (to) => {
    active = (to + found.length) % found.length;
    for (const [i, option] of [...list.querySelectorAll("[role=option]")].entries()) {
      option.ariaSelected = String(i === active);
      if (i === active) option.scrollIntoView({ block: "nearest" });
    }
    box.setAttribute("aria-activedescendant", `found-${active}`);
  };
  const search = async () => {
    const text = box.value.trim();
    const turn = ++asked;
    if (!text) return close();
    try {
      const answer = await look(text);
      if (turn !== asked || document.activeElement !== box) return;
      found = answer.found;
      const options = found.map((company, i) =>
        make(
          "li",
          { id: `found-${i}`, role: "option", ariaSelected: "false", onmousedown: () => choose(company) },
          make("img", { src: `/network/kinds/${company.kind}.svg`, alt: "" }),
          make("span", { className: "identity" }, company.identity),
          make("span", {}, company.name ?? ""),
          make("span", { className: "kind" }, say(`kind.${company.kind}`)),
        ),
      );
      const remark = found.length ? answer.more && "search.more" : "search.none";
      if (remark) options.push(make("li", { role: "presentation", className: "remark" }, say(remark)));
      list.replaceChildren(...options);
      list.hidden = false;
      box.ariaExpanded = "true";
      active = -1;
      $("#said").textContent = say(remark || "search.found", { n: found.length });
    } catch (error) {
      fail(error);
    }
  };
  const late = settled(search, 200);

  box.addEventListener("input", late);
  box.addEventListener("blur", close);
  box.addEventListener("keydown", async (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter") {
      if (list.hidden || active < 0) await search();
      if (found.length === 1 || active >= 0) choose(found[Math.max(active, 0)]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) await search();
      if (found.length) point(event.key === "ArrowDown" ? active + 1 : active < 0 ? -1 : active - 1);
    }
  });
}
