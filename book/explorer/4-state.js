// What a reader has chosen, kept in the address behind the #, so that a view can be linked.

const PLAIN = { view: "explore", q: "", group: "", metric: "", method: "", keep: 95, x: "share", a: "", b: "", sort: "", filter: "" };
const LISTS = ["task", "model", "methods"];
const KEEPS = { least: 50, most: 99.5, step: 0.5 };

// State from an address; what it does not say, or says of something that is not here, is as at first.
function readState(data, hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { ...PLAIN };
  for (const name of Object.keys(PLAIN)) if (said.has(name)) state[name] = said.get(name);
  for (const name of LISTS) state[name] = said.has(name) ? said.getAll(name).filter(Boolean) : null;
  if (!["explore", "compare"].includes(state.view)) state.view = PLAIN.view;
  if (!data.questions[state.q]) state.q = Object.keys(data.questions)[0];
  const question = data.questions[state.q], all = metricsOf(question);
  if (!all[state.metric]) state.metric = Object.keys(all)[0];
  if (!(state.group in question.groups)) state.group = Object.keys(question.groups)[0];
  state.keep = Math.min(KEEPS.most, Math.max(KEEPS.least, Number(state.keep) || PLAIN.keep));
  if (!["share", "number"].includes(state.x)) state.x = PLAIN.x;
  return state;
}

function writeState(data, state) {
  const said = new URLSearchParams(), question = data.questions[state.q];
  const first = { q: Object.keys(data.questions)[0], metric: Object.keys(metricsOf(question))[0], group: Object.keys(question.groups)[0] };
  for (const [name, plain] of Object.entries({ ...PLAIN, ...first })) if (String(state[name]) !== String(plain)) said.set(name, state[name]);
  for (const name of LISTS) if (state[name]) (state[name].length ? state[name] : [""]).forEach((value) => said.append(name, value));
  return said.toString();
}

// The metrics of a question by name, with those that are made of an accuracy: words, unit, kind.
function metricsOf(question) {
  const made = Object.entries(question.metrics).flatMap(([name, [words, unit]]) => {
    const plain = [[name, { of: name, words, unit, kind: null, lowest: name === "gini" }]];
    if (unit !== "percent" || name !== "accuracy" || !question.shares) return plain;
    return plain.concat(Object.entries(RELATIVE).map(([kind, r]) => [`${name}:${kind}`, { of: name, words: r.words, unit, kind, lowest: false }]));
  });
  return Object.fromEntries(made);
}

// The curves of a question with the chosen group and metric; relative ones where the metric is.
function chosenCurves(data, state) {
  const question = data.questions[state.q], metric = metricsOf(question)[state.metric];
  const curves = curvesOf(data, state.q).filter((curve) => curve.group === state.group && curve.metric === metric.of);
  if (!metric.kind) return curves;
  const known = metric.kind === "above" ? curves.filter((curve) => curve.cell.nulls.majority !== undefined) : curves;
  return known.map((curve) => relative(curve, metric.kind, data.quantiles));
}

const cellKey = (cell) => `${cell.task}|${cell.model}`;
