/** A workflow drawn: where its nodes stand, the edges between them, and what of it is chosen, wrong or lit. */

import { el, svg } from "./kit.js";
import { say } from "./words.js";

export const [WIDTH, HEIGHT] = [170, 44];
const [BETWEEN_X, BETWEEN_Y] = [24, 56];
const MOST_CHARS = 20;
const LABEL_CHARS = 16;
/** So many edges at most have their conditions beside them; of more, those of what is chosen. */
const MOST_LABELS = 8;
const STEP = 20;

/** How many steps each node is from the start; what nothing leads to comes last. */
function layers(nodes, edges) {
  const first = nodes.find((node) => node.isStart) ?? nodes[0];
  const depth = new Map([[first.name, 0]]);
  for (const name of depth.keys()) { // a Map is walked in the order in which it grows
    for (const { from, to } of edges) if (from === name && !depth.has(to)) depth.set(to, depth.get(name) + 1);
  }
  const last = Math.max(...depth.values()) + 1;
  const rows = [];
  nodes.forEach((node, at) => (rows[depth.get(node.name) ?? last] ??= []).push(at));
  return rows.filter(Boolean);
}

const placed = ({ metadata }) => Number.isFinite(metadata?.position?.x) && Number.isFinite(metadata.position.y);

/** The upper left corner of each node: where it was put, or else by its distance from the start. */
export function places(nodes, edges) {
  const rows = layers(nodes, edges);
  const width = Math.max(...rows.map((row) => row.length)) * (WIDTH + BETWEEN_X);
  const found = [];
  rows.forEach((row, depth) => row.forEach((at, column) => (found[at] = { x: width / 2 + (column - row.length / 2) * (WIDTH + BETWEEN_X), y: depth * (HEIGHT + BETWEEN_Y) })));
  return nodes.map((node, at) => (placed(node) ? { x: node.metadata.position.x, y: node.metadata.position.y } : found[at]));
}

/** The condition of an edge in a few words; empty where it always holds. */
export function conditionOf({ condition }) {
  const { type, prompt, phrases, intent, liquid } = condition ?? {};
  return String(prompt ?? liquid ?? (intent || (Array.isArray(phrases) && phrases.slice(0, 3).join(" / ")) || (type ? say(`e_${type}`) : "")));
}

/** What kind of node it is, in words. */
export function kindOf({ type }) {
  const words = say(`n_${type}`);
  return words === `n_${type}` ? String(type ?? "?") : words;
}

const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Down to what comes later; round the side to what comes before. `nth`: edges between the same two lie beside each other. */
function way(from, to, nth) {
  const aside = nth * 14;
  const [fromX, toX] = [from.x + WIDTH / 2, to.x + WIDTH / 2];
  if (to.y > from.y + HEIGHT / 2) {
    const [startY, bend] = [from.y + HEIGHT, Math.max(BETWEEN_Y, (to.y - from.y) / 3)];
    return { d: `M${fromX + aside} ${startY}C${fromX + aside} ${startY + bend} ${toX + aside} ${to.y - bend} ${toX + aside} ${to.y}`, x: fromX + (toX - fromX) * 0.8 + aside, y: startY + (to.y - startY) * 0.62 };
  }
  const [start, end] = [from.x + WIDTH, to.x + WIDTH];
  const out = Math.max(start, end) + 2 * BETWEEN_X + aside;
  const [startY, endY] = [from.y + HEIGHT / 2 + (from === to ? 8 : 0), to.y + HEIGHT / 2 - (from === to ? 8 : 0)];
  return { d: `M${start} ${startY}C${out} ${startY} ${out} ${endY} ${end} ${endY}`, x: out - BETWEEN_X / 2, y: (startY + endY) / 2 };
}

/** One drawing. It is drawn anew with every change; the element stays. */
export class Drawing {
  #flow = { nodes: [], edges: [] };
  #places = [];
  #drag = null;

  /** `acts`: `choose(what)` with {node} or {edge} by their places, `move(places)` once nodes have been moved, `remove(what)`. Without
   * them the drawing is a picture. */
  constructor(acts = null) {
    this.acts = acts;
    this.look = { chosen: null, wrong: new Set(), doubtful: new Set(), lit: new Map(), here: "" };
    this.svg = svg("svg", { class: acts ? "graph editable" : "graph", role: acts ? "group" : "img" });
    this.element = el("div", { className: "lanes", tabIndex: 0, role: "region", "aria-label": say("graph") }, this.svg);
    if (acts) this.#listen();
  }

  /** `look`: what is chosen ({node} or {edge}), which are `wrong` or `doubtful` ("nodes.3"), `lit` (name: how many live calls stand there) and
   * `here` (the name of the node where the try stands). */
  draw(flow, look = {}) {
    this.#flow = { nodes: flow.nodes, edges: flow.edges ?? [] };
    this.look = { ...this.look, ...look };
    // Whoever holds a node keeps holding it: a check's answer or a call's light may come at any time.
    if (this.#drag?.moved && this.#drag.from.length === flow.nodes.length) return this.#redraw();
    if (this.#drag?.moved) this.#drag = null;
    this.#places = places(this.#flow.nodes, this.#flow.edges);
    this.#redraw();
  }

  get places() {
    return this.#places;
  }

  /** The node that is drawn for this place, for whoever moves the focus there. */
  nodeAt(at) {
    return this.svg.querySelector(`[data-node="${at}"]`);
  }

  /** Scroll to a node, without moving the page. */
  reveal(name) {
    const place = this.#places[this.#flow.nodes.findIndex((node) => node.name === name)];
    if (!place) return;
    const [left, top] = this.svg.getAttribute("viewBox").split(" ").map(Number);
    this.element.scrollTo({ left: place.x - left - (this.element.clientWidth - WIDTH) / 2, top: place.y - top - (this.element.clientHeight - HEIGHT) / 2 });
  }

  #redraw() {
    const { nodes, edges } = this.#flow;
    const focused = this.svg.contains(document.activeElement) ? document.activeElement.dataset.node : undefined;
    const tip = svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" }, svg("path", { d: "M0 0 8 4 0 8z" }));
    this.svg.replaceChildren(svg("defs", {}, tip), ...this.#drawnEdges(nodes, edges), ...nodes.map((node, at) => this.#box(node, at)));
    const [left, top] = [Math.min(...this.#places.map(({ x }) => x)), Math.min(...this.#places.map(({ y }) => y))];
    const width = Math.max(...this.#places.map(({ x }) => x)) + WIDTH - left + 5 * BETWEEN_X;
    const height = Math.max(...this.#places.map(({ y }) => y)) + HEIGHT - top + 16;
    if (!this.#drag) for (const [name, value] of Object.entries({ viewBox: `${left - BETWEEN_X} ${top - 8} ${width} ${height}`, width, height })) this.svg.setAttribute(name, value);
    this.svg.setAttribute("aria-label", say("graph_label", { nodes: nodes.length, edges: edges.length }));
    if (focused !== undefined) this.nodeAt(focused)?.focus();
  }

  #drawnEdges(nodes, edges) {
    const beside = new Map();
    const { chosen } = this.look;
    return edges.flatMap((edge, at) => {
      const [from, to] = [edge.from, edge.to].map((name) => nodes.findIndex((node) => node.name === name));
      if (from < 0 || to < 0) return [];
      const pair = `${from} ${to}`;
      beside.set(pair, (beside.get(pair) ?? -1) + 1);
      const { d, x, y } = way(this.#places[from], this.#places[to], beside.get(pair));
      const marked = chosen?.edge === at ? " chosen" : this.look.wrong.has(`edges.${at}`) ? " wrong" : "";
      const line = svg("path", { d, class: `edge${marked}`, "marker-end": "url(#tip)" });
      const near = edges.length <= MOST_LABELS || chosen?.edge === at || chosen?.node === from;
      const label = near && conditionOf(edge) ? [svg("text", { x, y, dy: "0.35em", "text-anchor": "middle", class: "condition" }, shortened(conditionOf(edge), LABEL_CHARS))] : [];
      return [line, ...(this.acts ? [svg("path", { d, class: "grip", "data-edge": at })] : []), ...label];
    });
  }

  #box(node, at) {
    const { x, y } = this.#places[at];
    const { lit, here, chosen } = this.look;
    const [wrong, doubtful, live] = [this.look.wrong.has(`nodes.${at}`), this.look.doubtful.has(`nodes.${at}`), lit.get(node.name) ?? 0];
    const states = { start: node.isStart, chosen: chosen?.node === at, wrong, doubtful, lit: live > 0, here: here !== "" && here === node.name };
    const type = `${kindOf(node)}${node.isStart ? ` · ${say("starts_here")}` : ""}`;
    const name = String(node.name ?? "");
    const short = shortened(name, MOST_CHARS);
    // A label begins with what can be seen, so that whoever speaks to the machine can say it.
    const told = [[short, type, live > 1 && live].filter(Boolean).join(" "), short !== name && name, wrong && say("is_wrong"), doubtful && say("is_doubtful"), live > 0 && say("live_here", { count: live }), states.here && say("trial_here")].filter(Boolean).join(", ");
    const attributes = { class: ["node", String(node.type), ...Object.keys(states).filter((name) => states[name])].join(" "), "data-node": at };
    if (this.acts) Object.assign(attributes, { role: "button", tabindex: 0, "aria-pressed": String(states.chosen), "aria-label": told });
    return svg("g", attributes, ...(this.acts ? [] : [svg("title", {}, told)]), svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 8 }),
      svg("text", { x: x + WIDTH / 2, y: y + 19, "text-anchor": "middle", class: "named" }, short), " ", svg("text", { x: x + WIDTH / 2, y: y + 35, "text-anchor": "middle" }, type),
      ...(wrong || doubtful ? [" ", svg("text", { x: x + WIDTH - 12, y: y + 19, class: wrong ? "bad" : "doubt" }, "!")] : []),
      ...(live > 0 || states.here ? [" ", svg("text", { x: x + 12, y: y + 19, class: "light" }, live > 1 ? `● ${live}` : "●")] : []));
  }

  // ---------------------------------------------------------------------------------------- hands

  #listen() {
    const picked = (event) => event.target.closest?.("[data-node], [data-edge]");
    const what = (of) => (of.dataset.node === undefined ? { edge: Number(of.dataset.edge) } : { node: Number(of.dataset.node) });
    this.svg.addEventListener("pointerdown", (event) => {
      const of = picked(event);
      if (!of || event.button !== 0) return;
      this.#drag = { of: what(of), x: event.clientX, y: event.clientY, moved: false, from: structuredClone(this.#places) };
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => this.#pulled(event));
    this.svg.addEventListener("pointerup", () => {
      const drag = this.#drag;
      this.#drag = null;
      if (!drag) return;
      if (drag.moved) this.acts.move(this.#places);
      else this.acts.choose(drag.of, false);
    });
    this.svg.addEventListener("pointercancel", () => {
      if (this.#drag) this.#places = this.#drag.from;
      this.#drag = null;
      this.#redraw();
    });
    this.svg.addEventListener("click", (event) => { // without a pointer: a screen reader's
      const of = event.detail === 0 && picked(event);
      if (of) this.acts.choose(what(of), true);
    });
    this.svg.addEventListener("keydown", (event) => {
      const of = picked(event);
      if (of) this.#pressed(event, what(of));
    });
  }

  #pulled(event) {
    const drag = this.#drag;
    if (!drag || drag.of.node === undefined) return;
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    drag.moved ||= Math.hypot(x, y) > 4;
    if (!drag.moved) return;
    const scale = this.svg.viewBox.baseVal.width / this.svg.getBoundingClientRect().width;
    this.#places = drag.from.map((place, at) => (at === drag.of.node ? { x: place.x + x * scale, y: place.y + y * scale } : place));
    this.#redraw();
  }

  #pressed(event, of) {
    const steps = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === "Enter" || event.key === " ") this.acts.choose(of, true);
    else if (event.key === "Delete" || event.key === "Backspace") this.acts.remove(of);
    else if (event.key in steps && of.node !== undefined) {
      const [x, y] = steps[event.key];
      this.acts.move(this.#places.map((place, at) => (at === of.node ? { x: place.x + x, y: place.y + y } : place)), `move ${of.node}`);
    } else return;
    event.preventDefault();
  }
}
