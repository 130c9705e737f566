// The colour that is being typed, on the whole page: its stylesheet is at an address that says the colour.
const field = document.querySelector("[name=brand_colour]");
const link = document.createElement("link");
link.rel = "stylesheet";
field?.addEventListener("input", () => {
  const colour = /^#([0-9a-f]{6})$/i.exec(field.value.trim());
  if (!colour) return;
  link.href = field.closest("[data-brand-url]").dataset.brandUrl.replace("000000", colour[1].toLowerCase());
  // Last among the stylesheets that set the colour, first among the rest.
  document.querySelector("link[href*='/base']").before(link);
});
