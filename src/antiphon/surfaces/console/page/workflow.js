/** The workflow of an assistant: drawn and edited as a graph, the same in lists and forms beside it, and tried in text as it stands here. */

import { bodyOf } from "./assistant.js";
import { Clash } from "./clash.js";
import { NODE_TYPES, addNode, blank, placeNodes, removeEdge, removeNode, unplaceNodes } from "./flow.js";
import { ElementForm, outline } from "./flow_forms.js";
import { Drawing, HEIGHT } from "./graph.js";
import { announce, ask, askVersion, attempt, el, inWords, once, problem, saving } from "./kit.js";
import { trial } from "./trial.js";
import { keepUnsaved } from "./unsaved.js";
import { say } from "./words.js";

const CHECK_AFTER_MS = 400;
const LIVE_EVERY_MS = 2000;
const MOST_UNDO = 200;
const MAX_NAME = 40;

export async function open(main, id, { may }) {
  const path = `rest/assistant/${encodeURIComponent(id)}`;
  const [[shown, version], { files }] = await Promise.all([askVersion(path), ask("assistants?limit=1")]);
  const editor = new Editor({ id, path, shown, version, file: files.includes(id), editable: may("builder") && !files.includes(id), builder: may("builder") });
  main.append(...editor.elements);
  return editor.begin();
}

class Editor {
  #undo = [];
  #redo = [];
  /** What the last step of `#undo` was typed into. */
  #key = "";
  #checked = 0;
  #timer = 0;
  #found = { problems: [], doubts: [] };

  constructor(given) {
    Object.assign(this, given);
    this.doc = bodyOf(this.shown);
    this.flow = this.doc.model?.workflow ?? null;
    this.saved = JSON.stringify(this.flow);
    this.chosen = null;
    this.lit = new Map();
    this.here = "";
    this.wrong = problem();
    /** How it was saved last. */
    this.said = "";
    this.state = el("p", { className: "faint", role: "status", id: "state" });
    this.place = el("div");
    this.clash = new Clash({ path: this.path, state: this, mine: () => this.doc, load: (theirs, seen) => this.#load(theirs, seen) });
    const name = this.doc.name || this.id;
    this.elements = [el("h1", {}, `${name} · ${say("workflow")}`), el("p", {}, el("a", { href: `#/assistants/${encodeURIComponent(this.id)}` }, say("back_to_it"))), this.#notice(), this.clash.element, this.wrong, this.place].filter(Boolean);
  }

  #notice() {
    if (this.file) return el("div", { className: "notice" }, el("p", {}, say("workflow_file")), this.builder && el("button", { type: "button", id: "copy", onclick: () => this.#copy() }, say("copy")));
    return this.editable ? null : el("p", { className: "notice" }, say("read_only"));
  }

  begin() {
    this.#lay();
    const forget = keepUnsaved(() => this.changed);
    const keys = (event) => this.#pressed(event);
    addEventListener("keydown", keys);
    const look = () => ask("live", { poll: true }).then(({ calls }) => this.#light(calls), () => {});
    look();
    const timer = setInterval(look, LIVE_EVERY_MS);
    return () => {
      clearInterval(timer);
      clearTimeout(this.#timer);
      forget();
      removeEventListener("keydown", keys);
    };
  }

  get changed() {
    return JSON.stringify(this.flow) !== this.saved;
  }

  // ---------------------------------------------------------------------------------------- the page

  #lay() {
    if (!this.flow?.nodes?.length) {
      this.place.replaceChildren(el("p", { className: "faint" }, say("no_workflow")), this.editable ? el("p", {}, el("button", { type: "button", className: "main", id: "begin", onclick: () => {
        this.change(blank(), "", { chosen: { node: 0 } });
      } }, say("begin_workflow")), " ", this.doc.model?.provider ? say("begin_workflow_text") : "") : "");
      return;
    }
    this.drawing = new Drawing({ choose: (what, byKey) => this.choose(what, byKey), move: (places, key = "") => (this.editable ? this.change(placeNodes(this.flow, places), key) : this.show()), remove: (what) => this.#remove(what) });
    this.form = new ElementForm(this);
    this.list = el("div", { className: "list" });
    this.findings = el("ul", { className: "notes", id: "findings" });
    this.light = el("p", { className: "faint", role: "status", id: "light" });
    const tools = this.editable ? this.#tools() : [];
    this.place.replaceChildren(...tools, this.state, this.findings, el("div", { className: "columns" },
      el("section", {}, el("h2", {}, say("graph")), this.drawing.element, this.light, this.form.element),
      el("section", {}, el("h2", {}, say("nodes_and_edges")), this.list, el("h2", {}, say("in_text")), this.builder ? trial(() => this.#whom(), (node) => this.#stand(node)) : el("p", { className: "faint" }, say("read_only")))));
    this.show({ form: true });
    requestAnimationFrame(() => this.drawing.reveal(this.flow.nodes.find((node) => node.isStart)?.name ?? this.flow.nodes[0].name)); // once it is on the page
    this.#check();
  }

  #tools() {
    const button = (id, words, act, className = "") => el("button", { type: "button", id, className, onclick: act }, words);
    this.undoButton = button("undo", say("undo"), () => this.#back(this.#undo, this.#redo));
    this.redoButton = button("redo", say("redo"), () => this.#back(this.#redo, this.#undo));
    return [el("div", { className: "row tools", role: "toolbar", "aria-label": say("workflow") }, button("save", say("save"), () => this.save(), "main"), this.undoButton, this.redoButton,
      ...NODE_TYPES.map((type) => button(`add-${type}`, `+ ${say(`n_${type}`)}`, () => this.#add(type))), button("tidy", say("tidy"), () => this.change(unplaceNodes(this.flow))), button("whole", say("whole_workflow"), () => this.choose(null, true)))];
  }

  /** Draw what has changed. `form`: the form, too. */
  show({ form = false } = {}) {
    const marks = this.#marks();
    this.drawing.draw(this.flow, { ...marks, chosen: this.chosen, lit: this.lit, here: this.here });
    const focused = this.list.contains(document.activeElement) ? [...this.list.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    this.list.replaceChildren(outline(this.flow, this.chosen, marks, (what, byKey) => this.choose(what, byKey)));
    if (focused >= 0) this.list.querySelectorAll("button")[focused]?.focus();
    if (form) this.form.draw(this.chosen);
    else this.form.tell();
    if (!this.editable) return;
    this.undoButton.disabled = !this.#undo.length;
    this.redoButton.disabled = !this.#redo.length;
    this.state.textContent = this.changed ? say("unsaved") : this.said;
  }

  /** `byKey`: then whoever chose it is taken to its form. */
  choose(what, byKey = false) {
    this.#key = "";
    this.chosen = what;
    this.show({ form: true });
    if (byKey) this.form.focus();
  }

  // ---------------------------------------------------------------------------------------- changes

  /** Another workflow in the place of this one. Typing into one field (`key`) is one step of undo. */
  change(flow, key = "", { form = false, chosen } = {}) {
    if (flow === this.flow || !this.editable) return;
    if (this.flow && (!key || key !== this.#key)) {
      this.#undo.push(this.#kept());
      this.#undo.splice(0, this.#undo.length - MOST_UNDO);
    }
    this.#key = key;
    this.#redo = [];
    const begun = this.flow !== null;
    this.#take(flow);
    if (chosen !== undefined) this.chosen = chosen;
    if (!begun) return this.#lay();
    this.show({ form: form || chosen !== undefined });
    if (chosen) this.form.focus();
    else if (chosen === null) this.drawing.nodeAt(0)?.focus();
    this.#checkSoon();
  }

  #take(flow) {
    this.flow = flow;
    this.doc = { ...this.doc, model: ruled(this.doc.model, flow) };
  }

  #kept = () => ({ flow: this.flow, chosen: this.chosen });

  #back(from, to) {
    const step = from.pop();
    if (!step) return;
    to.push(this.#kept());
    this.#key = "";
    this.#take(step.flow);
    this.chosen = step.chosen;
    this.show({ form: true });
    announce(say(from === this.#undo ? "undone" : "redone"));
    this.#checkSoon();
  }

  #add(type) {
    const places = this.drawing.places;
    const put = this.flow.nodes.some((node) => node.metadata?.position);
    const near = this.chosen?.node !== undefined ? places[this.chosen.node] : { x: Math.min(...places.map(({ x }) => x)), y: Math.max(...places.map(({ y }) => y)) };
    this.change(addNode(this.flow, type, put ? { x: Math.round(near.x), y: Math.round(near.y) + 2 * HEIGHT } : null), "", { chosen: { node: this.flow.nodes.length } });
  }

  #remove(what) {
    this.change(what.node === undefined ? removeEdge(this.flow, what.edge) : removeNode(this.flow, what.node), "", { chosen: null });
  }

  #pressed(event) {
    if (!this.editable || !this.flow || !(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    const typing = event.target.closest?.("input, textarea");
    if (key === "s") this.save();
    else if (!typing && key === "z") event.shiftKey ? this.#back(this.#redo, this.#undo) : this.#back(this.#undo, this.#redo);
    else if (!typing && key === "y") this.#back(this.#redo, this.#undo);
    else return;
    event.preventDefault();
  }

  // ---------------------------------------------------------------------------------------- what is wrong

  #checkSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), CHECK_AFTER_MS);
  }

  /** Whether it can be used. */
  async #check() {
    clearTimeout(this.#timer);
    const mine = ++this.#checked;
    const found = await ask("workflows/check", { method: "POST", body: this.flow }).catch(() => null);
    if (found && mine === this.#checked) {
      this.#found = found;
      this.#tell();
      this.show();
    }
    return found ? !found.problems.length : true; // whoever cannot be asked now says so when it is saved
  }

  #tell() {
    const row = ({ field, text }, bad) => {
      const what = placeOf(field);
      const words = [el("code", {}, this.#named(what) || field), ` ${inWords(text)}`];
      return el("li", { className: bad ? "bad" : "" }, el("button", { type: "button", className: "plain", onclick: () => this.choose(what, true) }, words));
    };
    this.findings.replaceChildren(...this.#found.problems.map((each) => row(each, true)), ...this.#found.doubts.map((each) => row(each, false)));
  }

  #named(what) {
    if (!what) return "";
    const edge = this.flow.edges?.[what.edge];
    return what.node === undefined ? edge && `${edge.from} → ${edge.to}` : this.flow.nodes[what.node]?.name;
  }

  #marks() {
    const keys = (list) => new Set(list.map(({ field }) => /^(?:nodes|edges)\.\d+/.exec(field)?.[0]).filter(Boolean));
    return { wrong: keys(this.#found.problems), doubtful: keys(this.#found.doubts) };
  }

  /** What was found at one node or edge, with the path in it; null: at none of them. */
  problems(chosen) {
    const key = !chosen ? "" : chosen.node === undefined ? `edges.${chosen.edge}` : `nodes.${chosen.node}`;
    const here = (field) => (key ? field === key || field.startsWith(`${key}.`) : !placeOf(field));
    const mine = (list, bad) => list.filter(({ field }) => here(field)).map(({ field, text }) => ({ path: key ? field.slice(key.length + 1) : field, text, bad }));
    return [...mine(this.#found.problems, true), ...mine(this.#found.doubts, false)];
  }

  // ---------------------------------------------------------------------------------------- kept and tried

  save = once(() => this.#save());

  #save() {
    return attempt(this.wrong, () => this.clash.guard(async () => {
      if (!(await this.#check())) {
        this.findings.querySelector("button")?.focus();
        throw new Error(say("wrong_workflow"));
      }
      const kept = this.flow;
      const [answer, now] = await saving(this.state, () => askVersion(this.path, { method: "PUT", body: this.doc, seen: this.version }));
      this.version = now;
      this.saved = JSON.stringify(kept);
      this.said = say("saved", { version: answer.latestVersion });
      this.show();
    }, () => this.save()));
  }

  /** Somebody else's, in the place of what was edited here; nothing of that is taken back. */
  #load(theirs, version) {
    this.doc = bodyOf(theirs);
    this.version = version;
    this.flow = this.doc.model?.workflow ?? null;
    this.saved = JSON.stringify(this.flow);
    this.said = say("theirs_shown");
    this.chosen = null;
    this.#undo = [];
    this.#redo = [];
    this.#lay();
  }

  #copy() {
    return attempt(this.wrong, async () => {
      const name = `${(this.doc.name || this.id).slice(0, MAX_NAME - 7)} (copy)`;
      const made = await ask("rest/assistant", { method: "POST", body: { ...this.doc, name } });
      location.hash = `#/assistants/${encodeURIComponent(made.id)}/workflow`;
    });
  }

  #whom() {
    if (!this.editable) return { assistantId: this.id };
    if (this.#found.problems.length) throw new Error(say("wrong_trial"));
    return { assistant: this.doc };
  }

  #stand(node) {
    this.here = node;
    this.show();
  }

  /** Where live calls of this assistant stand. */
  #light(calls) {
    if (!this.flow?.nodes?.length) return;
    const start = (this.flow.nodes.find((node) => node.isStart) ?? this.flow.nodes[0]).name;
    const mine = calls.filter(({ assistant }) => assistant === this.id);
    const lit = new Map();
    for (const { node } of mine) lit.set(node || start, (lit.get(node || start) ?? 0) + 1);
    const told = mine.length ? `${say("live_now")}: ${[...lit].map(([name, count]) => `${name} ${count}`).join(", ")}` : "";
    if (this.light.textContent === told) return;
    this.light.textContent = told;
    this.lit = lit;
    this.show();
  }
}

/** A model that follows this workflow: what else the other was told has no effect on rules, its tools have. */
function ruled(model, workflow) {
  if (model?.workflow) return { ...model, workflow };
  const { tools, toolIds } = model ?? {};
  return { provider: "workflow", ...(tools ? { tools } : {}), ...(toolIds ? { toolIds } : {}), workflow };
}

/** {node} or {edge} of a field like `nodes.3.name`; null for one that is of neither. */
function placeOf(field) {
  const [, kind, at] = /^(nodes|edges)\.(\d+)/.exec(field) ?? [];
  return kind ? { [kind === "nodes" ? "node" : "edge"]: Number(at) } : null;
}
