// Curves as SVG, and a cursor on them for mouse and keyboard.

const SVG = "http://www.w3.org/2000/svg";
const DASHES = { "-": "", "--": "6 4", ":": "1.5 3", "-.": "7 3 1.5 3" };
const MARKS = {
  o: "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0Z", s: "M-2.7,-2.7h5.4v5.4h-5.4Z", "^": "M0,-3.6L3.4,2.6H-3.4Z",
  v: "M0,3.6L3.4,-2.6H-3.4Z", D: "M0,-3.8L3.8,0L0,3.8L-3.8,0Z", P: "M-1,-3.5h2v2.5h2.5v2h-2.5v2.5h-2v-2.5h-2.5v-2h2.5Z",
  X: "M-3.4,-2L-2,-3.4L0,-1.4L2,-3.4L3.4,-2L1.4,0L3.4,2L2,3.4L0,1.4L-2,3.4L-3.4,2L-1.4,0Z", p: "M0,-3.6L3.4,-1.1L2.1,2.9H-2.1L-3.4,-1.1Z",
};
const MOST_BANDS = 4; // more of them hide each other: bars then

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const ink = (colour) => (colour === "#000000" ? "currentColor" : colour);

function niceTicks(low, high, count) {
  const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function xScale(lines, how, left, right) {
  const all = lines.flatMap((line) => line.points.map(how.x)), low = Math.min(...all), high = Math.max(...all);
  if (!how.log) {
    const place = (x) => left + ((x - low) / (high - low || 1)) * (right - left);
    return { place, ticks: niceTicks(low, high, 6).filter((tick) => Number.isInteger(tick)) };
  }
  const place = (x) => left + (Math.log(x / low) / (Math.log(high / low) || 1)) * (right - left);
  const ticks = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000];
  return { place, ticks: ticks.filter((tick) => tick >= low * 0.99 && tick <= high * 1.01) };
}

// All means and levels have their place; an interval that reaches far beyond them is cut at the edge.
function yScale(lines, levels, top, bottom) {
  const points = lines.flatMap((line) => line.points), means = [...points.map((p) => p.mean), ...levels];
  const least = Math.min(...means), most = Math.max(...means), reach = (most - least) * 0.4 || Infinity;
  let low = Math.max(least - reach, Math.min(least, ...points.map((p) => p.low ?? p.mean)));
  let high = Math.min(most + reach, Math.max(most, ...points.map((p) => p.high ?? p.mean)));
  const gap = (high - low) * 0.05 || 0.5;
  low -= gap; high += gap;
  const place = (y) => Math.max(top, Math.min(bottom, bottom - ((y - low) / (high - low)) * (bottom - top)));
  return { place, ticks: niceTicks(low, high, 5), low, high };
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

function drawLine(line, how, sx, sy, banded) {
  const group = svg("g", { class: "line", style: `color:${ink(line.colour)}` });
  const at = line.points.map((p) => [sx.place(how.x(p)), sy.place(p.mean), p]);
  const known = at.filter(([, , p]) => p.low !== null);
  if (banded && known.length > 1) {
    const ends = [...known.map(([x, , p]) => [x, sy.place(p.high)]), ...known.reverse().map(([x, , p]) => [x, sy.place(p.low)])];
    group.append(svg("path", { d: `${path(ends)}Z`, fill: "currentColor", "fill-opacity": 0.16 }));
  } else {
    const bars = known.map(([x, , p]) => path([[x, sy.place(p.low)], [x, sy.place(p.high)]])).join("");
    group.append(svg("path", { d: bars, stroke: "currentColor", "stroke-opacity": 0.55 }));
  }
  if (at.length > 1) {
    group.append(svg("path", { d: path(at), fill: "none", stroke: "currentColor", "stroke-width": 1.7, "stroke-dasharray": DASHES[line.dash] }));
  }
  const mark = MARKS[line.marker] || (at.length < 2 ? MARKS.o : null);
  if (mark) for (const [x, y] of at) group.append(svg("path", { d: mark, fill: "currentColor", transform: `translate(${x.toFixed(1)},${y.toFixed(1)})` }));
  for (const point of line.marked || []) {
    group.append(svg("circle", { cx: sx.place(how.x(point)), cy: sy.place(point.mean), r: 7, fill: "none", stroke: "currentColor", "stroke-width": 2 }));
  }
  return group;
}

// A panel of lines {words, colour, marker, dash, points, marked}, with levels {value, words} across it.
// how: x (of a point), log, xTick, yTick, xWords, yWords, say (a point of a line, in words).
function panel({ title, lines, levels = [], how, width, describe }) {
  const height = Math.max(230, Math.min(320, width * 0.7)), left = 46, right = width - 12, top = 10, bottom = height - 42;
  const sx = xScale(lines, how, left, right), sy = yScale(lines, levels.map((level) => level.value), top, bottom);
  const canvas = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  for (const tick of sy.ticks) {
    const y = sy.place(tick);
    canvas.append(svg("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }), svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, how.yTick(tick)));
  }
  for (const tick of sx.ticks) {
    const x = sx.place(tick);
    canvas.append(svg("line", { class: "grid", x1: x, x2: x, y1: top, y2: bottom }), svg("text", { x, y: bottom + 16, "text-anchor": "middle" }, how.xTick(tick)));
  }
  canvas.append(svg("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, how.xWords));
  for (const level of levels) {
    const y = sy.place(level.value);
    canvas.append(svg("line", { class: "level", x1: left, x2: right, y1: y, y2: y }), svg("text", { class: "level-words", x: right, y: y - 4, "text-anchor": "end" }, level.words));
  }
  for (const line of lines) canvas.append(drawLine(line, how, sx, sy, lines.length <= MOST_BANDS));
  const cursor = svg("circle", { class: "cursor", r: 6, visibility: "hidden" });
  canvas.append(cursor);
  return withCursor({ title, lines, how, canvas, cursor, sx, sy, describe });
}

function withCursor({ title, lines, how, canvas, cursor, sx, sy, describe }) {
  const readout = make("p", { class: "readout" }, `${how.yWords}. Point at a curve, or use the arrow keys.`);
  const box = make("div", { class: "panel-box", tabindex: "0", role: "slider", "aria-label": `Chart, ${title}: ${describe}`, "aria-valuemin": 0,
    "aria-valuemax": Math.max(0, ...lines.map((line) => line.points.length - 1)), "aria-valuenow": 0, "aria-valuetext": "Left and right read the points of a curve, up and down change the curve" }, canvas);
  let l = 0, i = -1;
  const show = () => {
    const line = lines[l], point = line.points[i];
    cursor.setAttribute("cx", sx.place(how.x(point)));
    cursor.setAttribute("cy", sy.place(point.mean));
    cursor.setAttribute("visibility", "visible");
    readout.textContent = how.say(line, point);
    box.setAttribute("aria-valuenow", i);
    box.setAttribute("aria-valuetext", readout.textContent);
  };
  box.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!step || !lines.length) return;
    event.preventDefault();
    l = (l + step[0] + lines.length) % lines.length;
    i = Math.max(0, Math.min(lines[l].points.length - 1, i + step[1]));
    show();
  });
  canvas.addEventListener("pointermove", (event) => {
    const frame = canvas.getBoundingClientRect(), x = event.clientX - frame.left, y = event.clientY - frame.top;
    let nearest = Infinity;
    lines.forEach((line, a) => line.points.forEach((point, b) => {
      const far = Math.hypot(sx.place(how.x(point)) - x, sy.place(point.mean) - y);
      if (far < nearest) [nearest, l, i] = [far, a, b];
    }));
    if (nearest < Infinity) show();
  });
  return make("section", { class: "panel", style: `width:${canvas.getAttribute("width")}px` }, make("h2", {}, title), box, readout);
}
