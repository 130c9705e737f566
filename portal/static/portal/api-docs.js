// A file of its own: the Content-Security-Policy allows no script inside the page.
const root = document.getElementById("api-docs");
window.SwaggerUIBundle({
  url: root.dataset.schema,
  domNode: root,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // A token typed here is forgotten with the page, and no outside validator is asked.
  persistAuthorization: false,
  validatorUrl: null,
});
