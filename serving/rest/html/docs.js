// Swagger UI without its bar: the document is the one of this service, wherever a proxy puts it.
"use strict";
window.ui = SwaggerUIBundle({
  url: new URL("../docs.json", document.currentScript.src).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
