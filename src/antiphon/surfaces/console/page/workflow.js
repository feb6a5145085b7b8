/** The workflow of an assistant as a graph to read, and beside it a conversation in text with the assistant. */

import { ask, attempt, el, problem, svg } from "./kit.js";
import { say } from "./words.js";

const WIDTH = 170;
const HEIGHT = 44;
const [BETWEEN_X, BETWEEN_Y] = [24, 56];
const MOST_CHARS = 20;

export async function open(main, id, { may }) {
  const assistant = await ask(`rest/assistant/${encodeURIComponent(id)}`);
  const flow = assistant.model?.workflow ?? assistant.workflow;
  main.append(el("h1", {}, `${assistant.name || id} · ${say("workflow")}`), el("p", {}, el("a", { href: `#/assistants/${encodeURIComponent(id)}` }, say("back_to_it"))));
  if (!flow?.nodes?.length) return void main.append(el("p", { className: "faint" }, say("no_workflow")));
  const edges = (flow.edges ?? []).filter(({ from, to }) => [from, to].every((name) => flow.nodes.some((node) => node.name === name)));
  main.append(el("div", { className: "columns" },
    el("section", {}, el("h2", {}, say("graph")), drawn(flow.nodes, edges), el("h2", {}, say("edges")), el("ul", { className: "plain edges" }, edges.map(written))),
    el("section", {}, el("h2", {}, say("in_text")), may("builder") ? chat(id) : el("p", { className: "faint" }, say("read_only")))));
  return undefined;
}

/** How many steps each node is from the start; what nothing leads to comes last. */
function layers(nodes, edges) {
  const first = nodes.find((node) => node.isStart) ?? nodes[0];
  const depth = new Map([[first.name, 0]]);
  for (const name of depth.keys()) { // a Map is walked in the order in which it grows
    for (const { from, to } of edges) if (from === name && !depth.has(to)) depth.set(to, depth.get(name) + 1);
  }
  const last = Math.max(...depth.values()) + 1;
  const rows = [];
  for (const node of nodes) (rows[depth.get(node.name) ?? last] ??= []).push(node);
  return rows.filter(Boolean);
}

function drawn(nodes, edges) {
  const rows = layers(nodes, edges);
  const widest = Math.max(...rows.map((row) => row.length));
  const width = widest * (WIDTH + BETWEEN_X) + 2 * BETWEEN_X;
  const places = new Map();
  rows.forEach((row, depth) => row.forEach((node, at) => places.set(node.name, {
    x: width / 2 + (at - (row.length - 1) / 2) * (WIDTH + BETWEEN_X), y: 8 + depth * (HEIGHT + BETWEEN_Y),
  })));
  const height = rows.length * (HEIGHT + BETWEEN_Y) - BETWEEN_Y + 16;
  const tip = svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto-start-reverse" }, svg("path", { d: "M0 0 8 4 0 8z" }));
  const graph = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": say("graph_label", { nodes: nodes.length, edges: edges.length }), class: "graph" },
    svg("defs", {}, tip), ...edges.map(({ from, to }) => svg("path", { d: way(places.get(from), places.get(to)), class: "edge", "marker-end": "url(#tip)" })), ...nodes.map((node) => box(node, places.get(node.name))));
  return el("div", { className: "lanes", tabIndex: 0, role: "region", "aria-label": say("graph") }, graph);
}

/** Down to what comes later; round the side to what comes before. */
function way(from, to) {
  if (to.y > from.y) return `M${from.x} ${from.y + HEIGHT}C${from.x} ${from.y + HEIGHT + BETWEEN_Y} ${to.x} ${to.y - BETWEEN_Y} ${to.x} ${to.y}`;
  const [start, end] = [from.x + WIDTH / 2, to.x + WIDTH / 2];
  const out = Math.max(start, end) + 2 * BETWEEN_X;
  return `M${start} ${from.y + HEIGHT / 2}C${out} ${from.y + HEIGHT / 2} ${out} ${to.y + HEIGHT / 2} ${end} ${to.y + HEIGHT / 2}`;
}

function box(node, { x, y }) {
  const short = node.name.length > MOST_CHARS ? `${node.name.slice(0, MOST_CHARS - 1)}…` : node.name;
  const group = svg("g", { class: `node ${node.type}${node.isStart ? " start" : ""}` },
    svg("rect", { x: x - WIDTH / 2, y, width: WIDTH, height: HEIGHT, rx: 8 }), svg("text", { x, y: y + 19, "text-anchor": "middle", class: "named" }), svg("text", { x, y: y + 35, "text-anchor": "middle" }), svg("title"));
  const [, name, type, title] = group.children;
  name.textContent = short;
  type.textContent = node.type;
  title.textContent = [node.name, node.messagePlan?.firstMessage || node.prompt].filter(Boolean).join(": ");
  return group;
}

function written({ from, to, condition }) {
  const { type, prompt, phrases, intent, liquid } = condition ?? {};
  const when = prompt ?? liquid ?? (intent || phrases?.slice(0, 3).join(" / ")) ?? type;
  return el("li", {}, `${from} → ${to}`, when && el("span", { className: "faint" }, ` · ${when}`));
}

/** Each answer is a chat after the one before. */
function chat(assistantId) {
  const lines = el("ol", { className: "said" });
  const wrong = problem();
  const input = el("input", { id: "chat", required: true, maxLength: 1000, autocomplete: "off" });
  const add = (who, text) => lines.append(el("li", { className: who }, el("span", { className: "at" }), el("p", {}, el("span", { className: `who ${who === "agent" ? "agent-side" : "you-side"}` }, say(who)), text)));
  let previousChatId;
  const form = el("form", { className: "row", onsubmit: (event) => {
    event.preventDefault();
    const text = input.value;
    attempt(wrong, async () => {
      const made = await ask("rest/chat", { method: "POST", body: previousChatId ? { previousChatId, input: text } : { assistantId, input: text } });
      previousChatId = made.id;
      input.value = "";
      add("caller", text);
      for (const { role, content } of made.output) if (role === "assistant" && content) add("agent", content);
    });
  } }, el("label", { className: "grow" }, say("in_text_label"), input), el("button", {}, say("send")));
  return el("div", {}, el("div", { role: "log", "aria-label": say("in_text") }, lines), wrong, form);
}
