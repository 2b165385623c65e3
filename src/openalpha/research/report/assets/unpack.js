/* Unpacks what the page carries: the chart library and the data, deflated and written in 85 signs. */
const unpacked = (async () => {
  "use strict";
  const signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";
  const values = new Uint8Array(128);
  [...signs].forEach((sign, value) => { values[sign.charCodeAt(0)] = value; });
  const unpack = (id) => {
    const place = document.getElementById(id), text = place.textContent;
    const bytes = new DataView(new ArrayBuffer(text.length / 5 * 4));
    for (let at = 0, to = 0; at < text.length; at += 5, to += 4) {
      let word = 0;
      for (let more = 0; more < 5; more += 1) word = word * 85 + values[text.charCodeAt(at + more)];
      bytes.setUint32(to, word);
    }
    const packed = new Blob([new Uint8Array(bytes.buffer, 0, Number(place.dataset.bytes))]);
    return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).text();
  };
  const library = document.createElement("script");
  try {
    library.textContent = await unpack("library");
  } catch (error) {
    document.querySelectorAll(".chart").forEach((place) => {
      place.className = "muted";
      place.textContent = "This browser is too old to draw the chart; the table holds what it shows.";
    });
    throw error;
  }
  document.head.append(library);
  /* Long rows of whole numbers come as their steps: unit, first, then how many units to the next. */
  const whole = (_, item) => {
    if (!item || !item.steps) return item;
    const [unit, first, ...steps] = item.steps;
    let at = first;
    return [first, ...steps.map((step) => { at += unit * step; return at; })];
  };
  return JSON.parse(await unpack("data"), whole);
})();
