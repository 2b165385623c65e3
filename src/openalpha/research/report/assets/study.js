/* Draws the charts of a study. Colours of a figure are names of the page's own ("@gain", "@soft"):
   the theme decides what they are. */
unpacked.then((data) => {
  "use strict";
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const painted = (item) => {
    if (Array.isArray(item)) return item.map(painted);
    if (item && typeof item === "object") {
      return Object.fromEntries(Object.entries(item).map(([k, v]) => [k, painted(v)]));
    }
    return typeof item === "string" && item.startsWith("@") ? colour(item.slice(1)) : item;
  };
  const axis = () => ({
    gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("line"),
    tickfont: { color: colour("muted"), size: 12 }, automargin: true,
  });
  function draw() {
    for (const [id, figure] of Object.entries(data.figures)) {
      const layout = Object.assign({
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
        font: { family: getComputedStyle(document.body).fontFamily, color: colour("ink") },
        margin: { l: 8, r: 8, t: figure.heading ? 26 : 10, b: 8 }, hoverlabel: {
          bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
      }, painted(figure.layout));
      if (figure.heading) layout.annotations = [...(layout.annotations || []), {
        text: figure.heading, x: 0, y: 1.005, xref: "paper", yref: "paper", xanchor: "left",
        yanchor: "bottom", showarrow: false, font: { size: 12.5, color: colour("soft") } }];
      for (const name of ["xaxis", "yaxis"]) layout[name] = Object.assign(axis(), layout[name]);
      if (innerWidth < 620) layout.dragmode = false;
      Plotly.react(id, painted(figure.data), layout, { displayModeBar: false, responsive: true });
    }
  }
  document.getElementById("theme").addEventListener("click", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", draw);
  addEventListener("afterprint", draw);
  draw();
});
