// Light or dark: the system's choice, unless somebody chose for this browser. Runs in the head, before the first paint.
(() => {
  "use strict";
  const KEY = "portal-theme";
  const root = document.documentElement;

  const chosen = () => {
    try { return localStorage.getItem(KEY) ?? "system"; } catch { return "system"; }   // storage may be forbidden
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  const keep = (theme) => {
    try {
      if (theme === "system") localStorage.removeItem(KEY); else localStorage.setItem(KEY, theme);
    } catch { /* then it holds for this page only */ }
  };
  const show = (theme) => {
    for (const button of document.querySelectorAll("[data-theme-choice] button"))
      button.setAttribute("aria-pressed", String(button.value === theme));
  };

  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    for (const box of document.querySelectorAll("[data-theme-choice]")) {
      box.hidden = false;
      box.addEventListener("click", ({ target }) => {
        const button = target.closest("button");
        if (!button) return;
        keep(button.value);
        apply(button.value);
        show(button.value);
      });
    }
    show(chosen());
  });
  // Another tab of the same browser.
  addEventListener("storage", ({ key }) => {
    if (key === KEY) { apply(chosen()); show(chosen()); }
  });
})();
