/** Two who edit the same: who was second is told who was first, keeps what was typed, and says what becomes of it. */

import { Refused, askVersion, attempt, el, problem, sure, when } from "./kit.js";
import { drawnDifferences, linesOf } from "./differing.js";
import { say } from "./words.js";

/** What is asked is asked with the version that this page has seen (`state.version`, an entity tag); the server refuses any other.
 *
 * `path`: of the document. `mine(theirs)`: what would be kept. `load(theirs, version)`: show theirs in the place of what was typed. */
export class Clash {
  constructor({ path, state, mine, load }) {
    Object.assign(this, { path, state, mine, load });
    this.element = el("section", { className: "notice clash", role: "alert", hidden: true });
  }

  /** Do what changes the document; where somebody was first, offer to do it `again` all the same. `words`: what that is called. */
  async guard(act, again, words = "save_mine") {
    this.element.hidden = true;
    try {
      return await act();
    } catch (error) {
      const changed = error instanceof Refused && error.status === 412 && error.told.changed;
      if (!changed) throw error;
      this.#tell(changed, again, words);
      return undefined;
    }
  }

  #tell({ version, by, wall_ms }, again, words) {
    const wrong = problem();
    const shown = el("div", { "aria-live": "polite" });
    const anyway = () => {
      this.state.version = version;
      return again();
    };
    const compare = () => attempt(wrong, async () => {
      const [theirs, seen] = await askVersion(this.path);
      version = seen; // what is looked at is what is written over
      shown.replaceChildren(el("h2", {}, say("theirs_to_mine")), drawnDifferences(linesOf(theirs), linesOf(this.mine(theirs)), say("no_difference_left")));
    });
    const theirs = () => attempt(wrong, async () => {
      this.load(...(await askVersion(this.path)));
      this.element.hidden = true;
    });
    this.element.replaceChildren(
      el("p", {}, say(by ? "first_was" : "first_was_key", { who: by, version: version.replaceAll('"', ""), when: when(wall_ms) })),
      el("p", { className: "row" }, el("button", { type: "button", id: "see-difference", onclick: compare }, say("see_difference")),
        el("button", { type: "button", id: "all-the-same", onclick: anyway }, say(words)), sure(say("take_theirs"), say("take_theirs_sure"), theirs)),
      wrong, shown);
    this.element.hidden = false;
  }
}
