// What the pages do beyond HTML: filters, live ages, arrow keys, tips, copying. Every page works without it.
"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // A moment in UTC becomes an age, which grows while the page is open: "5 min ago" stays true.
  const age = (seconds) => {
    if (seconds < -60) return "in the future";
    if (seconds < 60) return "just now";
    if (seconds < 5400) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
    return `${Math.floor(seconds / 86400)} days ago`;
  };
  const tellAges = () => {
    const now = Date.now() / 1000;
    for (const time of all("time[data-age]")) {
      time.textContent = age(now - Number(time.dataset.age));
      time.parentElement.hidden = false;
    }
  };

  // Filters: a text box (all words, any order) and a choice of tags over the same rows.
  const setUpFilter = (box) => {
    const rows = all(box.dataset.filter);
    const isCounted = rows.map((row) => !("step" in row.dataset));
    const total = isCounted.filter(Boolean).length;
    const names = rows.map((row) => row.dataset.name.toLowerCase());
    const tags = rows.map((row) => (row.dataset.tags || "").split(" "));
    const choices = all("[data-show]");
    const count = document.querySelector("[data-count-of]");
    const nothing = document.querySelector(".nothing");
    const apply = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = choices.find((choice) => choice.checked);
      const tag = chosen ? chosen.value : "all";
      let [shown, counted] = [0, 0];
      rows.forEach((row, i) => {
        const isShown = (tag === "all" || tags[i].includes(tag)) && words.every((word) => names[i].includes(word));
        row.hidden = !isShown;
        shown += isShown;
        counted += isShown && isCounted[i];
      });
      if (count) count.textContent = shown === rows.length ? "" : `${counted} of ${total}`;
      if (nothing) nothing.hidden = shown > 0;
    };
    box.addEventListener("input", apply);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { box.value = ""; apply(); }
    });
    for (const choice of choices) choice.addEventListener("change", apply);
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); box.focus(); }
    });
    box.closest(".filter").hidden = false;
    apply();
  };

  // One tab stop for a strip of cells; arrows move inside it.
  const setUpStrip = (strip) => {
    const cells = all("a", strip);
    cells.forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
    strip.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = cells.indexOf(document.activeElement);
      const next = cells[at + step];
      if (!step || at < 0 || !next) return;
      event.preventDefault();
      cells[at].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  };

  // The grid: one tab stop, arrows in two directions, a tip for the cell under the pointer or with the focus.
  const setUpGrid = (grid) => {
    const facts = window.e2eGrid || { builds: [], rows: [] };
    const tests = all("tr.t", grid);
    const rowOf = new Map(tests.map((row, i) => [row, i]));
    const target = (cell) => cell.querySelector("a") || cell;
    all("tbody a", grid).forEach((link, i) => { link.tabIndex = i ? -1 : 0; });

    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    grid.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      const cell = event.target.closest("tbody td");
      if (!move || !cell || event.ctrlKey || event.metaKey || event.altKey) return;
      let row = cell.parentElement;
      if (move[0]) {
        do { row = move[0] > 0 ? row.nextElementSibling : row.previousElementSibling; } while (row && row.hidden);
      }
      const next = row && row.cells[cell.cellIndex + move[1]];
      if (!next || next.tagName !== "TD") return;
      event.preventDefault();
      target(cell).tabIndex = -1;
      target(next).tabIndex = 0;
      target(next).focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
    });

    const tip = document.createElement("div");
    tip.className = "tip";
    tip.id = "tip";
    tip.setAttribute("role", "tooltip");
    tip.hidden = true;
    document.body.append(tip);
    const line = (tag, text) => {
      const element = document.createElement(tag);
      element.textContent = text;
      tip.append(element);
    };
    const show = (cell) => {
      const build = facts.builds[cell.cellIndex - 1];
      if (!build) return;
      const row = rowOf.get(cell.parentElement);
      const fact = row === undefined ? null : (facts.rows[row] || []).find((one) => one[0] === cell.cellIndex - 1);
      tip.replaceChildren();
      if (row === undefined) line("b", `Build ${build[3]}`);
      else line("b", fact ? `${fact[1]} in ${fact[2]}` : "not in this build");
      line("span", [build[1], build[2], build[0]].filter(Boolean).join(" · "));
      if (fact && fact[3]) line("code", fact[3]);
      tip.hidden = false;
      target(cell).setAttribute("aria-describedby", "tip");
      const at = cell.getBoundingClientRect();
      tip.style.left = "0";
      const size = tip.getBoundingClientRect();
      const below = at.bottom + 6 + size.height < innerHeight;
      tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
      tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - size.height - 6)}px`;
    };
    const hide = () => { tip.hidden = true; };
    const onCell = (event) => {
      const cell = event.target.closest("tbody td");
      if (cell) show(cell); else hide();
    };
    grid.addEventListener("pointerover", onCell);
    grid.addEventListener("focusin", onCell);
    grid.addEventListener("pointerleave", hide);
    grid.addEventListener("focusout", hide);
    grid.parentElement.addEventListener("scroll", hide, { passive: true });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    for (const keys of all(".keys")) keys.hidden = false;
  };

  // A link to a failed case opens it.
  const openTarget = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const element = id && document.getElementById(id);
    if (element && element.tagName === "DETAILS") { element.open = true; element.scrollIntoView({ block: "start" }); }
  };

  const setUpCopy = (button) => {
    if (!navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  };

  // When the buckets were read stands in one small file, so that a page changes only when what it shows does.
  const setUpRead = (place) => {
    const at = new Date(window.e2eRead * 1000);
    if (Number.isNaN(at.getTime())) return;
    const iso = at.toISOString();
    const time = place.querySelector("time");
    time.dateTime = iso;
    time.title = time.textContent = `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
    place.hidden = false;
  };

  all("[data-read]").forEach(setUpRead);
  tellAges();
  setInterval(tellAges, 30000);
  all("[data-filter]").forEach(setUpFilter);
  all("[data-roving]").forEach(setUpStrip);
  all("[data-grid]").forEach(setUpGrid);
  all("[data-copy]").forEach(setUpCopy);
  openTarget();
  addEventListener("hashchange", openTarget);
})();
