// The sandbox's report, shown as it changes. Everything comes from clients: it is set as text only.

import { bytes, draw, kindOf, seconds, told } from "./timeline.js";

const BUSY = 250; // milliseconds between two looks while something changes
const IDLE = 1000;
const GONE = 3000;
const CHUNKS = 300; // rows of the newest PUTs; the picture shows all
const LIMITS = 60;
const LIMIT_NAMES = {
  creator_info: "creator info", init: "video init", inbox_init: "draft init",
  content_init: "photo init", status: "status", drafts: "drafts waiting", posts: "posts",
};
const at = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const clock = (time) => new Date(time * 1000).toLocaleTimeString("en-GB");

function named() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

let chosen = named();
let follows = chosen === null;
let tag = null;
let latest = null;
const rows = new Map();

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function stateOf(post) {
  const kinds = { PUBLISH_COMPLETE: "stored", SEND_TO_USER_INBOX: "stored", FAILED: "refused" };
  const words = {
    PUBLISH_COMPLETE: "posted", SEND_TO_USER_INBOX: "in the inbox", FAILED: "failed",
    PROCESSING_DOWNLOAD: "downloading", PROCESSING_UPLOAD: post.is_complete ? "processing" : "uploading",
  };
  return { kind: kinds[post.status] ?? "under-way", word: words[post.status] ?? post.status };
}

function kindOfPost(post) {
  const what = post.media === "photos" ? `${post.pulled_from.length} photos` : "video";
  return `${post.is_draft ? "draft" : "post"}, ${what}, ${post.pulled_from.length ? "pulled" : "uploaded"}`;
}

function titleOf(post) {
  return post.title || (post.is_draft ? "(draft)" : "(no title)");
}

// The list.

function addRow(post) {
  const button = make("button", { type: "button" });
  const state = make("span", { class: "state" });
  const marks = make("span", { class: "marks" });
  const size = make("span");
  const bar = make("progress", { max: 1 });
  const account = make("bdi", { class: "marks" });
  const row = make("tr", {},
    make("td", {}, button, account), make("td", {}, state, marks), make("td", {}, size, bar));
  button.append(make("bdi"));
  button.addEventListener("click", () => choose(post.publish_id));
  rows.set(post.publish_id, { row, button, account, state, marks, size, bar, said: "" });
  at("posts").prepend(row);
}

function fillRow(post) {
  const said = JSON.stringify({ ...post, chunks: null });
  const kept = rows.get(post.publish_id);
  if (kept.said === said) return;
  kept.said = said;
  const { kind, word } = stateOf(post);
  say(kept.button.firstChild, titleOf(post));
  kept.button.title = titleOf(post).slice(0, 300);
  say(kept.account, post.account);
  kept.state.dataset.kind = kind;
  say(kept.state, word);
  const marks = [[post.retries, "sent again"], [post.faults, "faults"], [post.refused, "refused"]];
  say(kept.marks, marks.filter(([number]) => number).map(([number, name]) => `${number} ${name}`).join(" · "));
  const arrived = Math.min(post.received + post.arriving, post.size);
  say(kept.size, arrived === post.size ? bytes(post.size) : `${bytes(arrived)} of ${bytes(post.size)}`);
  kept.bar.value = post.size ? arrived / post.size : 1;
  kept.bar.hidden = post.is_complete;
  kept.bar.setAttribute("aria-label", `arrived of ${titleOf(post).slice(0, 80)}`);
}

function filter() {
  const wanted = at("find").value.trim().toLowerCase();
  for (const post of latest?.posts ?? []) {
    const text = [post.title, post.account, post.publish_id, stateOf(post).word].join(" ").toLowerCase();
    rows.get(post.publish_id).row.hidden = !text.includes(wanted);
  }
}

function choose(id) {
  chosen = id;
  follows = false;
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  tag = null;
  mark();
  look();
}

function mark() {
  for (const [id, { row, button }] of rows) {
    const current = String(id === chosen);
    row.setAttribute("aria-current", current);
    button.setAttribute("aria-pressed", current);
  }
}

// One post.

function facts(post) {
  const whole = post.completed && post.size / Math.max(post.completed - post.created, 0.001);
  const told = [
    ["Account", post.account],
    ["Kind", kindOfPost(post)],
    ["Privacy", post.privacy_level || "the creator chooses"],
    ["publish_id", post.publish_id],
    ["Size", `${count(post.size)} bytes` + (post.pulled_from.length ? "" : ` in ${count(post.parts)} chunk${post.parts === 1 ? "" : "s"}`)],
    ["SHA-256", post.sha256 ?? (post.pulled_from.length ? "nothing is really fetched" : "when every byte is here")],
    ["Opened", clock(post.created) + (post.completed ? `, whole after ${seconds(post.completed - post.created)} (${bytes(Math.round(whole))}/s)` : "")],
  ];
  if (post.expires) told.push(["URL expires", clock(post.expires)]);
  if (post.post_ids.length) told.push(["Post id", post.post_ids.join(", ")]);
  if (post.duplicate_of) told.push(["Repeats", post.duplicate_of]);
  for (const url of post.pulled_from) told.push(["Pulled from", url]);
  const mono = new Set(["publish_id", "SHA-256", "Post id", "Repeats", "Pulled from"]);
  return told.flatMap(([name, value]) => [
    make("dt", {}, name), make("dd", mono.has(name) ? { class: "mono" } : {}, make("bdi", {}, value)),
  ]);
}

function film(post) {
  const source = post.is_playable ? `/-/media/${encodeURIComponent(post.publish_id)}` : "";
  const video = at("film");
  video.hidden = !source;
  if ((video.getAttribute("src") ?? "") === source) return;
  if (source) video.src = source;
  else video.removeAttribute("src");
  video.setAttribute("aria-label", titleOf(post).slice(0, 80));
  video.load();
}

function show(post, now) {
  at("detail").hidden = false;
  say(at("detail-title"), titleOf(post));
  const { kind, word } = stateOf(post);
  const state = make("span", { class: "state", "data-kind": kind }, word);
  at("detail-state").replaceChildren(state, post.fail_reason ? ` ${post.fail_reason}` : "");
  at("facts").replaceChildren(...facts(post));
  film(post);
  const chunks = post.chunks ?? [];
  at("course").hidden = !chunks.length;
  if (!chunks.length) return;
  draw(at("timeline"), post, now);
  say(at("timeline-says"),
    `${count(post.attempts)} PUT${post.attempts === 1 ? "" : "s"} for ${count(post.parts)} chunk${post.parts === 1 ? "" : "s"}: ${count(post.retries)} sent again, ${count(post.refused)} refused, ${count(post.faults)} met a fault.`);
  const begin = chunks[0].started;
  const newest = chunks.slice(-CHUNKS).reverse();
  at("chunks").replaceChildren(...newest.map((chunk) => make("tr", {},
    make("td", {}, count(chunk.first)), make("td", {}, count(chunk.size)), make("td", {}, String(chunk.attempt)),
    make("td", {}, seconds(chunk.started - begin)),
    make("td", {}, seconds((chunk.ended ?? now) - chunk.started)),
    make("td", {}, chunk.status === null ? (chunk.ended === null ? "…" : "none") : String(chunk.status)),
    make("td", {}, make("span", { class: "state", "data-kind": kindOf(chunk) }, told(chunk))))));
  at("more").hidden = chunks.length <= CHUNKS;
  say(at("more"), `The newest ${CHUNKS} of ${count(chunks.length)} PUTs are listed; the picture has all.`);
}

// Everything else.

function totals(found) {
  const { totals: sums } = found;
  const told = [
    [count(sums.uploads), sums.uploads === 1 ? "upload" : "uploads"], [count(sums.complete), "complete"], [bytes(sums.bytes), "received"],
    [count(sums.retries), "sent again"], [count(sums.faults), "faults met"], [count(sums.refused), "refused"],
    [count(sums.violations), "broken rules"],
  ];
  at("totals").replaceChildren(...told.map(([number, name]) => make("li",
    { "data-alarm": name === "broken rules" && sums.violations > 0 }, make("b", {}, number), name)));
}

function violations(found) {
  at("broken").hidden = !found.violations.length;
  at("violations").replaceChildren(...found.violations.map(({ text, times }) =>
    make("li", {}, make("bdi", {}, text), times > 1 ? ` (${count(times)} times)` : "")));
}

function limits(found) {
  const fullest = [...found.limits].sort((one, other) => other.used / other.most - one.used / one.most);
  const passed = Object.entries(found.limited).sort((one, other) => other[1] - one[1]);
  const told = passed.slice(0, LIMITS).map(([account, times]) => make("li", {},
    make("bdi", {}, account), make("span", { class: "state", "data-kind": "refused" }, `answered 429 ${count(times)} time${times === 1 ? "" : "s"}`)));
  at("limits").replaceChildren(...told, ...fullest.slice(0, LIMITS).map((each) => {
    const name = `${each.account}: ${LIMIT_NAMES[each.limit] ?? each.limit}`;
    const window = each.seconds === 60 ? "a minute" : each.seconds === 86400 ? "a day" : seconds(each.seconds);
    const meter = make("meter", { min: 0, max: each.most, low: each.most * 0.6, high: each.most * 0.9, optimum: 0, value: each.used, "aria-label": name });
    return make("li", {}, make("bdi", {}, name), make("span", {}, `${each.used} of ${each.most} ${window}`), meter);
  }));
}

function line(status, good, time, ...texts) {
  const kind = status ? (good ? "stored" : "refused") : "lost";
  const shown = status === null ? "…" : status ? String(status) : "none";
  return make("li", {}, make("b", { "data-kind": kind }, shown),
    ...texts.filter(Boolean).map((text) => make("bdi", {}, text)), ...(time ? [make("span", {}, clock(time))] : []));
}

function logs(found) {
  at("webhooks").replaceChildren(...found.webhooks.slice(-200).reverse().map((each) => line(each.status,
    each.status === 200, each.time, each.event, each.about, each.signature === "good" ? "" : `signature: ${each.signature.replace("_", " ")}`, each.url)));
  at("requests").replaceChildren(...found.requests.toReversed().map((each) => line(each.status,
    each.status < 400, each.time, each.operation, each.range ?? "", each.fault ? "⚡ scripted fault" : "")));
  at("pending").replaceChildren(...found.faults_pending.map((each) =>
    make("li", {}, make("bdi", {}, `${each.operation}: ${each.fault}`))));
}

function render(found) {
  latest = found;
  for (const post of found.posts) {
    if (!rows.has(post.publish_id)) addRow(post);
    fillRow(post);
  }
  at("none").hidden = found.posts.length > 0;
  if (at("find").value) filter();
  const newest = found.posts.at(-1);
  if (newest && (follows || !rows.has(chosen))) chosen = newest.publish_id;
  mark();
  const post = found.posts.find((each) => each.publish_id === chosen);
  if (post) show(post, found.now);
  totals(found);
  violations(found);
  limits(found);
  logs(found);
  const broken = found.totals.violations;
  document.title = `${broken ? `(${broken} broken) ` : ""}TikTok sandbox`;
}

function tell(state, text) {
  at("live").dataset.state = state;
  say(at("live"), text);
}

let timer = null;
let looking = false;

async function look() {
  if (looking) return;
  looking = true;
  clearTimeout(timer);
  let pause = IDLE;
  try {
    const asked = chosen;
    const answer = await fetch(`/-/state.json?chunks=${encodeURIComponent(asked ?? "")}`,
      { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      const found = await answer.json();
      tag = asked === chosen ? answer.headers.get("ETag") : null;
      render(found);
      if (chosen !== asked) tag = null;
      pause = BUSY;
    }
    tell("live", "live");
  } catch {
    tell("gone", "the sandbox has ended");
    pause = GONE;
  }
  looking = false;
  timer = setTimeout(look, document.hidden ? GONE : tag === null ? 0 : pause);
}

at("find").addEventListener("input", filter);
document.addEventListener("visibilitychange", () => document.hidden || look());
addEventListener("resize", () => {
  const post = latest?.posts.find((each) => each.publish_id === chosen && each.chunks?.length);
  if (post) draw(at("timeline"), post, latest.now);
});
addEventListener("hashchange", () => named() && named() !== chosen && choose(named()));
look();
