/* The search page shows sections, not only pages: under each page that was found stand the sections of it that say
   most of what was asked, each with the words around it. Code, formulas and what cells print are not excerpted. */
"use strict";

(() => {
  const MOST = 3; // sections of a page
  const AROUND = 110; // characters before and after the first word
  const NO_PROSE = ".headerlink, script, style, pre, div.math, .cell_output, .cell_input, details";

  /** The text of a section itself, without those inside it. */
  const ownText = (section) => {
    const copy = section.cloneNode(true);
    copy.querySelectorAll(`section, ${NO_PROSE}`).forEach((e) => e.remove());
    copy.querySelectorAll(".math").forEach((e) => e.replaceWith("…"));
    return copy.textContent.replace(/\s+/g, " ").trim();
  };

  const count = (text, word) => text.split(word).length - 1;

  /** [{ id, title, text, at, found, often }], the best first: those with the most of the words, then most often. */
  const sections = (page, words) =>
    [...page.querySelectorAll('[role="main"] section[id]')]
      .map((section) => {
        const heading = section.querySelector(":scope > :is(h1, h2, h3, h4)");
        heading?.querySelectorAll(".headerlink").forEach((e) => e.remove());
        const title = heading?.textContent.trim() ?? "";
        const text = ownText(section).replace(title, "").trim();
        const low = text.toLowerCase(), high = title.toLowerCase();
        const found = words.filter((word) => low.includes(word) || high.includes(word));
        const often = found.reduce((sum, word) => sum + count(low, word) + 5 * count(high, word), 0);
        const at = Math.max(0, Math.min(...found.map((word) => low.indexOf(word)).filter((i) => i >= 0), low.length));
        return { id: section.id, title, text, at: at === low.length ? 0 : at, found: found.length, often };
      })
      .filter((section) => section.found)
      .sort((a, b) => b.found - a.found || b.often - a.often);

  const excerpt = ({ text, at }) => {
    const from = at > AROUND ? text.indexOf(" ", at - AROUND) + 1 : 0;
    const end = at + AROUND < text.length ? text.lastIndexOf(" ", at + AROUND) : text.length;
    return (from ? "… " : "") + text.slice(from, end) + (end < text.length ? " …" : "");
  };

  Search.makeSearchSummary = (html, keywords, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const words = [...keywords].map((word) => word.toLowerCase());
    const all = sections(page, words);
    const best = anchor ? all.filter(({ id }) => `#${id}` === anchor) : all.filter(({ found }) => found === all[0].found);
    const list = document.createElement("ul");
    list.className = "book-sections";
    for (const section of best.slice(0, MOST)) {
      const item = list.appendChild(document.createElement("li"));
      if (!anchor) {
        const link = item.appendChild(document.createElement("a"));
        link.dataset.section = section.id;
        link.textContent = section.title;
      }
      const words_ = item.appendChild(document.createElement("p"));
      words_.className = "context";
      words_.textContent = excerpt(section);
    }
    // The page's own link stands beside the list as soon as this function has returned.
    queueMicrotask(() => {
      const href = list.parentElement?.querySelector("a")?.getAttribute("href");
      list.querySelectorAll("a[data-section]").forEach((a) => a.setAttribute("href", `${href}#${a.dataset.section}`));
    });
    return best.length ? list : null;
  };
})();
