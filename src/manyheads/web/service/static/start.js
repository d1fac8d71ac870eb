// The page of a service: all of its models, each at an address of its own.
import { begin } from "/static/service/service.js";

begin({
  models: "/api/models",
  predict: ({ name }) => `/models/${encodeURIComponent(name)}/predict`,
  program: true,
  shown: ({ name }) => {
    document.title = `${name} – manyheads`;
    document.getElementById("title").textContent = name;
  },
});
