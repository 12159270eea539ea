// The model's honest figures: owners never seen, beside the random split that flatters.

import { $, decimals, el, svg } from "./dom.js";

const glyph = (...shapes) => svg("svg", { "aria-hidden": "true" }, ...shapes);

// One measure on an axis from 0 to 1: owners never seen with their interval, the random split as a ring.
function figureOf(name, unseen, random, interval) {
  const at = (value) => `${value * 100}%`;
  const drawing = svg(
    "svg",
    { height: 20, "aria-hidden": "true" },
    svg("line", { x1: 0, x2: "100%", y1: 10, y2: 10, class: "axis" }),
  );
  if (interval)
    drawing.append(
      svg("line", { x1: at(interval[0]), x2: at(interval[1]), y1: 10, y2: 10, class: "whisker" }),
    );
  if (random != null) drawing.append(svg("circle", { cx: at(random), cy: 10, r: 6, class: "ring" }));
  if (unseen != null) drawing.append(svg("circle", { cx: at(unseen), cy: 10, r: 6, class: "dot" }));
  const range = interval ? ` (${decimals(interval[0])} to ${decimals(interval[1])})` : "";
  return el(
    "div",
    { class: "figure" },
    el("h3", {}, name),
    drawing,
    el(
      "p",
      { class: "values" },
      el("span", {}, el("strong", {}, decimals(unseen)), `${range} on owners never seen`),
      el("span", {}, `${decimals(random)} random split`),
    ),
  );
}

function hundred(rate, random) {
  const wrong = Math.round(rate * 100);
  const dots = Array.from({ length: 100 }, (_, i) =>
    svg("circle", {
      cx: (i % 10) * 10 + 5,
      cy: Math.floor(i / 10) * 10 + 5,
      r: 3.6,
      class: i < wrong ? "wrong" : "right",
    }),
  );
  const contrast = random == null ? "" : ` On a random split it would look like ${Math.round(random * 100)}.`;
  return el(
    "div",
    { class: "figure hundred" },
    svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, ...dots),
    el(
      "p",
      {},
      el("strong", {}, `${wrong} in 100`),
      `articles of independent, non-Western outlets that it never saw are taken for state media.${contrast}`,
    ),
  );
}

export function showFigures({ name, version, metrics, training }) {
  $("edition").textContent = [
    `Model ${name} ${version}`,
    training?.last_date && `articles to ${training.last_date}`,
  ]
    .filter(Boolean)
    .join(" · ");
  const unseen = metrics?.protocols?.owner_disjoint,
    random = metrics?.protocols?.random;
  if (!unseen) {
    $("figures-body").replaceChildren(
      el(
        "p",
        { class: "hint" },
        "This model came without an evaluation: do not trust it further than you can check it.",
      ),
    );
    return;
  }
  const parts = [
    el(
      "p",
      {},
      "Measured on articles of owners it had never seen, which is your case unless you know better. A random split flatters: it rewards recognising an outlet.",
    ),
    el(
      "ul",
      { class: "key" },
      el(
        "li",
        {},
        glyph(
          svg("line", { x1: 0, x2: "100%", y1: 7, y2: 7, class: "whisker" }),
          svg("circle", { cx: "50%", cy: 7, r: 5, class: "dot" }),
        ),
        "owners never seen, with 95 % interval",
      ),
      el(
        "li",
        {},
        glyph(svg("circle", { cx: "50%", cy: 7, r: 5, class: "ring" })),
        "random split, the flattering contrast",
      ),
    ),
    figureOf("Right labels (macro-F1)", unseen.macro_f1, random?.macro_f1, unseen.ci95),
    figureOf("Right order (ROC AUC)", unseen.roc_auc, random?.roc_auc, unseen.roc_auc_ci95),
  ];
  if (unseen.false_state_rate_nonwest != null)
    parts.push(hundred(unseen.false_state_rate_nonwest, random?.false_state_rate_nonwest));
  if (unseen.answered != null && unseen.answered_macro_f1 != null) {
    parts.push(
      el(
        "p",
        { class: "hint" },
        `It answers ${Math.round(unseen.answered * 100)} in 100 such articles, and abstains on the rest; where it answers, macro-F1 is ${decimals(unseen.answered_macro_f1)}.`,
      ),
    );
  }
  $("figures-body").replaceChildren(...parts);
}
