// Keeps what is on the page fresh. Without it everything works; one presses reload.
"use strict";
(() => {
  const EVERY_MS = 5000;
  const again = document.querySelector("[data-again]");
  if (again) setTimeout(() => location.reload(), 1000 * Number(again.dataset.again));

  const busy = (live) =>
    document.hidden || live.contains(document.activeElement) || live.querySelector("details.discard[open]");

  async function refresh() {
    const live = document.querySelector("[data-live]");
    if (!live || busy(live) || String(getSelection())) return;
    let answer;
    try {
      answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    } catch {
      return; // the hub is away for a moment
    }
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector(`[data-live="${live.dataset.live}"]`);
    if (!fresh || busy(live)) return;
    for (const open of live.querySelectorAll("details[open][data-key]")) {
      const same = fresh.querySelector(`details[data-key="${CSS.escape(open.dataset.key)}"]`);
      if (same) same.open = true;
    }
    live.replaceWith(fresh);
    document.title = page.title;
  }
  if (document.querySelector("[data-live]")) setInterval(refresh, EVERY_MS);

  // The button tells that it was pressed, and cannot be pressed twice.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    for (const button of event.target.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
    setTimeout(() => event.target.querySelectorAll("button").forEach((b) => (b.disabled = true)), 0);
  });
  addEventListener("pageshow", () => document.querySelectorAll("button[aria-disabled]").forEach((b) => {
    b.disabled = false;
    b.removeAttribute("aria-disabled");
  }));

  for (const field of document.querySelectorAll("form.days input, form.filters select, form.filters input[type=date]"))
    field.addEventListener("change", () => field.form.requestSubmit());
})();
