/* Draws the charts of a report. Everything it needs is in the page; it asks nobody for anything. */
unpacked.then((data) => {
  "use strict";
  const root = document.documentElement;
  const wantsDark = matchMedia("(prefers-color-scheme: dark)");
  const isNarrow = () => innerWidth < 620;
  const colour = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const wash = (hex, share) => {
    const part = (at) => parseInt(hex.slice(at, at + 2), 16);
    return `rgba(${part(1)},${part(3)},${part(5)},${share})`;
  };
  const config = () => ({ displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: "reset" });

  function base(extra) {
    const axis = {
      gridcolor: colour("grid"), linecolor: colour("line"), zerolinecolor: colour("line"),
      tickcolor: colour("line"), tickfont: { color: colour("muted"), size: 12 }, automargin: true,
      fixedrange: isNarrow(),
    };
    return {
      axis,
      layout: Object.assign({
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: colour("ink") },
        margin: { l: 8, r: 8, t: 8, b: 8 }, hovermode: "x unified", showlegend: false,
        dragmode: isNarrow() ? false : "zoom",
        hoverlabel: {
          bgcolor: colour("card"), bordercolor: colour("line"), align: "left",
          font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: colour("ink") },
        },
      }, extra),
    };
  }

  const timeAxis = (axis) => Object.assign({}, axis, {
    type: "date", showgrid: false, showline: true, ticks: "outside", ticklen: 4, nticks: isNarrow() ? 4 : 9,
    title: { text: "UTC", font: { size: 12, color: colour("muted") }, standoff: 2 },
    hoverformat: "%Y-%m-%d %H:%M UTC", showspikes: true, spikemode: "across", spikethickness: 1,
    spikedash: "solid", spikecolor: colour("line"), spikesnap: "cursor",
    tickformatstops: [
      { dtickrange: [null, 86400000], value: "%H:%M\n%-d %b %Y" },
      { dtickrange: [86400000, "M1"], value: "%-d %b\n%Y" },
      { dtickrange: ["M1", "M12"], value: "%b\n%Y" },
      { dtickrange: ["M12", null], value: "%Y" },
    ],
  });
  const heading = (text, y, x = 0) => ({
    text, x, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false,
    font: { size: 12.5, color: colour("soft") },
  });
  const key = (name, tone) => `<span style="color:${colour(tone)}">━</span> ${name}`;

  let isHeld = true;
  function drawCurve() {
    const c = data.curve;
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 26, b: 8 } });
    const line = (name, x, y, tone, more) => Object.assign({
      type: "scatter", mode: "lines", name, x, y, line: { color: colour(tone), width: 1.6 },
    }, more);
    Object.assign(layout, {
      xaxis: Object.assign(timeAxis(axis), { anchor: "y3", range: [c.t[0], c.t[c.t.length - 1]] }),
      yaxis: Object.assign({}, axis, { domain: [0.5, 1], tickformat: ",.6~r", zeroline: false }),
      yaxis2: Object.assign({}, axis, { domain: [0.23, 0.41], ticksuffix: " %", rangemode: "tozero", nticks: 4 }),
      yaxis3: Object.assign({}, axis, { domain: [0, 0.13], ticksuffix: "×", rangemode: "tozero", nticks: 3 }),
      annotations: [
        heading(`Equity, ${c.currency}   ${key("strategy", "gain")}   ${key(isNarrow() ? "buy and hold" : "buy and hold, before costs", "bench")}`, 1.005),
        heading(isNarrow() ? "Drawdown, % below the high" : "Drawdown, % below the highest equity so far", 0.42),
        heading("Exposure, gross, multiples of equity", 0.14),
      ],
    });
    Plotly.react("curve", [
      line("buy and hold", c.t, c.benchmark, "bench", { visible: isHeld, line: { color: colour("bench"), width: 1.2 }, hovertemplate: `%{y:,.2f} ${c.currency}` }),
      line("strategy", c.t, c.equity, "gain", { hovertemplate: `%{y:,.2f} ${c.currency}` }),
      line("drawdown", c.t_drawdown, c.drawdown, "loss", { yaxis: "y2", fill: "tozeroy", fillcolor: wash(colour("loss"), 0.16), line: { color: colour("loss"), width: 1 }, hovertemplate: "%{y:.2f} %" }),
      line("exposure", c.t_exposure, c.exposure, "soft", { yaxis: "y3", fill: "tozeroy", fillcolor: wash(colour("soft"), 0.14), line: { color: colour("soft"), width: 0.8, shape: "hv" }, hovertemplate: "%{y:.2f}×" }),
    ], layout, config());
  }

  function drawHistogram(place, counted, words, unit) {
    const h = data[place];
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 22, b: 30 }, hovermode: "closest", bargap: 0.08 });
    Object.assign(layout, {
      xaxis: Object.assign({}, axis, { showgrid: false, showline: true, zeroline: true, tickformat: ",.4~r", title: { text: words, font: { size: 12.5, color: colour("soft") }, standoff: 10 } }),
      yaxis: Object.assign({}, axis, { tickformat: ",d", rangemode: "tozero", nticks: 5 }),
      annotations: [heading(counted, 1.01)],
    });
    Plotly.react(place, [{
      type: "bar", x: h.x, y: h.count, width: h.width * 0.9,
      marker: { color: h.x.map((x) => colour(x > 0 ? "gain" : "loss")), opacity: 0.85 },
      hovertemplate: `%{y:,d} around %{x:,.2f} ${unit}<extra></extra>`,
    }], layout, config());
  }

  function drawRolling() {
    const r = data.rolling;
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 22, b: 8 } });
    Object.assign(layout, {
      xaxis: Object.assign(timeAxis(axis), { nticks: 5 }),
      yaxis: Object.assign({}, axis, { zeroline: true, zerolinecolor: colour("muted"), nticks: 5 }),
      annotations: [heading("Sharpe ratio, a year", 1.01)],
    });
    Plotly.react("rolling", [{ type: "scatter", mode: "lines", x: r.t, y: r.y, line: { color: colour("gain"), width: 1.5 }, hovertemplate: "%{y:.2f}<extra></extra>" }], layout, config());
  }

  function drawMoves() {
    const m = data.moves;
    const narrow = isNarrow();
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 22, b: 34 }, hovermode: "closest" });
    const x = (words, domain, anchor) => Object.assign({}, axis, { domain, anchor, ticksuffix: " %", rangemode: "tozero", showline: true, nticks: narrow ? 3 : 5, tickangle: 0, title: { text: words, font: { size: 12.5, color: colour("soft") }, standoff: 8 } });
    Object.assign(layout, {
      xaxis: x(narrow ? "against" : "furthest against it, % of the entry", [0, narrow ? 0.45 : 0.48], "y"),
      xaxis2: x(narrow ? "for" : "furthest for it, % of the entry", [narrow ? 0.55 : 0.52, 1], "y"),
      yaxis: Object.assign({}, axis, { ticksuffix: " %", zeroline: true, zerolinecolor: colour("muted"), nticks: 5 }),
      annotations: [heading("Result, % of the entry", 1.01)],
    });
    const tones = m.result.map((value) => colour(value > 0 ? "gain" : "loss"));
    const shapes = m.result.map((value) => (value > 0 ? "circle" : "x-thin"));
    const dots = (values, words, more) => Object.assign({
      type: "scatter", mode: "markers", x: values, y: m.result,
      marker: { color: tones, symbol: shapes, size: 6, opacity: 0.75, line: { width: 1.2, color: tones } },
      hovertemplate: `${words} %{x:.2f} %<br>result %{y:+.2f} %<extra></extra>`,
    }, more);
    Plotly.react("moves", [dots(m.adverse, "against it"), dots(m.favourable, "for it", { xaxis: "x2" })], layout, config());
  }

  function drawHours() {
    const h = data.hours;
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 22, b: 30 }, hovermode: "closest", bargap: 0.2 });
    Object.assign(layout, {
      xaxis: Object.assign({}, axis, { showgrid: false, showline: true, zeroline: false, dtick: isNarrow() ? 6 : 2, range: [-0.6, 23.6], title: { text: "hour of entry, UTC", font: { size: 12.5, color: colour("soft") }, standoff: 10 } }),
      yaxis: Object.assign({}, axis, { tickformat: ",.4~r", zeroline: true, zerolinecolor: colour("muted"), nticks: 5 }),
      annotations: [heading(`Net profit, ${h.currency}`, 1.01)],
    });
    Plotly.react("hours", [{
      type: "bar", x: h.pnl.map((_, hour) => hour), y: h.pnl, customdata: h.trips,
      marker: { color: h.pnl.map((y) => colour(y > 0 ? "gain" : "loss")), opacity: 0.85 },
      hovertemplate: `%{x}:00 UTC: %{y:+,.2f} ${h.currency}<br>%{customdata:,d} round trips<extra></extra>`,
    }], layout, config());
  }

  function drawBands() {
    const b = data.bands;
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 26, b: 8 } });
    const line = (name, y, tone, more) => Object.assign({
      type: "scatter", mode: "lines", name, x: b.t, y, line: Object.assign({ color: colour(tone), width: 1.5, shape: "hv" }, more), hovertemplate: "%{y:.1f} %",
    });
    Object.assign(layout, {
      xaxis: Object.assign(timeAxis(axis), { nticks: isNarrow() ? 4 : 8 }),
      yaxis: Object.assign({}, axis, { ticksuffix: " %", nticks: 5, rangemode: "tozero" }),
      annotations: [heading(`${isNarrow() ? "Deepest so far" : "Deepest drawdown so far, %"}   ${key("this run", "loss")}   ${key(isNarrow() ? "half" : "half of the orders", "muted")}   ${key("95 %", "bench")}`, 1.01)],
    });
    Plotly.react("bands", [line("this run", b.fell, "loss", { width: 2 }), line("half of the orders within", b.half, "muted", { dash: "dash" }), line("95 % within", b.most, "bench", { dash: "dot" })], layout, config());
  }

  let chosen = 0;
  let view = 0;
  function drawPrice() {
    const chart = data.prices[chosen];
    if (!chart) return;
    view = Math.min(view, chart.views.length - 1);
    const v = chart.views[view];
    const step = v.t.length > 1 ? v.t[1] - v.t[0] : 0;
    const size = v.t_fill.length > 120 ? 7 : 10;
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 26, b: 8 }, hovermode: "closest" });
    Object.assign(layout, {
      xaxis: Object.assign(timeAxis(axis), { rangeslider: { visible: false }, range: [v.t[0] - step, v.t[v.t.length - 1] + 2 * step] }),
      yaxis: Object.assign({}, axis, { tickformat: ",.8~r", zeroline: false }),
      annotations: [heading(`Price, ${chart.quote}   <span style="color:${colour("gain")}">▲</span> bought   <span style="color:${colour("loss")}">▼</span> sold${v.links.length ? "   lines: round trips, solid gained, dotted lost" : ""}`, 1.005)],
    });
    if (isNarrow()) layout.annotations = [heading(`Price, ${chart.quote}   <span style="color:${colour("gain")}">▲</span> bought   <span style="color:${colour("loss")}">▼</span> sold`, 1.005)];
    const joined = (gain) => {
      const x = [], y = [];
      for (const link of v.links) if (link.gain === gain) { x.push(link.t[0], link.t[1], null); y.push(link.p[0], link.p[1], null); }
      return { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { color: colour(gain ? "gain" : "loss"), width: 1.3, dash: gain ? "solid" : "dot" }, opacity: 0.8 };
    };
    const marks = (side) => {
      const at = v.side.map((s, i) => (s === side ? i : -1)).filter((i) => i >= 0);
      const pick = (list) => at.map((i) => list[i]);
      return {
        type: "scatter", mode: "markers", x: pick(v.t_fill), y: pick(v.price), customdata: pick(v.qty), text: pick(v.why),
        marker: { symbol: side > 0 ? "triangle-up" : "triangle-down", size, color: colour(side > 0 ? "gain" : "loss"), line: { color: colour("card"), width: 1 } },
        hovertemplate: `${side > 0 ? "bought" : "sold"} %{customdata} at %{y:,.8~r}<br>by: %{text}<br>%{x|%Y-%m-%d %H:%M} UTC<extra></extra>`,
      };
    };
    Plotly.react("price", [{
      type: "candlestick", x: v.t, open: v.open, high: v.high, low: v.low, close: v.close, whiskerwidth: 0, line: { width: 1 },
      increasing: { line: { color: colour("up") }, fillcolor: colour("card") },
      decreasing: { line: { color: colour("down") }, fillcolor: colour("down") }, hoverlabel: { namelength: 0 },
    }, joined(true), joined(false), marks(1), marks(-1)], layout, config());
    document.getElementById("price-remark").textContent = v.remark;
    const views = document.getElementById("views");
    views.replaceChildren(...(chart.views.length < 2 ? [] : chart.views).map((item, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = item.label;
      button.setAttribute("aria-pressed", String(at === view));
      button.onclick = () => { view = at; drawPrice(); };
      return button;
    }));
  }

  /* Okabe and Ito's colours, told apart by people of any colour vision; dashes tell them apart again. */
  const tones = { light: ["#0072b2", "#d55e00", "#009e73", "#b0568c", "#a67c00", "#3d8fc4", "#1d1c1a"], dark: ["#56b4e9", "#f08a4b", "#2fc79a", "#e08ec0", "#e6b53c", "#8fb8ff", "#efece6"] };
  const dashes = ["solid", "dash", "dot", "dashdot"];
  function drawOverlay(place, words) {
    const lines = data[place];
    const span = [Math.min(...lines.map((l) => l.t[0])), Math.max(...lines.map((l) => l.t[l.t.length - 1]))];
    const palette = tones[isDark() ? "dark" : "light"];
    const { axis, layout } = base({ margin: { l: 8, r: 8, t: 26, b: 8 }, showlegend: true });
    Object.assign(layout, {
      legend: { orientation: "h", x: 0, y: isNarrow() ? -0.2 : -0.15, yanchor: "top", font: { size: 12.5 }, bgcolor: "rgba(0,0,0,0)", itemwidth: 30, tracegroupgap: 4 },
      xaxis: Object.assign(timeAxis(axis), { range: span }),
      yaxis: Object.assign({}, axis, { ticksuffix: " %", tickformat: "+,.4~r", zeroline: true, zerolinewidth: 1.5, zerolinecolor: colour("muted") }),
      annotations: [heading(words, 1.005)],
    });
    Plotly.react(place, lines.map((item, at) => ({
      type: "scatter", mode: "lines", name: item.name, x: item.t, y: item.y,
      line: { color: palette[at % palette.length], width: 1.6, dash: dashes[Math.floor(at / palette.length) % dashes.length] },
      hovertemplate: "%{y:+.2f} %",
    })), layout, config());
  }

  const isDark = () => (root.dataset.theme || (wantsDark.matches ? "dark" : "light")) === "dark";
  function draw() {
    document.getElementById("theme").textContent = isDark() ? "Light" : "Dark";
    if (data.curve) drawCurve();
    if (data.histogram) drawHistogram("histogram", "Round trips", `net profit of a round trip, ${data.histogram.currency}`, data.histogram.currency);
    if (data.days && data.days.x.length) drawHistogram("days", "Days", "return of a day, %", "%");
    if (data.rolling && data.rolling.t.length) drawRolling();
    if (data.moves && data.moves.of) drawMoves();
    if (data.hours && document.getElementById("hours")) drawHours();
    if (data.bands && document.getElementById("bands")) drawBands();
    if (data.prices) drawPrice();
    if (data.overlay) drawOverlay("overlay", "Equity, % change against the capital");
    if (data.falls) drawOverlay("falls", isNarrow() ? "Drawdown, %" : "Drawdown, % below the highest equity so far");
  }

  document.getElementById("theme").onclick = () => { root.dataset.theme = isDark() ? "light" : "dark"; draw(); };
  wantsDark.addEventListener("change", draw);
  const held = document.getElementById("bench");
  if (held) held.onclick = () => { isHeld = !isHeld; held.setAttribute("aria-pressed", String(isHeld)); drawCurve(); };
  const picker = document.getElementById("instrument");
  if (picker) picker.onchange = () => { chosen = Number(picker.value); view = 0; drawPrice(); };
  let width = innerWidth;
  addEventListener("resize", () => { if ((innerWidth < 620) !== (width < 620)) draw(); width = innerWidth; });
  /* Paper is white: print in light, then go back. */
  let before = null;
  addEventListener("beforeprint", () => { before = root.dataset.theme || ""; root.dataset.theme = "light"; draw(); });
  addEventListener("afterprint", () => { if (before) root.dataset.theme = before; else delete root.dataset.theme; draw(); });
  draw();
});
