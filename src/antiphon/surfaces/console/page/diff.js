/** What is different between two lists of lines. */

const AROUND = 2;
/** Beyond this many cells of the table, everything between the first and the last difference counts as changed. */
const MOST = 4_000_000;

/** [{kind: "same" | "added" | "removed" | "gap", text}]; empty where nothing differs. */
export function differences(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const middle = steps(before.slice(start, before.length - end), after.slice(start, after.length - end));
  if (!middle.length) return [];
  const same = (lines) => lines.map((text) => ({ kind: "same", text }));
  return folded([...same(before.slice(0, start)), ...middle, ...same(before.slice(before.length - end))]);
}

function steps(before, after) {
  const all = (kind, lines) => lines.map((text) => ({ kind, text }));
  if (before.length * after.length > MOST) return [...all("removed", before), ...all("added", after)];
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] = before[i] === after[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const made = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) made.push({ kind: "same", text: before[i++] }), j++;
    else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) made.push({ kind: "removed", text: before[i++] });
    else made.push({ kind: "added", text: after[j++] });
  }
  return [...made, ...all("removed", before.slice(i)), ...all("added", after.slice(j))];
}

/** Only what is near a difference. */
function folded(lines) {
  const near = lines.map((_, at) => lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ kind }) => kind !== "same"));
  return lines.flatMap((line, at) => (near[at] ? [line] : near[at - 1] || at === 0 ? [{ kind: "gap", text: "" }] : []));
}
