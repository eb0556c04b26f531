// The chunks of one upload: time to the right, offset downwards, one bar for each PUT.

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 62, right: 22, top: 12, bottom: 24 };

function node(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text) made.textContent = text;
  return made;
}

function step(span, most) {
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
}

export function seconds(span) {
  if (span < 1) return `${Math.round(span * 1000)} ms`;
  if (span < 120) return `${span < 10 ? span.toFixed(2) : span.toFixed(1)} s`;
  return `${Math.floor(span / 60)} min ${Math.round(span % 60)} s`;
}

export function bytes(count) {
  if (count < 1e3) return `${count} B`;
  const [unit, name] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([least]) => count >= least);
  const shown = count / unit;
  return `${Number.isInteger(shown) || shown >= 100 ? shown.toFixed(0) : shown.toFixed(1)} ${name}`;
}

export function kindOf(chunk) {
  if (chunk.is_stored) return "stored";
  if (chunk.ended === null) return "under-way";
  return chunk.is_refused ? "refused" : "lost";
}

export function draw(svg, post, now) {
  const chunks = post.chunks;
  const begin = Math.min(...chunks.map((chunk) => chunk.started));
  const end = Math.max(...chunks.map((chunk) => chunk.ended ?? now), begin + 0.01);
  const width = Math.max(320, svg.clientWidth || 640);
  const rows = Math.max(post.parts, 1);
  const height = EDGE.top + EDGE.bottom + Math.min(340, Math.max(90, rows * 20));
  const plot = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
  const x = (time) => EDGE.left + ((time - begin) / (end - begin)) * plot.width;
  const y = (offset) => EDGE.top + (Math.min(offset, post.size) / post.size) * plot.height;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  const drawn = [];

  const tick = step(end - begin, 7);
  for (let at = 0; at <= end - begin + 1e-9; at += tick) {
    const place = x(begin + at);
    drawn.push(node("line", { class: "grid", x1: place, x2: place, y1: EDGE.top, y2: EDGE.top + plot.height }));
    drawn.push(node("text", { x: place, y: height - 7, "text-anchor": "middle" }, at ? seconds(at) : "0"));
  }
  const stride = step(post.size, 5);
  for (let at = 0; at <= post.size; at += stride) {
    drawn.push(node("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(at), y2: y(at) }));
    drawn.push(node("text", { x: EDGE.left - 8, y: y(at) + 4, "text-anchor": "end" }, bytes(at)));
  }
  for (const chunk of chunks) drawn.push(bar(chunk, x, y, now));
  svg.replaceChildren(...drawn);
}

function bar(chunk, x, y, now) {
  const [left, top] = [x(chunk.started), y(chunk.first)];
  const wide = Math.max(3, x(chunk.ended ?? now) - left);
  const high = Math.max(3, y(chunk.last + 1) - top - 1);
  const group = node("g", { "data-kind": kindOf(chunk) });
  const corner = Math.min(3, high / 3);
  group.append(
    node("rect", { class: "whole", x: left, y: top, width: wide, height: high, rx: corner }),
    node("rect", { x: left, y: top, width: wide, height: high * Math.min(1, chunk.received / chunk.size), rx: corner, "stroke-width": 0 }),
  );
  if (chunk.fault) {
    group.append(node("text", { class: "mark", x: left + wide + 2, y: top + Math.min(high, 22) / 2 + 5 }, "⚡"));
  }
  group.append(node("title", {}, `bytes ${chunk.first}-${chunk.last}, attempt ${chunk.attempt}: ${told(chunk)}`));
  return group;
}

export function told(chunk) {
  const said = [chunk.fault, chunk.why].filter(Boolean).join("; ");
  if (said) return chunk.is_stored && !said.startsWith("stored") ? `stored; ${said}` : said;
  if (chunk.is_stored) return "stored";
  if (chunk.ended === null) return `${bytes(chunk.received)} so far`;
  return chunk.status === null ? `cut off after ${bytes(chunk.received)}` : "not stored";
}
