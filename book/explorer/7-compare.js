// The view of two cells side by side: which needs fewer dimensions, by how much, and whether that is decided.

function comparedCurves(data, state) {
  const there = present(data, state);
  const method = there.methods.includes(state.method) ? state.method : there.first[0];
  const curves = there.curves.filter((curve) => curve.method === method);
  const find = (key) => curves.find((curve) => cellKey(curve.cell) === key) || null;
  return { there, method, curves, pair: [find(state.a), find(state.b)] };
}

// A matrix of all cells; a press chooses or gives back one, a third takes the place of the second.
function matrix(data, state, words, curves, choose) {
  const keep = state.keep / 100, tasks = Object.keys(data.tasks).filter((t) => curves.some((c) => c.cell.task === t));
  const models = Object.keys(data.models).filter((m) => curves.some((c) => c.cell.model === m));
  const finds = new Map(findings(data, state, curves).map((found) => [cellKey(found.curve.cell), found]));
  const button = (task, model) => {
    const curve = curves.find((c) => c.cell.task === task && c.cell.model === model);
    if (!curve) return "–";
    const key = cellKey(curve.cell), found = finds.get(key);
    const value = !found ? "choose" : words.question.shares ? shareText(found.point.x) : `layer ${found.point.x}`;
    const mark = key === state.a ? "A " : key === state.b ? "B " : "";
    return make("button", { type: "button", "aria-pressed": String(Boolean(mark)), "data-cell": key,
      "aria-label": `${mark}${value}: ${words.cellWords(curve.cell)}`, onclick: () => choose(key) }, `${mark}${value}`);
  };
  const head = make("tr", {}, make("th", { scope: "col" }, "model"), ...tasks.map((task) => make("th", { scope: "col" }, data.tasks[task])));
  const rows = models.map((model) => make("tr", {}, make("th", { scope: "row" }, data.models[model][0]), ...tasks.map((task) => make("td", {}, button(task, model)))));
  const caption = finds.size ? `Choose two. ${keepWords(words, state)}` : "Choose two";
  return make("div", { class: "matrix" }, make("p", { id: "explorer-matrix" }, caption),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All models and tasks, scrolls" },
      make("table", { "aria-labelledby": "explorer-matrix" }, make("thead", {}, head), make("tbody", {}, ...rows))));
}

const COMPARED = [["#0072B2", "o", "-"], ["#D55E00", "s", "-"]];

function comparedLines(words, pair) {
  return pair.map((curve, i) => {
    const [colour, marker, dash] = COMPARED[i];
    return { words: `${"AB"[i]}: ${words.cellWords(curve.cell)}`, colour, marker, dash, points: drawnPoints(words.question, curve), cell: curve.cell };
  });
}

function decision(difference, digits, unit) {
  const said = (value) => `${value >= 0 ? "+" : "−"}${Math.abs(value).toLocaleString("en", { maximumFractionDigits: digits })}`;
  if (difference.low === null) return { text: `${said(difference.mean)}${unit}, without an interval`, decided: false, known: false };
  const decided = difference.low > 0 || difference.high < 0;
  return { text: `${said(difference.mean)}${unit}, 95 % interval ${said(difference.low)} to ${said(difference.high)} over ${difference.n} draws of the same seeds`, decided, known: true };
}

// The sentence: which needs fewer, by how much, is it decided?
function verdict(data, state, words, pair) {
  const found = findings(data, state, pair);
  if (found.length < 2) return make("p", {}, "The slider reads nothing off this metric; the differences stand below.");
  const [a, b] = found, names = pair.map((curve) => words.cellWords(curve.cell));
  const shares = words.question.shares;
  const need = (one, i) => (shares ? `${"AB"[i]} (${names[i]}) ${count(one.point.k)} of ${count(one.curve.cell.width)} (${shareText(one.point.x)})`
    : `${"AB"[i]} (${names[i]}) layer ${one.point.x} of ${one.curve.points.length}`);
  const reads = shares ? [["dimensions", (p) => p.k, 0, ""], ["share of the layer", (p) => 100 * p.x, 1, " points"]] : [["layers", (p) => p.x, 0, ""]];
  const items = reads.map(([what, read, digits, unit]) => {
    const difference = neededDifference(a, b, read, data.quantiles), said = decision(difference, digits, unit);
    const fewer = difference.mean === 0 ? "the same" : `${difference.mean < 0 ? "A" : "B"} needs less`;
    const verdictWords = !said.known ? "not decided: no draws to compare" : said.decided ? "decided" : difference.low === 0 && difference.high === 0 ? "a tie in every draw" : "not decided: the interval contains 0";
    return make("li", {}, `${what[0].toUpperCase()}${what.slice(1)}: ${fewer}; A less B ${said.text}; `, make("strong", {}, verdictWords), ".");
  });
  return make("div", { class: "answer" }, make("p", { class: "finding" }, `${keepWords(words, state)}: ${found.map(need).join("; ")}.`), make("ul", {}, ...items));
}

function differenceTable(words, diffs) {
  const pointsOf100 = (v) => (v === null ? "" : `${v >= 0 ? "+" : "−"}${words.isPercent ? Math.abs(100 * v).toFixed(1) : Math.abs(v).toFixed(3)}`);
  const shares = words.question.shares, unit = words.isPercent ? ", %" : "";
  const columns = [
    { name: shares ? "share" : "place", words: shares ? "share, %" : "layer", number: true, value: (r) => r.x, text: (r) => (shares ? `${Number((100 * r.x).toPrecision(4))}` : `${r.x}`) },
    { name: "features_a", words: "k of A", number: true, value: (r) => r.a.k, text: (r) => count(r.a.k) },
    { name: "features_b", words: "k of B", number: true, value: (r) => r.b.k, text: (r) => count(r.b.k) },
    { name: "a", words: `A${unit}`, number: true, value: (r) => r.a.mean, text: (r) => words.value(r.a.mean) },
    { name: "b", words: `B${unit}`, number: true, value: (r) => r.b.mean, text: (r) => words.value(r.b.mean) },
    { name: "difference", words: words.isPercent ? "A − B, points" : "A − B", number: true, value: (r) => r.mean, text: (r) => pointsOf100(r.mean) },
    { name: "low", words: "low", number: true, value: (r) => r.low, text: (r) => pointsOf100(r.low) },
    { name: "high", words: "high", number: true, value: (r) => r.high, text: (r) => pointsOf100(r.high) },
    { name: "differ", words: "differ", value: (r) => differ(r), text: (r) => differ(r) },
    { name: "interval", words: "interval", value: (r) => r.how, text: (r) => r.how },
  ];
  return { rows: diffs, columns };
}

const differ = (r) => (r.low === null ? "no interval" : r.low > 0 || r.high < 0 ? "yes" : "tie");

function comparedPanels(data, state, words, pair, diffs, width) {
  const how = axesFor(data, state, words), lines = comparedLines(words, pair);
  const columns = width > 620 ? 2 : 1, panelWidth = Math.floor((width - 16 * (columns - 1)) / columns);
  const both = panel({ title: words.metric.words, lines, levels: [], how, width: panelWidth, describe: lines.map((line) => line.words).join("; ") });
  if (!diffs.length) return [both];
  const points = diffs.map((d) => ({ ...d, k: d.a.k, n: null, label: d.a.label }));
  const line = { words: "A less B", colour: "#000000", marker: "D", dash: "-", points, cell: pair[0].cell };
  const difference = { ...how, x: (p) => p.x, log: words.question.shares, yWords: `A less B${words.isPercent ? ", points" : ""}`,
    xTick: words.question.shares ? (tick) => `${Number((100 * tick).toPrecision(2))}` : how.xTick,
    xWords: words.question.shares ? `${words.question.x} (%, log scale)` : how.xWords };
  return [both, panel({ title: "difference, A less B", lines: [line], levels: [{ value: 0, words: "no difference" }], how: difference, width: panelWidth, describe: "the difference at each place that both have" })];
}
