// The answer: verdict, scale, the article highlighted, and what weighs most.

import { $, el, percent, say, side, signed, strongest, svg } from "./dom.js";

const LEVELS = 4; // steps of strength of a mark; the strongest word of the article is at the last

// What each reason to abstain means: when it holds, and when it does not.
const REASONS = {
  too_short: ["There is too little text to judge.", "Long enough"],
  not_english: ["It does not look like English.", "English"],
  unfamiliar: ["Its vocabulary is unlike anything the model learned from.", "Familiar vocabulary"],
  near_boundary: ["It is too close to call.", "Far enough from the boundary"],
};

export function showResult(explanation, title, invented, limits) {
  const { prediction, checks } = explanation;
  const abstains = prediction.label === "abstain";
  const headline = abstains
    ? "Better not to say"
    : prediction.label === "state"
      ? "Reads like state-controlled media"
      : "Reads like independent reporting";
  const holding = checks.filter((check) => check.holds);
  $("kicker").textContent = abstains ? "It abstains" : `Label: ${prediction.label}`;
  $("kicker").className = abstains ? "kicker" : `kicker ${prediction.label}`;
  $("verdict").textContent = headline;
  $("verdict-why").textContent = abstains
    ? `${holding.map((check) => REASONS[check.reason]?.[0] || check.reason).join(" ")} Forced to choose, it would say ${prediction.forced_label}.`
    : `The model puts the probability of state framing at ${percent(prediction.p_state)}, from ${prediction.words} words.`;
  $("scale").replaceChildren(...scale(prediction.p_state, limits));
  $("checks").replaceChildren(...checks.map(checkItem));
  $("invented").hidden = !invented;
  $("share").textContent = share(explanation);
  showArticle(explanation, title);
  showSentences(explanation);
  $("terms").replaceChildren(termTable(explanation));
  $("style").replaceChildren(styleTable(explanation));
  $("sum").replaceChildren(sumTable(explanation));
  $("unread").replaceChildren(...unread(explanation));
  $("ask").hidden = true;
  $("result").hidden = $("heaviest").hidden = $("notes").hidden = false;
  $("verdict").focus();
  $("result").scrollIntoView();
  say(`${headline}. Probability of state framing ${percent(prediction.p_state)}.`);
}

// The probability from 0 to 1, with the band in which the model abstains and the threshold between the labels.
function scale(p, limits) {
  const low = limits.abstain_low ?? 1,
    high = limits.abstain_high ?? 0,
    decision = limits.decision ?? 0.5;
  const at = (share) => `${share * 100}%`;
  const zone = (from, to, kind) =>
    svg("rect", { x: at(from), y: 30, width: at(Math.max(to - from, 0)), height: 22, class: kind });
  const band = low <= high ? [low, high] : [decision, decision];
  const hatch = svg(
    "pattern",
    { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { x1: 0, y1: 0, x2: 0, y2: 7, class: "hatch" }),
  );
  const anchor = p < 0.12 ? "start" : p > 0.88 ? "end" : "middle";
  const needle = svg(
    "svg",
    { x: at(p), y: 0, overflow: "visible", width: 1, height: 1 },
    svg("path", { d: "M-7 20h14L0 30zM-1.5 28h3v28h-3z", class: "needle" }),
    svg(
      "text",
      {
        x: anchor === "middle" ? 0 : anchor === "start" ? -8 : 8,
        y: 15,
        "text-anchor": anchor,
        class: "value",
      },
      percent(p),
    ),
  );
  const drawing = svg(
    "svg",
    { height: 62, role: "img", "aria-label": `Probability of state framing ${percent(p)}` },
    svg("defs", {}, hatch),
    zone(0, band[0], "zone-independent"),
    zone(band[1], 1, "zone-state"),
    zone(band[0], band[1], "zone-abstain"),
    svg("rect", { x: at(band[0]), y: 30, width: at(band[1] - band[0]), height: 22, fill: "url(#hatch)" }),
    svg("rect", { x: 0, y: 30, width: "100%", height: 22, class: "track" }),
    svg("line", { x1: at(decision), x2: at(decision), y1: 26, y2: 58, class: "decision" }),
    needle,
  );
  const words = el(
    "p",
    { class: "scale-words" },
    el("span", { class: "independent" }, "0 independent"),
    el("span", { class: "state" }, "state 1"),
  );
  const where = low <= high ? `Hatched, ${percent(low)} to ${percent(high)}: it abstains. ` : "";
  return [
    drawing,
    words,
    el(
      "p",
      { class: "hint" },
      `${where}Dashed line, ${percent(decision)}: from there on it would say state.`,
    ),
  ];
}

function checkItem(check) {
  const [bad, good] = REASONS[check.reason] || [check.reason, check.reason];
  const label = check.holds ? bad : `${good}.`;
  return el(
    "li",
    { class: check.holds ? "holds" : "" },
    el("span", { class: "sign", "aria-hidden": "true" }, check.holds ? "✕" : "✓"),
    el("span", {}, `${label} `, el("span", { class: "detail" }, check.detail)),
  );
}

// -- the article, highlighted ------------------------------------------------------------------------------------

function showArticle(explanation, title) {
  // offsets count characters as Python does; a JavaScript string counts UTF-16 units
  const characters = Array.from(explanation.text);
  const slice = (start, stop) => characters.slice(start, stop).join("");
  const most = strongest(explanation.words);
  const paragraphs = [];
  let at = 0,
    next = 0,
    sentence = 0;
  for (const line of explanation.text.split(/[\n\v\f\r\x85\u2028\u2029]/)) {
    const stop = at + Array.from(line).length;
    const paragraph = el(
      "p",
      !paragraphs.length && title && line.trim() === title ? { class: "headline" } : {},
    );
    let inside = null,
      quoted = null;
    for (; next < explanation.words.length && explanation.words[next].start < stop; next++) {
      const word = explanation.words[next];
      while (sentence < explanation.sentences.length && explanation.sentences[sentence].stop <= word.start)
        sentence++;
      const gap = slice(at, word.start);
      const id = `s${sentence}`;
      if (inside?.id !== id) {
        paragraph.append(gap);
        inside = el("span", { class: "sentence", id, tabindex: "-1" });
        paragraph.append(inside);
        quoted = null;
      } else if (word.quoted && quoted) quoted.append(gap);
      else inside.append(gap);
      if (word.quoted && !quoted) inside.append((quoted = el("q")));
      if (!word.quoted) quoted = null;
      (quoted || inside).append(marked(word, slice(word.start, word.stop), most));
      at = word.stop;
    }
    paragraph.append(slice(at, stop));
    if (line.trim()) paragraphs.push(paragraph);
    at = stop + 1;
  }
  $("article").replaceChildren(...paragraphs);
}

function marked(word, surface, most) {
  const hidden = word.kind === "name" || word.kind === "number";
  const shown = hidden ? el("span", { class: "masked" }, surface) : surface;
  const level = most ? Math.round((LEVELS * Math.abs(word.contribution)) / most) : 0;
  if (!level) return shown;
  return el(
    "mark",
    {
      class: `${word.contribution > 0 ? "s" : "i"} l${level}`,
      title: `${signed(word.contribution)} towards ${side(word.contribution)}`,
    },
    shown,
  );
}

function showSentences({ text, sentences }) {
  const characters = Array.from(text);
  const top = sentences
    .map((sentence, index) => ({ ...sentence, index }))
    .filter((s) => s.contribution)
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution))
    .slice(0, 5);
  $("sentences").replaceChildren(
    ...top.map((s) => {
      const towards = side(s.contribution);
      const button = el(
        "button",
        { type: "button" },
        el(
          "span",
          { class: `side ${towards}` },
          el("span", {}, `${s.contribution > 0 ? "▲" : "▽"} towards ${towards}`),
          el("span", {}, signed(s.contribution)),
        ),
        el("span", { class: "words" }, characters.slice(s.start, s.stop).join("")),
      );
      button.addEventListener("click", () => goTo($(`s${s.index}`)));
      return el("li", {}, button);
    }),
  );
  if (!top.length)
    $("sentences").append(el("li", { class: "hint" }, "None holds a word that the model knows."));
}

function goTo(sentence) {
  for (const old of document.querySelectorAll(".found")) old.classList.remove("found");
  sentence.classList.add("found");
  sentence.focus({ preventScroll: true });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  sentence.scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
}

// -- beside it -------------------------------------------------------------------------------------------------------

// A bar from the middle: to the right and filled for state, to the left and outlined for independent.
function bar(value, most) {
  const length = most ? (46 * Math.abs(value)) / most : 0;
  return el(
    "td",
    { class: "bar" },
    svg(
      "svg",
      { "aria-hidden": "true" },
      svg("rect", {
        x: `${value > 0 ? 50 : 50 - length}%`,
        y: 2,
        width: `${length}%`,
        height: 8,
        class: value > 0 ? "s" : "i",
      }),
      svg("line", { x1: "50%", x2: "50%", y1: 0, y2: 12, class: "zero" }),
    ),
  );
}

function barTable(caption, rows) {
  const most = strongest(rows);
  const body = rows.map((row) =>
    el(
      "tr",
      { class: row.total ? "total" : "" },
      el("th", { scope: "row" }, row.name, row.note ? el("span", { class: "voice" }, ` ${row.note}`) : ""),
      bar(row.contribution, most),
      el("td", { class: "number" }, signed(row.contribution)),
    ),
  );
  return el("table", {}, el("caption", {}, caption), el("tbody", {}, ...body));
}

const voice = (name) =>
  name
    .replace(/_quoted$/, ", quoted")
    .replace(/_reporter$/, "")
    .replaceAll("_", " ");

function termTable({ terms }) {
  if (!terms.length) return el("p", { class: "hint" }, "The model knows none of its words.");
  const times = (t) => `${t.field === "quoted" ? "quoted " : ""}${t.count > 1 ? `×${t.count}` : ""}`.trim();
  const rows = terms
    .slice(0, 10)
    .map((t) => ({ name: t.term, contribution: t.contribution, note: times(t) }));
  return barTable("Right, filled: towards state. Left, outlined: towards independent.", rows);
}

function styleTable({ style }) {
  if (!style.length) return el("p", { class: "hint" }, "This model weighs words alone.");
  const rows = style
    .slice(0, 8)
    .map((s) => ({ name: voice(s.measure), contribution: s.contribution, note: `×${s.count}` }));
  return barTable("Counted over the whole article, quoted speech apart; what is missing counts too.", rows);
}

const total = (items) => items.reduce((sum, item) => sum + item.contribution, 0);

// The marks show words alone: where the manner of writing carries more of the score, say so beside them.
function share({ terms, style }) {
  return `The marked words add ${signed(total(terms))} to the score, the manner of writing ${signed(total(style))}.`;
}

function sumTable({ prediction, bias, terms, style }) {
  return barTable("Below 0 it leans to independent, above to state; the probability is read off the sum.", [
    { name: "starting point", contribution: bias },
    { name: "words", contribution: total(terms) },
    { name: "manner of writing", contribution: total(style) },
    { name: "score", contribution: prediction.score, total: true },
  ]);
}

function unread({ removed, masked, quoted, words, prediction }) {
  const cleaned = removed.length
    ? el(
        "dl",
        {},
        ...removed.flatMap((r) => [el("dt", {}, r.rule.replaceAll("-", " ")), el("dd", {}, r.text)]),
      )
    : el("p", { class: "hint" }, "Nothing here named its outlet or its layout.");
  const times = new Map();
  for (const name of masked) times.set(name, (times.get(name) || 0) + 1);
  const chips = [...times]
    .slice(0, 30)
    .map(([name, n]) => el("li", {}, el("span", { class: "masked" }, name), n > 1 ? ` ×${n}` : ""));
  if (times.size > 30) chips.push(el("li", {}, `and ${times.size - 30} more`));
  const inQuotes = words.filter((word) => word.quoted && word.kind === "word").length;
  return [
    el("h3", {}, "Cleaned away before reading"),
    cleaned,
    el("h3", {}, "Names and numbers, hidden"),
    chips.length ? el("ul", { class: "chips" }, ...chips) : el("p", { class: "hint" }, "None."),
    el("h3", {}, "Quoted speech, weighed apart"),
    el(
      "p",
      { class: "hint" },
      quoted.length
        ? `${quoted.length} ${quoted.length === 1 ? "stretch" : "stretches"}, ${inQuotes} of ${prediction.words} words. What people say has weights of its own.`
        : "None.",
    ),
  ];
}
