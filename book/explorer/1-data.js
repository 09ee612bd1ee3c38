// The data of the page made ready: curves with their points, intervals, and what is read off them.
// Its layout is that of diffred_core/staging/_explorer_data.py.

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Student's t interval of a mean; one value has none.
function tInterval(values, quantiles) {
  const n = values.length, centre = mean(values);
  if (n < 2 || n - 2 >= quantiles.length) return { mean: centre, low: null, high: null, n };
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (n - 1);
  const reach = quantiles[n - 2] * Math.sqrt(variance / n);
  return { mean: centre, low: centre - reach, high: centre + reach, n };
}

// Of two independent estimates, from the interval of each: MOVER (Zou and Donner 2008).
function differenceInterval(one, other) {
  const estimate = one.mean - other.mean;
  if ([one.low, one.high, other.low, other.high].includes(null)) return { mean: estimate, low: null, high: null };
  return {
    mean: estimate,
    low: estimate - Math.hypot(one.mean - one.low, other.high - other.mean),
    high: estimate + Math.hypot(one.high - one.mean, other.mean - other.low),
  };
}

function pointsOf(cell, curve, quantiles) {
  const [, , , places, values, lows, highs, counts] = curve;
  return places.map((place, i) => {
    const draws = Array.isArray(values[i]) ? values[i] : null;
    const given = lows && lows[i] !== null ? { low: lows[i], high: highs[i] } : null;
    const read = draws ? tInterval(draws, quantiles) : { mean: values[i], low: null, high: null, n: null };
    if (counts && counts[i] !== null) read.n = counts[i];
    const at = { x: cell.x[place], k: cell.k[place], label: cell.labels ? cell.labels[place] : "" };
    return { ...at, ...read, ...given, draws, given: Boolean(given) };
  });
}

// All curves of a question as objects: cell, group, method, metric, points.
function curvesOf(data, name) {
  const question = data.questions[name];
  if (question.curves) return question.curves;
  const names = ["groups", "methods", "metrics"].map((kind) => Object.keys(question[kind]));
  question.curves = question.cells.flatMap((cell) => cell.curves.map((curve) => ({
    cell, group: names[0][curve[0]], method: names[1][curve[1]], metric: names[2][curve[2]],
    points: pointsOf(cell, curve, data.quantiles),
  })));
  for (const curve of question.curves) curve.whole = wholeOf(question, curve);
  return question.curves;
}

// The value with everything: of all dimensions, else of the last point; of a similarity 1.
function wholeOf(question, curve) {
  const last = curve.points[curve.points.length - 1];
  if (!question.shares || last.x === 1) return last;
  const full = question.curves.find((other) => other.cell === curve.cell && other.group === curve.group
    && other.metric === curve.metric && other.method === "full");
  return full ? full.points[0] : { x: 1, k: curve.cell.width, mean: 1, low: null, high: null, draws: null, label: "" };
}

// Metrics that are made of an accuracy: what it is divided by, and what is taken off before.
const RELATIVE = {
  kept: { words: "share of the full accuracy kept", base: () => 0 },
  above: { words: "share kept, above the commonest class", base: (cell) => cell.nulls.majority },
};

function relative(curve, kind, quantiles) {
  const base = RELATIVE[kind].base(curve.cell), full = curve.whole.mean - base;
  const scale = (value) => (value === null ? null : (value - base) / full);
  const scaled = (point) => {
    const draws = point.draws ? point.draws.map(scale) : null;
    const ends = draws ? tInterval(draws, quantiles) : { low: scale(point.low), high: scale(point.high) };
    return { ...point, draws, mean: scale(point.mean), low: ends.low, high: ends.high, given: false };
  };
  return { ...curve, points: curve.points.map(scaled), whole: scaled(curve.whole) };
}

// The first point that reaches a share of the whole, and the whole where none does. The published definition of
// diffused redundancy: the mean over draws decides. Of single draws the interval is Student's.
function needed(curve, keep, quantiles) {
  const first = (read) => {
    const target = keep * curve.whole.mean - 1e-12;
    return curve.points.find((point) => read(point) >= target) || curve.whole;
  };
  const found = first((point) => point.mean);
  const counts = new Set(curve.points.filter((p) => p.x < 1).map((p) => (p.draws ? p.draws.length : 0)));
  const n = counts.size === 1 ? [...counts][0] : 0;
  const single = [...Array(n).keys()].map((i) => first((p) => (p.draws.length > i ? p.draws[i] : p.mean)));
  const drawn = n > 1 ? tInterval(single.map((point) => point.x), quantiles) : { mean: null, low: null, high: null };
  return { curve, point: found, single, drawn };
}

// A curve up to the whole layer, for drawing.
function drawnPoints(question, curve) {
  const last = curve.points[curve.points.length - 1];
  const ends = !question.shares || last.x === 1 || curve.points.length < 2 || curve.whole.k === null || curve.method.includes("null");
  return ends ? curve.points : [...curve.points, curve.whole];
}

// Differences of two curves where both have a point. Where both have single draws of the same seeds and no limits of
// their own, draw by draw; else from the interval of each.
function differences(one, other, quantiles) {
  const seeds = sharedSeeds(one, other);
  return one.points.flatMap((a) => {
    const b = other.points.find((point) => Math.abs(point.x - a.x) < 1e-9);
    if (!b) return [];
    const paired = !a.given && !b.given && a.draws && b.draws && seeds.length > 1
      && seeds.every(([i, j]) => a.draws.length > i && b.draws.length > j);
    const pairs = paired ? seeds.map(([i, j]) => a.draws[i] - b.draws[j]) : null;
    const read = paired ? tInterval(pairs, quantiles) : differenceInterval(a, b);
    return [{ x: a.x, a, b, ...read, how: paired ? `draw by draw, ${pairs.length} shared seeds` : "interval of each" }];
  });
}

function sharedSeeds(one, other) {
  return one.cell.seeds.flatMap((seed, i) => {
    const j = other.cell.seeds.indexOf(seed);
    return j < 0 ? [] : [[i, j]];
  });
}

// By how much two needs differ: over the draws of the same seeds, else as the two means over draws say.
function neededDifference(one, other, read, quantiles) {
  const estimate = read(one.point) - read(other.point);
  const seeds = sharedSeeds(one.curve, other.curve).filter(([i, j]) => i < one.single.length && j < other.single.length);
  if (seeds.length < 2) return { mean: estimate, low: null, high: null, n: 0 };
  return tInterval(seeds.map(([i, j]) => read(one.single[i]) - read(other.single[j])), quantiles);
}

const overlaps = (one, other) => one.low !== null && other.low !== null && one.low <= other.high && other.low <= one.high;

// Rows that tie with the best of their kind: intervals that overlap with its interval.
function markTies(rows, { of, lowest }) {
  const kinds = new Map();
  for (const row of rows) {
    const key = of(row), best = kinds.get(key);
    if (!best || (lowest ? row.mean < best.mean : row.mean > best.mean)) kinds.set(key, row);
  }
  for (const row of rows) {
    const best = kinds.get(of(row));
    row.tie = row === best ? "best" : overlaps(row, best) || row.mean === best.mean ? "ties" : row.low === null || best.low === null ? "" : "worse";
  }
}
