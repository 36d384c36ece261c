"use strict";
(() => {
  const { config, charts } = JSON.parse(document.getElementById("charts").textContent);
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, config, tooltip: { offsetX: 12, offsetY: 12 } };
  const zoomStart = {};

  const draw = async (place) => {
    try {
      const { view } = await vegaEmbed(place, charts[place.dataset.chart], options);
      const frame = place.closest(".content");
      const controls = frame.querySelector(".controls");
      if (controls) addZoom(controls, view);
      place.dataset.drawn = "true";
    } catch (error) {
      place.textContent = "This chart could not be drawn. Its data are below.";
      console.error(error);
    }
  };

  // The selection `zoom` of the map: its ends in data space are the signals zoom_x and zoom_y, empty until somebody zooms.
  const addZoom = (controls, view) => {
    const start = { x: view.scale("x").domain(), y: view.scale("y").domain() };
    const scaled = ([low, high], factor) => {
      const middle = (low + high) / 2;
      const half = (high - low) / 2 / factor;
      return [middle - half, middle + half];
    };
    for (const button of controls.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        const factor = Number(button.dataset.zoom);
        for (const axis of ["x", "y"]) {
          view.signal(`zoom_${axis}`, factor ? scaled(view.scale(axis).domain(), factor) : start[axis]);
        }
        view.runAsync();
      });
    }
    controls.hidden = false;
  };

  // The same token in both columns of the passage, and its bits in words.
  const addReadout = (passage) => {
    const columns = [...passage.querySelectorAll(".surprise")].map((column) => [...column.querySelectorAll("span")]);
    const names = [...passage.querySelectorAll("h4")].map((title) => title.firstChild.textContent.trim());
    const readout = passage.parentElement.querySelector(".readout");
    let marked = [];
    const show = (event) => {
      const column = columns.find((spans) => spans.includes(event.target));
      if (!column) return;
      const index = column.indexOf(event.target);
      marked.forEach((span) => span.classList.remove("marked"));
      marked = columns.map((spans) => spans[index]);
      marked.forEach((span) => span.classList.add("marked"));
      const bits = marked.map((span, i) => `${names[i]} ${span.dataset.bits} bits`).join(", ");
      const word = event.target.textContent.trim() || "space";
      const unknown = event.target.classList.contains("unknown") ? " (unknown)" : "";
      readout.textContent = `“${word}”${unknown}: ${bits}`;
    };
    passage.addEventListener("pointerover", show);
    passage.addEventListener("click", show);
  };

  // In the preview of an artifact, a frame whose address is a blob, the browser does not follow a link within the page.
  document.querySelectorAll("nav a").forEach((link) => {
    link.addEventListener("click", (event) => {
      if (location.protocol === "file:" || location.protocol.startsWith("http")) return;
      event.preventDefault();
      document.getElementById(link.hash.slice(1)).scrollIntoView();
    });
  });
  document.querySelectorAll(".passage").forEach(addReadout);
  Promise.all([...document.querySelectorAll("[data-chart]")].map(draw)).then(() => {
    document.body.dataset.ready = "true";
  });
})();
