/** The forms of a node and of an edge of a workflow: what nearly everybody sets, and the whole as JSON. */

import { NODE_TYPES, SLOT_TYPES, addEdge, changeEdge, changeNode, get, moveEdge, put, putSlots, removeEdge, removeNode, renameNode, renameSlot, slotsOf, startAt } from "./flow.js";
import { conditionOf, kindOf } from "./graph.js";
import { el, inWords, objectOf } from "./kit.js";
import { say } from "./words.js";

const CONDITIONS = ["", "examples", "ai", "logic", "failed", "corrected"];
const INTENTS = ["", "yes", "no", "human", "goodbye", "repeat", "help", "greeting", "start-over", "done", "cancel", "reschedule"];
const BLANK_CONDITIONS = { "": undefined, examples: { type: "examples", phrases: [] }, ai: { type: "ai", prompt: "" }, logic: { type: "logic", liquid: "" }, failed: { type: "failed" }, corrected: { type: "corrected" } };
const NODE_FIELDS = {
  conversation: [["messagePlan.firstMessage", "says", "text"], ["prompt", "prompt", "text"], ["reprompt", "reprompt", "line"], ["help", "help_text", "line"]],
  tool: [["toolId", "tool_id", "line"], ["messagePlan.firstMessage", "says", "text"]],
  transfer: [["destination", "destination", "line"], ["messagePlan.firstMessage", "says", "text"]],
  end: [["messagePlan.firstMessage", "says", "text"]],
};
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const several = (value) => (Array.isArray(value) ? value : []);
const listed = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

/** The form of what is chosen. `editor`: `flow` (as it is now), `change(flow, key, {form})` (what is typed into one field has one `key`;
 * `form`: draw the form anew, too), `choose(what)`, `problems(what)` ([{path, text, bad}]), `editable`. */
export class ElementForm {
  #notes = new Map();
  /** Why the name that was typed cannot be its name; empty where it can. */
  #refused = "";
  #title = () => "";
  #json = null;

  constructor(editor) {
    this.editor = editor;
    this.element = el("section", { className: "element", "aria-label": say("element") });
  }

  /** `chosen`: {node} or {edge}; null for the workflow as a whole. */
  draw(chosen) {
    this.chosen = chosen;
    this.#notes.clear();
    this.#refused = "";
    const { flow } = this.editor;
    this.element.replaceChildren(...(!chosen ? this.#whole(flow) : chosen.node !== undefined ? this.#node(flow.nodes[chosen.node], chosen.node) : this.#edge(flow.edges[chosen.edge], chosen.edge)));
    this.tell();
  }

  /** What is wrong with it, each at its field. */
  tell() {
    this.element.querySelector("h3").textContent = this.#title();
    if (document.activeElement !== this.#json.text) this.#json.text.value = JSON.stringify(this.#json.of(), null, 2);
    for (const { note, input } of this.#notes.values()) {
      note.textContent = "";
      input.removeAttribute("aria-invalid");
    }
    const rest = this.editor.problems(this.chosen).filter(({ path, text, bad }) => {
      const key = [...this.#notes.keys()].filter((each) => path === each || path.startsWith(`${each}.`)).sort((one, other) => other.length - one.length)[0];
      if (key === undefined) return true;
      const { note, input } = this.#notes.get(key);
      note.textContent = `${note.textContent} ${inWords(text)}`.trim();
      note.classList.toggle("bad", bad);
      if (bad) input.setAttribute("aria-invalid", "true");
      return false;
    });
    if (this.#refused) this.#refuse(this.#refused);
    this.element.querySelector(".notes").replaceChildren(...rest.map(({ path, text, bad }) => el("li", { className: bad ? "bad" : "" }, path && el("code", {}, path), ` ${inWords(text)}`)));
  }

  #refuse(text) {
    this.#refused = text;
    const { note, input } = this.#notes.get("name");
    note.textContent = text;
    note.classList.add("bad");
    input.setAttribute("aria-invalid", "true");
  }

  focus() {
    this.element.querySelector("h3")?.focus();
  }

  // ---------------------------------------------------------------------------------------- the whole

  #whole(flow) {
    const { editable } = this.editor;
    const set = (path, value) => {
      const made = structuredClone(this.editor.flow);
      put(made, path, value);
      this.editor.change(made, `whole ${path}`);
    };
    const field = (path, words, how) => this.#field(flow, path, words, how, (value) => set(path, value));
    const chosen = (path, words, values, word) => this.#labelled(path, words, choice(values, get(flow, path) ?? "", word, (value) => set(path, value)));
    const most = el("input", { type: "number", min: 1, max: 10, value: flow.fallback?.maxAttempts ?? "", oninput: () => set("fallback.maxAttempts", most.value === "" ? "" : Number(most.value)) });
    this.#title = () => say("whole_workflow");
    return [
      title(), el("p", { className: "faint" }, say("choose_one")), el("ul", { className: "notes" }),
      el("fieldset", { disabled: !editable }, el("legend", {}, say("workflow")), field("name", "name", "line"), chosen("language", "language", ["", "en", "ko"], (each) => each || "–"), field("timezone", "timezone", "line"),
        chosen("meaning", "meaning", ["", "off", "on"], (each) => each || "–"), field("globalPrompt", "prompt", "text")),
      el("fieldset", { disabled: !editable }, el("legend", {}, say("not_understood")), this.#labelled("fallback.maxAttempts", "max_attempts", most),
        chosen("fallback.to", "then_to", ["", ...flow.nodes.map(({ name }) => name)], (each) => each || "–"), field("fallback.say", "says_on_the_way", "line")),
      this.#all(() => Object.fromEntries(Object.entries(this.editor.flow).filter(([name]) => name !== "nodes" && name !== "edges")), editable, (document) => this.editor.change({ ...document, nodes: this.editor.flow.nodes, edges: this.editor.flow.edges ?? [] }, "", { form: true })),
    ];
  }

  // ---------------------------------------------------------------------------------------- a node

  #node(node, at) {
    const { editable, flow } = this.editor;
    const type = node.type === "hangup" ? "end" : node.type;
    const change = (key, act, form = false) => this.editor.change(changeNode(this.editor.flow, at, act), key && `node ${at} ${key}`, { form });
    const name = el("input", { value: node.name ?? "", maxLength: 80, onchange: () => this.#rename(at, name) });
    const kind = choice([...new Set([...NODE_TYPES, node.type])], node.type, (each) => kindOf({ type: each }), (value) => change("type", (copy) => {
      copy.type = value;
      if (value === "transfer") copy.destination ??= "";
    }, true));
    const start = el("input", { type: "checkbox", checked: Boolean(node.isStart), onchange: () => this.editor.change(start.checked ? startAt(this.editor.flow, at) : changeNode(this.editor.flow, at, (copy) => delete copy.isStart), "", { form: true }) });
    this.#title = () => `${say("node")}: ${this.editor.flow.nodes[at].name}`;
    return [
      title(), el("ul", { className: "notes" }),
      el("fieldset", { disabled: !editable }, el("legend", {}, say("g_node")), this.#labelled("name", "name", name), this.#labelled("type", "type", kind),
        type === "conversation" && el("label", { className: "check" }, start, say("starts_here")),
        ...(NODE_FIELDS[type] ?? []).map(([path, words, how]) => this.#field(node, path, words, how, (value) => change(path, (copy) => put(copy, path, value))))),
      type === "conversation" && this.#slots(node, at, change),
      this.#anywhere(node, change),
      editable && this.#out(flow, node, at),
      this.#all(() => this.editor.flow.nodes[at], editable, (document) => this.editor.change(changeNode(this.editor.flow, at, (copy) => {
        for (const key of Object.keys(copy)) delete copy[key];
        Object.assign(copy, document);
      }), "", { form: true })),
      editable && el("p", {}, el("button", { type: "button", className: "danger", id: "remove-node", onclick: () => this.editor.change(removeNode(this.editor.flow, at), "", { chosen: null }) }, say("remove"))),
    ].filter(Boolean);
  }

  #rename(at, input) {
    const { flow } = this.editor;
    const name = input.value.trim();
    const taken = flow.nodes.some((node, number) => number !== at && node.name === name);
    if (!name || taken) return this.#refuse(say(taken ? "name_taken" : "name_wanted"));
    this.#refused = "";
    if (name !== flow.nodes[at].name) this.editor.change(renameNode(flow, at, name));
    else this.tell();
  }

  /** What a node asks for, in this order. */
  #slots(node, at, change) {
    const slots = slotsOf(node);
    const replace = (made, key = "", form = true) => change(key, (copy) => putSlots(copy, made), form);
    const now = () => slotsOf(this.editor.flow.nodes[at]);
    const rows = slots.map(([name, property], number) => {
      const path = `variableExtractionPlan.schema.properties.${name}`;
      const set = (where, value) => replace(now().map(([each, one], place) => {
        if (place !== number) return [each, one];
        const copy = structuredClone(one);
        put(copy, where, value);
        return [each, copy];
      }), `slot ${number} ${where}`, false);
      const named = el("input", { value: name, onchange: () => {
        const wanted = named.value.trim();
        if (wanted && !now().some(([each]) => each === wanted)) this.editor.change(renameSlot(this.editor.flow, at, name, wanted), "", { form: true });
        else named.value = name;
      } });
      const kind = choice(SLOT_TYPES, property?.["x-slot"]?.type ?? "", (each) => (each ? say(`v_${each}`) : say("v_by_schema")), (value) => set("x-slot.type", value));
      const move = (by) => {
        const made = now();
        const [taken] = made.splice(number, 1);
        made.splice(number + by, 0, taken);
        replace(made);
      };
      return el("div", { className: "slot", role: "group", "aria-label": `${say("slot")} ${name}` },
        this.#labelled("", "slot", named), this.#labelled(`${path}.x-slot.type`, "type", kind),
        this.#field(property, "x-slot.ask", "ask", "line", (value) => set("x-slot.ask", value), path), this.#field(property, "x-slot.confirm", "confirm", "line", (value) => set("x-slot.confirm", value), path),
        this.editor.editable && el("p", { className: "row" }, button(`${say("earlier")}: ${name}`, say("earlier"), () => move(-1), number === 0), button(`${say("later")}: ${name}`, say("later"), () => move(1), number === slots.length - 1), button(`${say("remove")}: ${name}`, say("remove"), () => replace(now().filter((_, place) => place !== number)))));
    });
    const add = () => {
      const taken = new Set(this.editor.flow.nodes.flatMap(slotsOf).map(([name]) => name));
      let number = 1;
      while (taken.has(`value${number}`)) number++;
      replace([...now(), [`value${number}`, { type: "string", "x-slot": { type: "text", ask: "" } }]]);
    };
    return el("fieldset", { disabled: !this.editor.editable }, el("legend", {}, say("slots")), ...rows, this.editor.editable && el("p", {}, el("button", { type: "button", id: "add-slot", onclick: add }, say("add_slot"))));
  }

  /** Whether it can be entered from everywhere. */
  #anywhere(node, change) {
    const plan = node.globalNodePlan ?? {};
    const wanted = typeof plan.enterCondition === "string" ? { type: "ai", prompt: plan.enterCondition } : plan.enterCondition;
    const set = (condition) => change("anywhere", (copy) => {
      if (condition) copy.globalNodePlan = { ...copy.globalNodePlan, enabled: true, enterCondition: condition };
      else delete copy.globalNodePlan;
    }, true);
    const on = el("input", { type: "checkbox", checked: Boolean(plan.enabled), onchange: () => set(on.checked ? wanted ?? { type: "examples", phrases: [] } : null) });
    const told = (path, value) => change(`anywhere ${path}`, (copy) => {
      if (typeof copy.globalNodePlan.enterCondition === "string") copy.globalNodePlan.enterCondition = wanted;
      put(copy.globalNodePlan.enterCondition, path, value);
    });
    return el("fieldset", { disabled: !this.editor.editable }, el("legend", {}, say("from_anywhere")), el("label", { className: "check" }, on, say("from_anywhere_text")),
      ...(plan.enabled ? this.#condition(wanted ?? {}, "globalNodePlan.enterCondition", told) : []));
  }

  #out(flow, node, at) {
    const to = choice(flow.nodes.map((_, number) => String(number)), "", (number) => flow.nodes[number].name, () => {});
    to.id = "connect-to";
    return el("form", { className: "row", onsubmit: (event) => {
      event.preventDefault();
      const { flow: now } = this.editor;
      this.editor.change(addEdge(now, at, Number(to.value)), "", { chosen: { edge: (now.edges ?? []).length } });
    } }, el("label", { className: "grow" }, say("connect_to"), to), el("button", { id: "connect" }, say("connect")));
  }

  // ---------------------------------------------------------------------------------------- an edge

  #edge(edge, at) {
    const { editable, flow } = this.editor;
    const change = (key, act, form = false) => this.editor.change(changeEdge(this.editor.flow, at, act), `edge ${at} ${key}`, { form });
    const end = (path) => this.#labelled(path, `${path}_node`, choice([...new Set([...flow.nodes.map(({ name }) => name), edge[path]])], edge[path], (name) => name, (value) => change(path, (copy) => (copy[path] = value), true)));
    const kind = choice(CONDITIONS, edge.condition?.type ?? "", (each) => say(`e_${each || "always"}`), (value) => change("kind", (copy) => put(copy, "condition", structuredClone(BLANK_CONDITIONS[value])), true));
    const clear = el("input", { value: several(edge.clear).join(", "), oninput: () => change("clear", (copy) => put(copy, "clear", listed(clear.value))) });
    const moved = (by) => {
      const [made, place] = moveEdge(this.editor.flow, at, by);
      this.editor.change(made, "", { chosen: { edge: place } });
    };
    this.#title = () => `${say("edge")}: ${this.editor.flow.edges[at].from} → ${this.editor.flow.edges[at].to}`;
    return [
      title(), el("ul", { className: "notes" }),
      el("fieldset", { disabled: !editable }, el("legend", {}, say("edge")), end("from"), end("to"), this.#labelled("condition", "condition", kind),
        ...this.#condition(edge.condition ?? {}, "condition", (path, value) => change(path, (copy) => put(copy.condition, path, value))),
        this.#field(edge, "say", "says_on_the_way", "line", (value) => change("say", (copy) => put(copy, "say", value))), this.#labelled("clear", "clear", clear)),
      this.#all(() => this.editor.flow.edges[at], editable, (document) => this.editor.change(changeEdge(this.editor.flow, at, (copy) => {
        for (const key of Object.keys(copy)) delete copy[key];
        Object.assign(copy, document);
      }), "", { form: true })),
      editable && el("p", { className: "row" }, button("", say("earlier"), () => moved(-1)), button("", say("later"), () => moved(1)),
        el("button", { type: "button", className: "danger", id: "remove-edge", onclick: () => this.editor.change(removeEdge(this.editor.flow, at), "", { chosen: null }) }, say("remove"))),
    ].filter(Boolean);
  }

  /** The fields of one kind of condition. `set(path, value)` with the path in the condition. */
  #condition(condition, path, set) {
    if (condition.type === "ai") return [this.#field(condition, "prompt", "condition_prompt", "text", (value) => set("prompt", value), path)];
    if (condition.type === "logic") return [this.#field(condition, "liquid", "condition_liquid", "line", (value) => set("liquid", value), path)];
    if (condition.type !== "examples") return [];
    const phrases = el("textarea", { rows: 4, value: several(condition.phrases).join("\n"), oninput: () => set("phrases", lines(phrases.value)) });
    return [this.#labelled(`${path}.intent`, "intent", choice(INTENTS, condition.intent ?? "", (each) => (each ? say(`i_${each}`) : "–"), (value) => set("intent", value))), this.#labelled(`${path}.phrases`, "phrases", phrases, true)];
  }

  // ---------------------------------------------------------------------------------------- fields

  #field(document, path, words, how, set, prefix = "") {
    const value = get(document, path);
    const input = el(how === "text" ? "textarea" : "input", { value: value ?? "", autocomplete: "off", oninput: () => set(input.value), ...(how === "text" ? { rows: 2 } : {}) });
    return this.#labelled(prefix ? `${prefix}.${path}` : path, words, input, how === "text");
  }

  #labelled(path, words, input, whole = false) {
    const note = el("span", { className: "note" });
    if (path) {
      input.dataset.path = path;
      this.#notes.set(path, { input, note });
    }
    return el("label", { className: whole ? "whole" : "" }, say(words), input, note);
  }

  /** All of it, as text. `of()`: as it is now. */
  #all(of, editable, take) {
    const note = el("span", { className: "note bad" });
    const text = el("textarea", { className: "code", rows: 12, spellcheck: false, readOnly: !editable, onchange: () => {
      try {
        take(objectOf(text.value));
      } catch (error) {
        note.textContent = error.message;
      }
    } });
    this.#json = { text, of };
    return el("details", {}, el("summary", {}, say("all_as_json")), el("label", {}, "JSON", text, note));
  }
}

const title = () => el("h3", { tabIndex: -1 });

function choice(values, value, words, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) }, values.map((each) => el("option", { value: each, selected: each === value }, words(each))));
  return select;
}

function button(label, text, onclick, disabled = false) {
  return el("button", { type: "button", disabled, onclick, ...(label ? { "aria-label": label } : {}) }, text);
}

/** All nodes, and below each the edges that leave it: the same graph for whoever reads, or uses a keyboard. */
export function outline(flow, chosen, marks, choose) {
  const item = (what, text, mark, label) => el("button", { type: "button", className: mark, "aria-pressed": String(JSON.stringify(what) === JSON.stringify(chosen)), onclick: (event) => choose(what, event.detail === 0) }, text, label && el("span", { className: "unseen" }, `, ${label}`), mark && el("span", { "aria-hidden": "true" }, " !"));
  const marked = (key) => (marks.wrong.has(key) ? ["bad", say("is_wrong")] : marks.doubtful.has(key) ? ["doubt", say("is_doubtful")] : ["", ""]);
  const edges = (flow.edges ?? []).map((edge, number) => [edge, number]);
  const drawn = (list) => list.length > 0 && el("ul", {}, list.map(([edge, number]) => el("li", {}, item({ edge: number }, `→ ${edge.to}${conditionOf(edge) ? ` · ${conditionOf(edge)}` : ""}`, ...marked(`edges.${number}`)))));
  const lost = edges.filter(([edge]) => !flow.nodes.some(({ name }) => name === edge.from));
  return el("ul", { className: "outline" },
    flow.nodes.map((node, at) => el("li", {}, item({ node: at }, `${node.name} · ${kindOf(node)}`, ...marked(`nodes.${at}`)), drawn(edges.filter(([edge]) => edge.from === node.name)))),
    lost.length > 0 && el("li", {}, say("from_nowhere"), drawn(lost)));
}
