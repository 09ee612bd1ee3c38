// Numbers, points and curves in words, the same in readouts, tables and sentences.

const number = (value, digits = 3) => (value === null ? "" : Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 6 }));
const percent = (value, digits = 1) => (value === null ? "" : (100 * value).toFixed(digits));
const count = (value) => (value === null ? "" : value.toLocaleString("en"));
const shareText = (value) => `${Number((100 * value).toPrecision(3))} %`;

function wordsFor(data, state) {
  const question = data.questions[state.q], metric = metricsOf(question)[state.metric];
  const isPercent = metric.unit === "percent";
  const value = (v) => (v === null ? "" : isPercent ? percent(v) : v.toFixed(Math.abs(v) < 10 ? 3 : 1));
  const unit = isPercent ? " %" : "";
  const interval = (p) => (p.low === null ? "no interval" : `${percentOf(data.level)} interval ${value(p.low)} to ${value(p.high)}`);
  const at = (point, cell) => (question.shares ? `${shareText(point.x)} (${count(point.k)} of ${count(cell.width)})` : `layer ${point.x}, ${point.label}`);
  const cellWords = (cell) => `${data.models[cell.model][0]} on ${data.tasks[cell.task]}`;
  const method = (name) => question.methods[name][0];
  return { question, metric, isPercent, value, unit, interval, at, cellWords, method };
}

const keepWords = (words, state) => words.question.keep.replace("{}", `${state.keep} %`);
const percentOf = (level) => `${100 * level} %`;

// How the axes of a panel are: by share or by number of dimensions, or by layer.
function axesFor(data, state, words) {
  const { question, value, unit, interval, at, metric } = words;
  const byNumber = state.x === "number";
  return {
    x: question.shares ? (point) => (byNumber ? point.k : point.x) : (point) => point.x,
    log: question.shares,
    xTick: question.shares && !byNumber ? (tick) => `${Number((100 * tick).toPrecision(2))}` : (tick) => count(tick),
    yTick: words.isPercent ? (tick) => `${Number((100 * tick).toPrecision(3))}` : (tick) => `${Number(tick.toPrecision(3))}`,
    xWords: question.shares ? `${question.x} (${byNumber ? "number" : "%"}, log scale)` : `${question.x}, in order of execution`,
    yWords: `${metric.words}${words.isPercent ? ", %" : ""}`,
    say: (line, p) => `${line.words}: ${at(p, line.cell)}: ${value(p.mean)}${unit} (${interval(p)}${p.n ? `, n = ${count(p.n)}` : ""})`,
  };
}
