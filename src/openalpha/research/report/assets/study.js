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
  const named = (given) => given.title && { title: { standoff: 8, ...given.title, font: { size: 12.5, color: colour("soft") } } };
  /* Long names beside bars take several lines where there is little room. */
  const broken = (name) => name.replace(/(.{17,}?) /g, "$1<br>");
  /* Names of upright axes stand aslant where there is little room, so that they do not run together. */
  const aslant = (trace) => trace.type === "parcoords" && innerWidth < 620
    ? { ...trace, labelangle: -24, tickfont: { ...trace.tickfont, size: 9 }, rangefont: { ...trace.rangefont, size: 9 } } : trace;
  function draw() {
    for (const [id, figure] of Object.entries(data.figures)) {
      const layout = Object.assign({
        paper_bgcolor: colour("card"), plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
        font: { family: getComputedStyle(document.body).fontFamily, color: colour("ink") },
        margin: { l: 8, r: 8, t: figure.heading ? 26 : 10, b: 8 }, hoverlabel: {
          bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
      }, painted(figure.layout));
      if (figure.heading) layout.annotations = [...(layout.annotations || []), {
        text: figure.heading, x: 0, y: 1.005, xref: "paper", yref: "paper", xanchor: "left",
        yanchor: "bottom", showarrow: false, font: { size: 12.5, color: colour("soft") } }];
      for (const name of ["xaxis", "yaxis"]) layout[name] = { ...axis(), ...layout[name], ...named(layout[name] || {}) };
      if (layout.legend) layout.legend = { ...layout.legend, font: { size: 12.5, color: colour("soft") } };
      const isNarrow = innerWidth < 620;
      if (isNarrow) layout.dragmode = false;
      if (isNarrow && figure.data[0].orientation === "h") {
        const names = figure.data[0].y;
        Object.assign(layout.yaxis, { tickvals: names, ticktext: names.map(broken), tickfont: { ...layout.yaxis.tickfont, size: 10 } });
        Object.assign(layout.xaxis, { nticks: 4, tickangle: 0 });
      }
      if (isNarrow && figure.data[0].type === "parcoords") layout.margin = { l: 34, r: 64, t: 84, b: 20 };
      Plotly.react(id, painted(figure.data).map(aslant), layout, { displayModeBar: false, responsive: true });
    }
  }
  document.getElementById("theme").addEventListener("click", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", draw);
  addEventListener("afterprint", draw);
  draw();
});
