/** Changes of a workflow. Each gives a new one and leaves the one it was given as it is. Nodes and edges are meant by their place in the
 * list: names may be wrong, or twice, while somebody types. */

export const NODE_TYPES = ["conversation", "tool", "transfer", "end"];
export const SLOT_TYPES = ["", "date", "time", "number", "digits", "phone", "name", "yes-no", "choice", "email", "text"];
const MAX_NAME = 80;

export const blank = () => ({ nodes: [{ type: "conversation", name: "start", isStart: true, messagePlan: { firstMessage: "" } }], edges: [] });

const changed = (flow, change) => {
  const copy = structuredClone(flow);
  copy.edges ??= [];
  change(copy);
  return copy;
};

/** A name that no node has. */
export function freeName(flow, base) {
  const taken = new Set(flow.nodes.map(({ name }) => name));
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base} ${number}`;
    if (!taken.has(name)) return name;
  }
}

/** `position` (x, y), or null where the nodes are laid out by themselves. */
export function addNode(flow, type, position) {
  const node = { type, name: freeName(flow, type), ...(type === "transfer" ? { destination: "" } : {}), ...(type === "tool" ? { toolId: "" } : {}) };
  if (position) node.metadata = { position };
  return changed(flow, (copy) => copy.nodes.push(node));
}

export const changeNode = (flow, at, change) => changed(flow, (copy) => change(copy.nodes[at]));

/** Edges follow, and so does the node that is gone to where nobody is understood. */
export function renameNode(flow, at, name) {
  return changed(flow, (copy) => {
    const before = copy.nodes[at].name;
    copy.nodes[at].name = name.slice(0, MAX_NAME);
    if (copy.nodes.some((node) => node.name === before)) return;
    for (const edge of copy.edges) for (const end of ["from", "to"]) if (edge[end] === before) edge[end] = copy.nodes[at].name;
    if (copy.fallback?.to === before) copy.fallback.to = copy.nodes[at].name;
  });
}

/** With the edges that lead there or leave it. */
export function removeNode(flow, at) {
  return changed(flow, (copy) => {
    const [{ name }] = copy.nodes.splice(at, 1);
    if (copy.nodes.some((node) => node.name === name)) return;
    copy.edges = copy.edges.filter(({ from, to }) => from !== name && to !== name);
    if (copy.fallback?.to === name) delete copy.fallback.to;
  });
}

export function startAt(flow, at) {
  return changed(flow, (copy) => copy.nodes.forEach((node, number) => {
    if (number === at) node.isStart = true;
    else delete node.isStart;
  }));
}

export const addEdge = (flow, from, to) => changed(flow, (copy) => copy.edges.push({ from: copy.nodes[from].name, to: copy.nodes[to].name }));
export const changeEdge = (flow, at, change) => changed(flow, (copy) => change(copy.edges[at]));
export const removeEdge = (flow, at) => changed(flow, (copy) => copy.edges.splice(at, 1));

/** Earlier (-1) or later (1) among the edges that leave the same node: of several that hold, the first is taken. Gives where it is now. */
export function moveEdge(flow, at, by) {
  const { from } = flow.edges[at];
  let other = at + by;
  while (flow.edges[other] && flow.edges[other].from !== from) other += by;
  if (!flow.edges[other]) return [flow, at];
  return [changed(flow, (copy) => ([copy.edges[at], copy.edges[other]] = [copy.edges[other], copy.edges[at]])), other];
}

/** `places`: one for each node. */
export function placeNodes(flow, places) {
  return changed(flow, (copy) => copy.nodes.forEach((node, at) => {
    node.metadata = { ...node.metadata, position: { x: Math.round(places[at].x), y: Math.round(places[at].y) } };
  }));
}

/** Laid out by themselves again. */
export function unplaceNodes(flow) {
  return changed(flow, (copy) => copy.nodes.forEach((node) => {
    delete node.metadata?.position;
    if (node.metadata && !Object.keys(node.metadata).length) delete node.metadata;
  }));
}

// ------------------------------------------------------------------------------------------ the values a node asks for

export const slotsOf = (node) => Object.entries(node.variableExtractionPlan?.schema?.properties ?? {});

/** Each slot is [name, property], in the order in which they are asked for. */
export function putSlots(node, slots) {
  const plan = node.variableExtractionPlan ?? {};
  const schema = { type: "object", ...plan.schema, properties: Object.fromEntries(slots) };
  if (schema.required) schema.required = schema.required.filter((name) => name in schema.properties);
  node.variableExtractionPlan = { ...plan, schema };
  if (!slots.length) delete node.variableExtractionPlan;
}

/** Edges that forget it follow. */
export function renameSlot(flow, at, before, name) {
  return changed(flow, (copy) => {
    const node = copy.nodes[at];
    const required = node.variableExtractionPlan.schema.required?.map((each) => (each === before ? name : each));
    putSlots(node, slotsOf(node).map(([each, property]) => [each === before ? name : each, property]));
    if (required) node.variableExtractionPlan.schema.required = required;
    if (copy.nodes.some((other) => slotsOf(other).some(([each]) => each === before))) return;
    for (const edge of copy.edges) if (edge.clear) edge.clear = edge.clear.map((each) => (each === before ? name : each));
  });
}

// ------------------------------------------------------------------------------------------ places in a document

export const get = (document, path) => path.split(".").reduce((value, name) => value?.[name], document);

/** What is emptied is left out, and so is what held nothing else. */
export function put(document, path, value) {
  const [name, ...rest] = path.split(".");
  if (!rest.length) {
    if (value === "" || value === undefined || (Array.isArray(value) && !value.length)) delete document[name];
    else document[name] = value;
    return;
  }
  if (document[name] === null || typeof document[name] !== "object") document[name] = {};
  put(document[name], rest.join("."), value);
  if (!Object.keys(document[name]).length) delete document[name];
}
