// The page: controls, the two views, and the state in the address.

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

function choice(label, name, options, state, change) {
  const box = make("select", { id: `explorer-${name}`, onchange: () => change({ [name]: box.value }) });
  for (const [value, words] of Object.entries(options)) box.append(make("option", { value, selected: String(state[name]) === value }, words));
  return make("label", { class: "choice" }, make("span", {}, label), box);
}

function swatch(colour, marker, dash) {
  const line = marker ? svg("path", { d: MARKS[marker] || MARKS.o, fill: "currentColor", transform: "translate(13,7)" }) : "";
  return svg("svg", { width: 26, height: 14, style: `color:${ink(colour)}`, "aria-hidden": "true" },
    svg("path", { d: "M1,7H25", stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": DASHES[dash] || "" }), line);
}

function checks(legend, name, options, ticked, change) {
  const boxes = options.map(([value, words, look]) => {
    const box = make("input", { type: "checkbox", name, value, checked: ticked.includes(value), onchange: () => change({ [name]: boxes.map((b) => b.box).filter((b) => b.checked).map((b) => b.value) }) });
    return { box, label: make("label", {}, box, ...(look ? [swatch(...look)] : []), make("span", {}, words)) };
  });
  const all = (on, words) => make("button", { type: "button", class: "small", "aria-label": `${legend}: ${words}`, onclick: () => change({ [name]: on ? null : [] }) }, words);
  return make("fieldset", {}, make("legend", {}, legend), ...(options.length > 3 ? [make("div", { class: "all-none" }, all(true, name === "methods" ? "as at first" : "all"), all(false, "none"))] : []),
    make("div", { class: "checks" }, ...boxes.map((b) => b.label)));
}

function slider(question, state, change) {
  const said = make("output", { for: "explorer-keep" }, `${state.keep} %`);
  const range = make("input", { type: "range", id: "explorer-keep", min: KEEPS.least, max: KEEPS.most, step: KEEPS.step, value: state.keep,
    oninput: () => { said.textContent = `${range.value} %`; change({ keep: Number(range.value) }); } });
  return make("label", { class: "choice slider" }, make("span", {}, ...question.keep.split("{}").flatMap((part, i) => (i ? [said, part] : [part]))), range);
}

function whichWords(there, chosen) {
  const of = (kind) => `${chosen[kind].filter((name) => there[kind].includes(name)).length} of ${there[kind].length} ${kind}`;
  return `Legend and choice: ${of("tasks")}, ${of("methods")}, ${of("models")}`;
}

function controls(data, state, there, chosen, change, isOpen) {
  const question = data.questions[state.q], titles = (of) => Object.fromEntries(Object.entries(of).map(([name, one]) => [name, one.words || one.title || one]));
  const compare = state.view === "compare";
  const view = make("div", { class: "views", role: "group", "aria-label": "View" }, ...[["explore", "Explore"], ["compare", "Compare two"]].map(([name, words]) =>
    make("button", { type: "button", "aria-pressed": String(state.view === name), "data-view": name, onclick: () => change({ view: name }) }, words)));
  const choices = [
    choice("Question", "q", titles(data.questions), state, (what) => change({ ...what, group: "", metric: "", methods: null, method: "", sort: "" })),
    choice("Metric", "metric", titles(metricsOf(question)), state, change),
    ...(Object.keys(question.groups).length > 1 ? [choice(Object.keys(question.groups)[0].includes("|") ? "Setting" : "Probe", "group", question.groups, state, change)] : []),
    ...(question.shares ? [choice("Axis", "x", { share: "share of the dimensions", number: "number of dimensions" }, state, change)] : []),
    ...(compare && there.methods.length > 1 ? [choice("Method", "method", Object.fromEntries(there.methods.map((m) => [m, question.methods[m][0]])), { method: there.methods.includes(state.method) ? state.method : there.first[0] }, change)] : []),
  ];
  const many = chosen.methods.length > 1, one = chosen.models.length === 1 && many;
  const look = (m) => (one ? question.methods[m].slice(1) : ["#767676", "", dashOf(question, chosen.methods, m)]);
  const lists = compare ? [] : [
    checks("Tasks", "task", there.tasks.map((task) => [task, data.tasks[task]]), chosen.tasks, change),
    checks("Methods", "methods", there.methods.map((m) => [m, question.methods[m][0], many && chosen.methods.includes(m) ? look(m) : null]), chosen.methods, change),
    checks("Models", "model", there.models.map((m) => [m, data.models[m][0], one ? null : [data.models[m][1], data.models[m][2], "-"]]), chosen.models, change),
  ];
  const form = make("form", { class: "controls", onsubmit: (event) => event.preventDefault() }, view, make("div", { class: "choices" }, ...choices, slider(question, state, change)));
  form.append(compare ? make("div", { class: "lists" }) : make("details", { class: "which", open: isOpen }, make("summary", {}, whichWords(there, chosen)), make("div", { class: "lists" }, ...lists)));
  return form;
}

function startExplorer(data, root) {
  let state = readState(data, location.hash), waiting = 0;
  const top = make("div"), answer = make("div", { class: "finds" }), charts = make("div", { class: "panels" }), tables = make("div");
  root.append(top, answer, charts, tables);
  const width = () => root.clientWidth;
  let isOpen = width() > 600;

  function change(what) {
    const before = state;
    state = readState(data, `#${writeState(data, { ...state, ...what })}`);
    history.replaceState(null, "", `#${writeState(data, state)}`);
    const onlySlider = Object.keys(what).join() === "keep";
    if (onlySlider) { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => draw(false)); return; }
    const focus = before.view === state.view ? focused() : `[data-view="${state.view}"]`;
    draw(true);
    if (focus && top.querySelector(focus)) top.querySelector(focus).focus();
  }

  // A control is made anew when something is chosen; who had the focus keeps it.
  function focused() {
    const at = document.activeElement;
    if (!at || !root.contains(at)) return null;
    if (at.id) return `#${at.id}`;
    if (at.dataset.cell) return `[data-cell="${CSS.escape(at.dataset.cell)}"]`;
    if (at.getAttribute("aria-label")) return `[aria-label="${CSS.escape(at.getAttribute("aria-label"))}"]`;
    return at.name ? `[name="${at.name}"][value="${CSS.escape(at.value)}"]` : null;
  }

  const remember = (order, filter) => {
    state = { ...state, sort: order.column ? `${order.down ? "-" : ""}${order.column}` : "", filter };
    history.replaceState(null, "", `#${writeState(data, state)}`);
  };
  const order = () => ({ column: state.sort.replace(/^-/, ""), down: state.sort.startsWith("-") });

  function draw(anew) {
    const there = present(data, state), chosen = selected(there, state), words = wordsFor(data, state);
    const which = top.querySelector(".which");
    if (which) isOpen = which.open;
    if (anew) top.replaceChildren(controls(data, state, there, chosen, change, isOpen));
    if (state.view === "compare") compareView(words);
    else exploreView(words, chosen);
  }

  function exploreView(words, chosen) {
    const finds = findings(data, state, chosen.curves);
    charts.replaceChildren(...(chosen.curves.length ? panels(data, state, words, chosen, finds, width()) : [make("p", { role: "status" }, "Nothing is chosen: tick a task, a model and a method.")]));
    const note = `Intervals: ${percentOf(data.level)}, over ${words.question.over}. Shares are read with the value of all dimensions taken as known.`;
    answer.replaceChildren();
    const values = valueTable(data, state, words, chosen.curves), found = neededTable(data, state, words, finds);
    const shared = { filter: state.filter, order: order(), changed: remember };
    tables.replaceChildren(make("p", { class: "note" }, note),
      ...(finds.length ? [make("h2", {}, keepWords(words, state)), dataTable({ ...shared, ...found, order: { column: "", down: false }, filter: "", changed: () => {}, caption: words.question.shares ? "Ringed in the charts. Intervals of the share are over draws; ties overlap with the best of their task" : "Ringed in the charts", file: `diffred-${state.q}-needed.csv` })] : []),
      make("h2", {}, "Every value"), dataTable({ ...shared, ...values, caption: `${sentence(words.metric.words)}; ties overlap with the best of their task and place`, file: `diffred-${state.q}.csv` }));
  }

  function compareView(words) {
    const { method, curves, pair } = comparedCurves(data, state);
    const choose = (key) => {
      if (key === state.a) change({ a: state.b, b: "" });
      else if (key === state.b) change({ b: "" });
      else if (!state.a) change({ a: key });
      else change({ b: key });
    };
    const grid = matrix(data, state, words, curves, choose);
    top.querySelector(".lists").replaceChildren(grid);
    answer.replaceChildren(); charts.replaceChildren(); tables.replaceChildren();
    if (!pair[0] || !pair[1]) { answer.append(make("p", { role: "status" }, `${pair[0] || pair[1] ? "One more" : "Choose two cells"}: press a number in the matrix.`)); return; }
    const diffs = differences(pair[0], pair[1], data.quantiles);
    answer.append(verdict(data, state, words, pair), make("p", { class: "note" }, compareNote(words, method), " ", ...pageLinks(words, pair)));
    charts.append(...comparedPanels(data, state, words, pair, diffs, width()));
    tables.append(dataTable({ ...differenceTable(words, diffs), caption: `A less B at each place that both have; ${words.method(method)}`, file: `diffred-${state.q}-compared.csv`, order: order(), filter: state.filter, changed: remember }));
  }

  const compareNote = (words, method) => `${sentence(words.method(method))}; ${words.metric.words}. A difference is taken draw by draw where both have draws of the same seeds and no interval of their own; `
    + "else it is made of the interval of each as if they were independent (MOVER), which on the same test rows is too wide, never too narrow. What is needed is compared by draws alone, with these test rows.";
  const pageLinks = (words, pair) => pair.filter((curve) => curve.cell.page).map((curve) => make("a", { href: curve.cell.page }, `Page of ${words.cellWords(curve.cell)}`)).flatMap((link) => [link, " "]);

  draw(true);
  window.addEventListener("hashchange", () => { state = readState(data, location.hash); draw(true); });
  let last = width();
  new ResizeObserver(() => { if (Math.abs(width() - last) > 8) { last = width(); draw(false); } }).observe(root);
}

(async () => {
  const root = document.getElementById("explorer"), packed = document.getElementById("explorer-data");
  if (!root || !packed || typeof DecompressionStream === "undefined") return;
  const data = await unpacked(packed.textContent);
  document.querySelectorAll(".explorer-static").forEach((part) => { part.hidden = true; });
  root.hidden = false;
  startExplorer(data, root);
})();
