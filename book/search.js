// The order of what the search finds: the pages to read first stand first, those of single models and tasks after
// their overviews, the API last. Sphinx puts this script before its own search, in place of its weights.

const FIRST = ["results/summary", "start/how-to-read", "index", "explorer"];
const REFERENCE = /^(back\/(api|grid-status|provenance|changelog|bibliography|benchmarks)|genindex|py-modindex)/;

// Each step is more than any word of a page is worth.
function place(page) {
  const early = FIRST.indexOf(page);
  if (early >= 0) return 700 - 10 * early;
  if (REFERENCE.test(page)) return 100;
  if (!page.startsWith("results/")) return 500;
  if (page.split("/").length > 2) return 200;
  const isOverview = Search._index.docnames.some((name) => name.startsWith(`${page}/`));
  return isOverview ? 300 : 600; // a page of all models and tasks has none below it
}

// What is written like a name of code is looked for in the API.
const isName = (words) => /[_.]/.test(words);
const last = (name) => name.split(".").pop();

var Scorer = {
  score: ([page, title, , described, score]) => {
    const words = (new URLSearchParams(location.search).get("q") || "").trim();
    const isEntry = described && isName(words) && last(title) === last(words);
    return score + (isEntry ? 1000 : place(page));
  },
  // as Sphinx has them
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// A page that was opened as a file may not read others to quote them.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
