// The view of many curves: a panel a task, what the slider finds, and the table of all points.

function present(data, state) {
  const curves = chosenCurves(data, state);
  const of = (read) => [...new Set(curves.map(read))];
  const methods = of((c) => c.method), question = data.questions[state.q];
  const inOrder = (names) => Object.keys(question.methods).filter((name) => names.includes(name));
  const first = methods.filter((name) => question.shown.includes(name));
  return {
    curves, tasks: Object.keys(data.tasks).filter((task) => of((c) => c.cell.task).includes(task)),
    models: Object.keys(data.models).filter((model) => of((c) => c.cell.model).includes(model)),
    methods: inOrder(methods), first: inOrder(first.length ? first : methods),
  };
}

function selected(there, state) {
  const tasks = state.task || there.tasks, models = state.model || there.models;
  const known = there.methods.filter((name) => (state.methods || there.first).includes(name));
  const methods = known.length || (state.methods && !state.methods.length) ? known : there.first;
  const curves = there.curves.filter((c) => tasks.includes(c.cell.task) && models.includes(c.cell.model) && methods.includes(c.method));
  const order = (c) => there.models.indexOf(c.cell.model) * there.methods.length + there.methods.indexOf(c.method);
  curves.sort((a, b) => order(a) - order(b));
  return { tasks, models, methods, curves };
}

// The dash of a method among several models: its own where it has one, such as a null, else the next that is free.
function dashOf(question, methods, name) {
  const own = question.methods[name][3], plain = methods.filter((method) => question.methods[method][3] === "-");
  return own === "-" ? Object.keys(DASHES)[Math.max(0, plain.indexOf(name)) % 4] : own;
}

// One colour a model everywhere; where one model is shown, a colour a method.
function styledLine(data, words, curve, models, methods) {
  const [model, colour, marker] = data.models[curve.cell.model], [method, ownColour, ownMarker, ownDash] = words.question.methods[curve.method];
  const one = models.length === 1 && methods.length > 1;
  const look = one ? { colour: ownColour, marker: ownMarker, dash: ownDash } : { colour, marker: ownMarker && marker, dash: dashOf(words.question, methods, curve.method) };
  const name = methods.length > 1 ? `${model}, ${method}` : model;
  return { ...look, words: name, points: drawnPoints(words.question, curve), cell: curve.cell };
}

function nullLevels(data, state, words, cells) {
  if (words.metric.of !== "accuracy" && words.metric.of !== "balanced_accuracy" || words.metric.kind) return [];
  const group = state.group.split("|");
  if (group.length === 3) return [{ value: 1 / Number(group[2]), words: "a guess" }];
  const nulls = cells[0].nulls;
  if (words.metric.of === "balanced_accuracy") return nulls.chance === undefined ? [] : [{ value: nulls.chance, words: "always one class" }];
  return nulls.majority === undefined ? [] : [{ value: nulls.majority, words: "always the commonest class" }];
}

function panels(data, state, words, chosen, finds, width) {
  const axes = axesFor(data, state, words), columns = width > 1000 ? 3 : width > 620 ? 2 : 1;
  const panelWidth = Math.floor((width - 16 * (columns - 1)) / columns);
  const tasks = chosen.tasks.filter((task) => chosen.curves.some((curve) => curve.cell.task === task));
  return tasks.map((task) => {
    const curves = chosen.curves.filter((curve) => curve.cell.task === task);
    const lines = curves.map((curve) => {
      const found = finds.find((one) => one.curve === curve);
      return { ...styledLine(data, words, curve, chosen.models, chosen.methods), marked: found ? [found.point] : [] };
    });
    const levels = nullLevels(data, state, words, curves.map((curve) => curve.cell));
    if (words.metric.kind) levels.push({ value: state.keep / 100, words: `${state.keep} %` });
    const describe = `${lines.length} curves of ${words.metric.words} against ${words.question.x}; the table below has every value`;
    return panel({ title: data.tasks[task], lines, levels, how: axes, width: panelWidth, describe });
  });
}

// What the slider finds: no answer for a null, or for a method without a curve.
function findings(data, state, curves) {
  const metric = metricsOf(data.questions[state.q])[state.metric];
  if (metric.lowest || (metric.unit !== "percent" && state.q !== "similarity")) return [];
  return curves.filter((c) => c.points.length > 2 && !c.method.includes("null")).map((curve) => needed(curve, state.keep / 100, data.quantiles));
}

function neededTable(data, state, words, finds) {
  const rows = finds.map((found) => ({ ...found, mean: found.point.x, low: found.drawn.low, high: found.drawn.high, cell: found.curve.cell }));
  markTies(rows, { of: (row) => `${row.cell.task}|${row.curve.method}`, lowest: true });
  const shares = words.question.shares, drawn = shares && rows.some((row) => row.low !== null);
  const columns = [
    { name: "model", words: "model", value: (r) => data.models[r.cell.model][0], text: (r) => data.models[r.cell.model][0] },
    { name: "task", words: "task", value: (r) => data.tasks[r.cell.task], text: (r) => data.tasks[r.cell.task] },
    { name: "method", words: "method", value: (r) => words.method(r.curve.method), text: (r) => words.method(r.curve.method) },
    shares ? { name: "features", words: "k", number: true, value: (r) => r.point.k, text: (r) => count(r.point.k) }
      : { name: "layer", words: "layer", value: (r) => r.point.label, text: (r) => `${r.point.label} (${r.point.x})` },
    { name: "width", words: shares ? "of" : "width", number: true, value: (r) => (shares ? r.cell.width : r.point.k), text: (r) => count(shares ? r.cell.width : r.point.k) },
    ...(shares ? [{ name: "share", words: "share, %", number: true, value: (r) => r.mean, text: (r) => percent(r.mean) }] : []),
    ...(drawn ? [{ name: "mean_of_draws", words: "mean of draws, %", number: true, value: (r) => r.drawn.mean, text: (r) => percent(r.drawn.mean) },
      { name: "low", words: "low", number: true, value: (r) => r.low, text: (r) => percent(r.low) },
      { name: "high", words: "high", number: true, value: (r) => r.high, text: (r) => percent(r.high) }] : []),
    { name: "value", words: `${words.metric.words}${words.isPercent ? ", %" : ""}`, number: true, value: (r) => r.point.mean, text: (r) => words.value(r.point.mean) },
    ...(drawn ? [{ name: "fewest", words: "fewest", value: (r) => r.tie, text: (r) => TIES[r.tie] }] : []),
  ];
  return { rows, columns };
}

const TIES = { best: "best", ties: "ties with best", worse: "no", "": "no interval" };

function valueTable(data, state, words, curves) {
  const rows = curves.flatMap((curve) => curve.points.map((point) => ({ ...point, curve, cell: curve.cell })));
  markTies(rows, { of: (row) => `${row.cell.task}|${row.x}`, lowest: words.metric.lowest });
  const shares = words.question.shares, plain = (name, heading, read) => ({ name, words: heading, value: read, text: (row) => String(read(row) ?? "") });
  const columns = [
    plain("model", "model", (r) => data.models[r.cell.model][0]), plain("task", "task", (r) => data.tasks[r.cell.task]),
    plain("method", "method", (r) => words.method(r.curve.method)),
    shares ? { name: "share", words: "share, %", number: true, value: (r) => r.x, text: (r) => `${Number((100 * r.x).toPrecision(4))}` }
      : { name: "place", words: "layer", number: true, value: (r) => r.x, text: (r) => `${r.x}` },
    ...(shares ? [] : [plain("layer", "name", (r) => r.label)]),
    { name: "features", words: shares ? "k" : "width", number: true, value: (r) => r.k, text: (r) => count(r.k) },
    ...["mean", "low", "high"].map((name) => ({ name, words: name === "mean" ? `${words.metric.words}${words.isPercent ? ", %" : ""}` : name, number: true, value: (r) => r[name], text: (r) => words.value(r[name]) })),
    { name: "n", words: "n", number: true, value: (r) => r.n, text: (r) => count(r.n) },
    { name: "best", words: "best here", value: (r) => r.tie, text: (r) => TIES[r.tie] },
    { name: "exact_model", value: (r) => r.cell.model }, { name: "exact_task", value: (r) => r.cell.task }, { name: "exact_method", value: (r) => r.curve.method },
    { name: "setting", value: () => state.group }, { name: "metric", value: () => state.metric }, { name: "layer_width", value: (r) => r.cell.width },
  ];
  return { rows, columns };
}
