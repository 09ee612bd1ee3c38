// HTML in short, and a table that filters, sorts, is read in portions and downloads as CSV.

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function csv(columns, rows) {
  const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const line = (values) => values.map((value) => quoted(String(value ?? ""))).join(",");
  return [line(columns.map((column) => column.name)), ...rows.map((row) => line(columns.map((column) => column.value(row))))].join("\n") + "\n";
}

const PORTION = 100;

// columns: name (in the CSV), words (heading; none: in the CSV alone), value (for sorting and CSV), text (shown),
// number (right-aligned). order: {column, down}; changed(order, filter) is told what a reader chose.
function dataTable({ caption, columns, rows, file, order, filter, changed }) {
  const shown = columns.filter((column) => column.words);
  let most = PORTION, kept = [];
  const words = make("input", { type: "search", value: filter, oninput: () => { filter = words.value; most = PORTION; fill(); changed(order, filter); } });
  const count = make("span", { class: "count", role: "status" });
  const body = make("tbody"), more = make("button", { type: "button", onclick: () => { most += 5 * PORTION; fill(); } });
  const heads = shown.map((column) => make("th", { scope: "col", class: column.number ? "number" : "" },
    make("button", { type: "button", onclick: () => { order = { column: column.name, down: order.column === column.name && !order.down }; fill(); changed(order, filter); } }, column.words)));
  function fill() {
    const wanted = filter.toLowerCase().split(/\s+/).filter(Boolean);
    kept = rows.filter((row) => {
      const text = shown.map((column) => column.text(row)).join(" ").toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const by = columns.find((column) => column.name === order.column);
    if (by) kept = [...kept].sort((a, b) => compared(by.value(a), by.value(b)) * (order.down ? -1 : 1));
    heads.forEach((head, i) => head.setAttribute("aria-sort", shown[i] === by ? (order.down ? "descending" : "ascending") : "none"));
    body.replaceChildren(...kept.slice(0, most).map((row) => make("tr", {}, ...shown.map((column, i) =>
      make(i ? "td" : "th", { ...(i ? {} : { scope: "row" }), class: column.number ? "number" : "" }, column.text(row))))));
    count.textContent = `${kept.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    more.hidden = kept.length <= most;
    more.textContent = `Show more (${(kept.length - most).toLocaleString("en")} left)`;
  }
  const save = make("button", { type: "button", onclick: () => download(file, csv(columns, kept)) }, "Download these rows as CSV");
  fill();
  return make("div", { class: "data-table" },
    make("div", { class: "table-tools" }, make("label", {}, "Filter rows ", words), save, count),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${caption}, scrolls` },
      make("table", {}, make("caption", {}, caption), make("thead", {}, make("tr", {}, ...heads)), body)), more);
}

function compared(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}
